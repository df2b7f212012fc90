"""Parts of a multipart upload, sent to the repository itself or to presigned URLs of its storage.

Source: NRP / Invenio protocol, section 6, Multipart.
"""

import base64
import hashlib
import logging
import threading
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set

from smartxfer.error_hints import HTTPS_HINT
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
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.upload import Body
from smartxfer.transport import BufferedResponse, Origin, RequestSpec
from smartxfer.transport.origin import strip_query
from smartxfer.transport.retry_checks import RetryDecision
from smartxfer.transport.s3_response import STORED_EXPECTATION, get_etag_md5

__all__ = [
    "PartUploader",
    "compute_multipart_etag",
    "has_same_content",
    "iter_part_digests",
    "verify_checksum",
]

log = logging.getLogger("smartxfer.nrp")


def compute_multipart_etag(digests: Iterable[str]) -> str:
    """Return S3's ETag of a multipart object.

    :param digests: hex MD5 of each part.

    >>> compute_multipart_etag(["0cc175b9c0f1b6a831c399e269772661"])
    'e5aa2c8e46d7b4d2dc3b6d5fd7bb5b5e-1'
    """
    combined, count = hashlib.md5(), 0
    for digest in digests:
        combined.update(bytes.fromhex(digest))
        count += 1
    return f"{combined.hexdigest()}-{count}"


def iter_part_digests(source: Source, part_size: int) -> Iterator[str]:
    """Yield the hex MD5 of each part of a source."""
    for start in range(0, source.size, part_size):
        hasher = new_hash("md5")
        stop = min(start + part_size, source.size)
        for block in iter_blocks(source, start, stop):
            hasher.update(block)
        yield str(hasher.hexdigest())


def has_same_content(entry: File, source: HashingSource) -> bool:
    """Return True if a completed entry has the size and checksum of the source."""
    algorithm, _, value = (entry.checksum or "").partition(":")
    if entry.size != source.size:
        return False
    etag, _, part_size = value.rpartition("-")
    if algorithm == "multipart" and part_size.isascii() and part_size.isdigit() and int(part_size):
        return etag == compute_multipart_etag(iter_part_digests(source, int(part_size)))
    return entry.md5 == source.digest()


def verify_checksum(entry: File, server_digest: str, local_digest: str) -> str:
    """Return the checksum of an entry after comparing it with the local one.

    :raises ChecksumMismatch: the checksums differ.
    """
    if server_digest.lower() != local_digest:
        raise RepositoryChecksumMismatch(
            f"{entry.key}: the checksum in the repository differs from that of the local file",
            hint="the file was deleted in the repository: upload it again",
            algorithm=str(entry.checksum).partition(":")[0],
            expected=local_digest,
            actual=server_digest,
        )
    return str(entry.checksum)


class PartUploader:
    """Uploads the parts of one file, and records the acknowledged ones."""

    def __init__(self, files_api: FilesApi, entry: File, completed_parts: Mapping[int, str]) -> None:
        self._files_api = files_api
        self._key = entry.key
        self._lock = threading.Lock()
        self._part_urls = self._get_part_urls(entry)
        #: Numbers of parts with a refreshed URL, and of those that were not sent to it yet.
        self._refreshed_parts: Set[int] = set()
        self._unsent_refreshed_parts: Set[int] = set()
        #: Hex MD5 of each stored part, by number from 0; "" if it could not be compared.
        self._digests: Dict[int, str] = dict(completed_parts)

    def upload(self, part: Part, body: Body) -> None:
        """Send one part once.

        :raises UploadNotStored: the repository reported success, but did not store the part.
        """
        url = self._part_urls.get(part.number + 1)
        if url is None:
            raise RepositoryDecodeError(
                f"{self._key}: the repository returned no URL of part {part.number + 1}"
            )
        target = Origin.parse_from_response(url, ERRORS)
        repository = self._files_api.api.http.origin
        if repository.allows_credentials_for(target):
            response = self._files_api.api.send("PUT", url, body=body, headers=_OCTET_STREAM_HEADERS)
            raise_if_rejected(response.parse_model(File))
            self._digests[part.number] = ""
            return
        if repository.scheme == "https" and target.scheme != "https":
            raise RepositoryRedirectRefused(
                f"{self._key}, part {part.number + 1}: the URL {strip_query(url)} leads from https to http",
                hint=HTTPS_HINT,
            )
        md5 = hashlib.md5()
        for block in body if not isinstance(body, bytes) else [body]:
            md5.update(block)
        try:
            # No Authorization header: the URL is signed, and the storage rejects two kinds of authentication.
            content_md5 = base64.b64encode(md5.digest()).decode("ascii")
            request = RequestSpec(
                "PUT", url, headers={"Content-MD5": content_md5}, body=body, success=STORED_EXPECTATION
            )
            response = self._files_api.api.send_request(request)
        except HTTPError as error:
            if not self._refresh_url(part, url, error.status):
                raise
            raise evolve_error(error, retryable=True) from None
        self._digests[part.number] = self._verify_etag(part, response, md5.hexdigest())

    @property
    def has_sent_parts(self) -> bool:
        """True if the repository or its storage has acknowledged a part."""
        return bool(self._digests)

    def get_digest(self, part: Part) -> str:
        """Return the hex MD5 of a part that was sent; "" if it is unknown."""
        return self._digests.get(part.number, "")

    def get_digests(self, parts: Sequence[Part]) -> Optional[List[str]]:
        """Return the hex MD5s of all parts, in order; None if some are unknown."""
        digests = [self.get_digest(part) for part in parts]
        return digests if all(digests) else None

    def _verify_etag(self, part: Part, response: BufferedResponse, local_md5: str) -> str:
        """Return the MD5 of the part if the storage's ETag is equal; "" if the ETag is not an MD5."""
        etag = get_etag_md5(response)
        if etag and etag != local_md5:
            # Not an error: the ETag may not be an MD5, and the file is verified at the commit.
            log.warning("%s: the storage's ETag of part %d is not its MD5", self._key, part.number + 1)
            return ""
        return etag

    def _refresh_url(self, part: Part, used_url: str, status: int) -> bool:
        """Fetch new URLs if one may have expired; once per part."""
        if status not in (400, 403) or part.number in self._refreshed_parts:
            return False
        with self._lock:
            if self._part_urls.get(part.number + 1) == used_url:
                self._part_urls = self._get_part_urls(self._files_api.read(self._key))
        self._refreshed_parts.add(part.number)
        self._unsent_refreshed_parts.add(part.number)
        return True

    def check_expired_url(self, part: Part) -> RetryDecision:
        """Retry without a delay after the URL of the part was refreshed."""
        if part.number not in self._unsent_refreshed_parts:
            return RetryDecision.NO_DECISION
        self._unsent_refreshed_parts.remove(part.number)
        return RetryDecision.RETRY_IMMEDIATELY

    def _get_part_urls(self, entry: File) -> Mapping[int, str]:
        return {link.part: link.url for link in entry.links.parts}


_OCTET_STREAM_HEADERS = {"Content-Type": "application/octet-stream"}
