"""What lies behind the storage: a service's own bytes, found and taken in by bucket and key.

Source: Perseus protocol, section A.6; NRP protocol, sections 5 and 6.
"""

from typing import Dict, Iterator, Optional, Protocol, Tuple

import attrs

from smartxfer.local.body import Body
from smartxfer.local.http_messages import FileSlice


@attrs.frozen
class Stored:
    """An object.

    :param spans: where its bytes lie, in order.
    :param size: how many there are.
    :param etag: its tag, without quotes.
    :param mime: its media type.
    :param modified: when it came, seconds since 1970.
    """

    spans: Tuple[FileSlice, ...]
    size: int
    etag: str
    mime: str = "binary/octet-stream"
    modified: float = 0.0

    def cut(self, start: int, count: int) -> Iterator[FileSlice]:
        """The stretches that hold ``count`` bytes from ``start`` on."""
        for span in self.spans:
            if start < span.count and count:
                taken = min(count, span.count - start)
                yield FileSlice(span.path, span.start + start, taken)
                count -= taken
            start = max(0, start - span.count)


class Shelf(Protocol):
    """What a service puts behind its storage. Its calls come from many threads at once."""

    def find(self, bucket: str, key: str) -> Optional[Stored]:
        """An object, or None.

        :raises Problem: there is no such bucket.
        """

    def receive(self, bucket: str, key: str, query: Dict[str, str], body: Body) -> str:
        """Take in the bytes of an object, or of a part where ``query`` has ``partNumber`` and ``uploadId``.

        The bytes count once this returns; where it raises, what was there before stays. A body whose bytes
        turn out not to be the announced ones raises a Problem before its end is told.

        :return: the MD5 of the bytes, hex.
        :raises Problem: there is no place for them (``NoSuchBucket``, ``NoSuchUpload``), or the body
            raised it.
        """
