"""Parts of a multipart upload: to the repository itself, or to presigned addresses of its storage.

Source: NRP / Invenio protocol, section 6, Multipart.
"""

import base64
import hashlib
import logging
import threading
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set

from smartxfer.error_values import evolve
from smartxfer.errors import HTTPError
from smartxfer.nrp.errors import (
    ERRORS,
    RepositoryChecksumMismatch,
    RepositoryDecodeError,
    RepositoryRedirectRefused,
)
from smartxfer.nrp.file_calls import FileCalls
from smartxfer.nrp.models import File, taken
from smartxfer.transfer.buffers import blocks_of
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.plan import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.upload import Body
from smartxfer.transport import Answer, Call, Origin
from smartxfer.transport.checks import Decision
from smartxfer.transport.origin import without_query
from smartxfer.transport.stored import STORED, md5_of_stored

__all__ = ["PartSender", "digests_of", "equal", "etag_of"]

log = logging.getLogger("smartxfer.nrp")



def etag_of(digests: Iterable[str]) -> str:
    """S3's ETag of an object made of parts, of their hex MD5s.

    >>> etag_of(["0cc175b9c0f1b6a831c399e269772661"])
    'e5aa2c8e46d7b4d2dc3b6d5fd7bb5b5e-1'
    """
    whole, count = hashlib.md5(), 0
    for digest in digests:
        whole.update(bytes.fromhex(digest))
        count += 1
    return f"{whole.hexdigest()}-{count}"


def digests_of(source: Source, part_size: int) -> Iterator[str]:
    """Yield the hex MD5 of each part of a source."""
    for start in range(0, source.size, part_size):
        running = new_hash("md5")
        stop = min(start + part_size, source.size)
        for block in blocks_of(source, start, stop):
            running.update(block)
        yield str(running.hexdigest())


def equal(entry: File, theirs: str, ours: str) -> str:
    """Return the checksum of an entry, once it is seen to be ours.

    :raises ChecksumMismatch: it is another one.
    """
    if theirs.lower() != ours:
        raise RepositoryChecksumMismatch(
            f"{entry.key}: the repository holds other bytes than were read here",
            hint="it was deleted there; send it again",
            algorithm=str(entry.checksum).partition(":")[0],
            expected=ours,
            actual=theirs,
        )
    return str(entry.checksum)


class PartSender:
    """Sends the parts of one file, and knows what was acknowledged."""

    def __init__(self, files: FileCalls, entry: File, acknowledged: Mapping[int, str]) -> None:
        self._files = files
        self._key = entry.key
        self._lock = threading.Lock()
        self._links = self._addresses(entry)
        #: Numbers of parts whose address was asked for again, and of those that were not sent to it yet.
        self._renewed: Set[int] = set()
        self._fresh: Set[int] = set()
        #: Hex MD5 of each part that went to storage, by number from 0; "" where it could not be compared.
        self._digests: Dict[int, str] = dict(acknowledged)

    def send(self, part: Part, body: Body) -> None:
        """One try of one part.

        :raises TransferRefused: the repository answered well, but did not store it.
        """
        url = self._links.get(part.number + 1)
        if url is None:
            raise RepositoryDecodeError(f"{self._key}: the repository awaits no part {part.number + 1}")
        target = Origin.answered(url, ERRORS)
        home = self._files.calls.wire.origin
        if home.trusts(target):
            answer = self._files.calls.send("PUT", url, body=body, headers=_OCTETS)
            taken(answer.made(File))
            self._digests[part.number] = ""
            return
        if home.scheme == "https" and target.scheme != "https":
            raise RepositoryRedirectRefused(f"a part is to go to {without_query(url)}: from https to http")
        ours = hashlib.md5()
        for block in body if not isinstance(body, bytes) else [body]:
            ours.update(block)
        try:
            # The address is signed, and fails with a second kind of authentication.
            proof = base64.b64encode(ours.digest()).decode("ascii")
            call = Call("PUT", url, headers={"Content-MD5": proof}, body=body, success=STORED)
            answer = self._files.calls.make(call)
        except HTTPError as error:
            if not self._renew(part, url, error.status):
                raise
            raise evolve(error, retryable=True) from None
        self._digests[part.number] = self._compared(part, answer, ours.hexdigest())

    @property
    def sent(self) -> bool:
        """True once the repository or its storage has acknowledged a part."""
        return bool(self._digests)

    def digest(self, part: Part) -> str:
        """Hex MD5 of a part that was sent; "" where it is not known."""
        return self._digests.get(part.number, "")

    def digests(self, parts: Sequence[Part]) -> Optional[List[str]]:
        """Hex MD5s of all parts, in order; None where some are not known."""
        found = [self.digest(part) for part in parts]
        return found if all(found) else None

    def _compared(self, part: Part, answer: Answer, ours: str) -> str:
        """The part's MD5, once the storage's ETag has been seen to be the same; "" where it is no MD5."""
        theirs = md5_of_stored(answer)
        if theirs and theirs != ours:  # its own checksum, or a check of what arrived, decides at the commit
            log.warning("%s: the storage's ETag of part %d is not its MD5", self._key, part.number + 1)
            return ""
        return theirs

    def _renew(self, part: Part, used: str, status: int) -> bool:
        """Ask for fresh addresses where one may have expired; each part may do so once."""
        if status not in (400, 403) or part.number in self._renewed:
            return False
        with self._lock:
            if self._links.get(part.number + 1) == used:
                self._links = self._addresses(self._files.read(self._key))
        self._renewed.add(part.number)
        self._fresh.add(part.number)
        return True

    def has_new_address(self, part: Part) -> Decision:
        """Have a part sent to its fresh address without a wait."""
        if part.number not in self._fresh:
            return Decision.PASS
        self._fresh.remove(part.number)
        return Decision.RETRY_AT_ONCE

    def _addresses(self, entry: File) -> Mapping[int, str]:
        return {link.part: link.url for link in entry.links.parts}


_OCTETS = {"Content-Type": "application/octet-stream"}
