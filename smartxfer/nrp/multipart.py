"""Parts of a multipart upload: to the repository itself, or to presigned addresses of its storage.

Source: NRP / Invenio protocol, section 6, Multipart.
"""

import base64
import hashlib
import logging
import threading
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set

from smartxfer.error_values import evolve_error
from smartxfer.errors import HTTPError
from smartxfer.nrp.errors import (
    ERRORS,
    RepositoryChecksumMismatch,
    RepositoryDecodeError,
    RepositoryRedirectRefused,
)
from smartxfer.nrp.files_api import FilesApi
from smartxfer.nrp.models import File, raise_if_rejected
from smartxfer.transfer.buffers import iter_blocks
from smartxfer.transfer.digest import new_hash
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.upload import Body
from smartxfer.transport import BufferedResponse, Origin, RequestSpec
from smartxfer.transport.origin import strip_query
from smartxfer.transport.retry_checks import RetryDecision
from smartxfer.transport.s3_response import STORED_EXPECTATION, get_etag_md5

__all__ = ["PartUploader", "compute_multipart_etag", "iter_part_digests", "verify_checksum"]

log = logging.getLogger("smartxfer.nrp")


def compute_multipart_etag(digests: Iterable[str]) -> str:
    """S3's ETag of an object made of parts, of their hex MD5s.

    >>> compute_multipart_etag(["0cc175b9c0f1b6a831c399e269772661"])
    'e5aa2c8e46d7b4d2dc3b6d5fd7bb5b5e-1'
    """
    whole, count = hashlib.md5(), 0
    for digest in digests:
        whole.update(bytes.fromhex(digest))
        count += 1
    return f"{whole.hexdigest()}-{count}"


def iter_part_digests(source: Source, part_size: int) -> Iterator[str]:
    """Yield the hex MD5 of each part of a source."""
    for start in range(0, source.size, part_size):
        running = new_hash("md5")
        stop = min(start + part_size, source.size)
        for block in iter_blocks(source, start, stop):
            running.update(block)
        yield str(running.hexdigest())


def verify_checksum(entry: File, server_digest: str, local_digest: str) -> str:
    """Return the checksum of an entry, once it is seen to be ours.

    :raises ChecksumMismatch: it is another one.
    """
    if server_digest.lower() != local_digest:
        raise RepositoryChecksumMismatch(
            f"{entry.key}: the repository holds other bytes than were read here",
            hint="it was deleted there; send it again",
            algorithm=str(entry.checksum).partition(":")[0],
            expected=local_digest,
            actual=server_digest,
        )
    return str(entry.checksum)


class PartUploader:
    """Sends the parts of one file, and knows what was acknowledged."""

    def __init__(self, files_api: FilesApi, entry: File, completed_parts: Mapping[int, str]) -> None:
        self._files_api = files_api
        self._key = entry.key
        self._lock = threading.Lock()
        self._part_urls = self._get_part_urls(entry)
        #: Numbers of parts whose address was asked for again, and of those that were not sent to it yet.
        self._refreshed_parts: Set[int] = set()
        self._unsent_refreshed_parts: Set[int] = set()
        #: Hex MD5 of each part that went to storage, by number from 0; "" where it could not be compared.
        self._digests: Dict[int, str] = dict(completed_parts)

    def upload(self, part: Part, body: Body) -> None:
        """One try of one part.

        :raises UploadNotStored: the repository answered well, but did not store it.
        """
        url = self._part_urls.get(part.number + 1)
        if url is None:
            raise RepositoryDecodeError(f"{self._key}: the repository awaits no part {part.number + 1}")
        target = Origin.parse_from_response(url, ERRORS)
        home = self._files_api.api.http.origin
        if home.allows_credentials_for(target):
            answer = self._files_api.api.send("PUT", url, body=body, headers=_OCTET_STREAM_HEADERS)
            raise_if_rejected(answer.parse_model(File))
            self._digests[part.number] = ""
            return
        if home.scheme == "https" and target.scheme != "https":
            raise RepositoryRedirectRefused(f"a part is to go to {strip_query(url)}: from https to http")
        ours = hashlib.md5()
        for block in body if not isinstance(body, bytes) else [body]:
            ours.update(block)
        try:
            # The address is signed, and fails with a second kind of authentication.
            proof = base64.b64encode(ours.digest()).decode("ascii")
            call = RequestSpec(
                "PUT", url, headers={"Content-MD5": proof}, body=body, success=STORED_EXPECTATION
            )
            answer = self._files_api.api.send_request(call)
        except HTTPError as error:
            if not self._refresh_url(part, url, error.status):
                raise
            raise evolve_error(error, retryable=True) from None
        self._digests[part.number] = self._verify_etag(part, answer, ours.hexdigest())

    @property
    def has_sent_parts(self) -> bool:
        """True once the repository or its storage has acknowledged a part."""
        return bool(self._digests)

    def get_digest(self, part: Part) -> str:
        """Hex MD5 of a part that was sent; "" where it is not known."""
        return self._digests.get(part.number, "")

    def get_digests(self, parts: Sequence[Part]) -> Optional[List[str]]:
        """Hex MD5s of all parts, in order; None where some are not known."""
        found = [self.get_digest(part) for part in parts]
        return found if all(found) else None

    def _verify_etag(self, part: Part, response: BufferedResponse, local_md5: str) -> str:
        """The part's MD5, once the storage's ETag has been seen to be the same; "" where it is no MD5."""
        theirs = get_etag_md5(response)
        if (
            theirs and theirs != local_md5
        ):  # its own checksum, or a check of what arrived, decides at the commit
            log.warning("%s: the storage's ETag of part %d is not its MD5", self._key, part.number + 1)
            return ""
        return theirs

    def _refresh_url(self, part: Part, used_url: str, status: int) -> bool:
        """Ask for fresh addresses where one may have expired; each part may do so once."""
        if status not in (400, 403) or part.number in self._refreshed_parts:
            return False
        with self._lock:
            if self._part_urls.get(part.number + 1) == used_url:
                self._part_urls = self._get_part_urls(self._files_api.read(self._key))
        self._refreshed_parts.add(part.number)
        self._unsent_refreshed_parts.add(part.number)
        return True

    def check_expired_url(self, part: Part) -> RetryDecision:
        """Have a part sent to its fresh address without a wait."""
        if part.number not in self._unsent_refreshed_parts:
            return RetryDecision.NO_DECISION
        self._unsent_refreshed_parts.remove(part.number)
        return RetryDecision.RETRY_IMMEDIATELY

    def _get_part_urls(self, entry: File) -> Mapping[int, str]:
        return {link.part: link.url for link in entry.links.parts}


_OCTET_STREAM_HEADERS = {"Content-Type": "application/octet-stream"}
