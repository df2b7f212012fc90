"""Interface of the storage to the stored objects of a service.

Source: Perseus protocol, section A.6; NRP protocol, sections 5 and 6.
"""

from typing import Dict, Iterator, Optional, Protocol, Tuple

import attrs

from smartxfer.local.http_messages import FileSlice
from smartxfer.local.request_body import RequestBody


@attrs.frozen
class StoredObject:
    """An object.

    :param slices: its bytes on disk, in order.
    :param size: number of bytes.
    :param etag: its entity tag, without quotes.
    :param mime: its media type.
    :param modified: time of the upload, seconds since 1970.
    """

    slices: Tuple[FileSlice, ...]
    size: int
    etag: str
    mime: str = "binary/octet-stream"
    modified: float = 0.0

    def byte_range(self, start: int, count: int) -> Iterator[FileSlice]:
        """Return the slices for ``count`` bytes from ``start``."""
        for file_slice in self.slices:
            if start < file_slice.count and count:
                length = min(count, file_slice.count - start)
                yield FileSlice(file_slice.path, file_slice.start + start, length)
                count -= length
            start = max(0, start - file_slice.count)


class ObjectBackend(Protocol):
    """Objects of a service. Methods are called from several threads at the same time."""

    def find(self, bucket: str, key: str) -> Optional[StoredObject]:
        """Return an object, or None.

        :raises S3Error: the bucket does not exist.
        """

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: RequestBody) -> str:
        """Store an object, or a part if ``query`` has ``partNumber`` and ``uploadId``.

        If this raises, a previous object stays unchanged. A body whose bytes are not the announced
        ones raises an S3Error before its end.

        :return: the MD5 of the bytes, hex.
        :raises S3Error: the target does not exist (``NoSuchBucket``, ``NoSuchUpload``), or the body
            raised it.
        """
