"""A file that an answer holds, read as it arrives."""

import io
import re
from typing import Any, Callable, Optional

import requests

from smartxfer.transport.archive import ArchiveCheck

__all__ = ["StreamedAnswer"]

Guarded = Callable[..., Any]


class StreamedAnswer(io.RawIOBase):
    """A body that is read as it arrives; close it, or use it in a ``with`` block.

    :param guarded: does one step on the wire, with its failures made ours.
    :param check: of an archive, whose end is checked when all bytes have been read.
    """

    _response: Any = None  # Python closes the object also where Ctrl-C came within its constructor

    def __init__(
        self, guarded: Guarded, what: str, response: requests.Response, check: Optional[ArchiveCheck] = None
    ) -> None:
        super().__init__()
        self._response = response
        self.status = response.status_code
        self.headers = response.headers
        #: Bytes that the server promises, or None.
        self.length = _length(response)
        self._guarded, self._what = guarded, what
        self._check = check

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes, as soon as there are any.

        :raises Truncated: the body ended early, or an archive did.
        :raises IntegrityError: an archive is damaged.
        """
        if self.closed:
            raise ValueError("the answer is closed")
        data = self._guarded(self._what, self._response.raw.read1, len(buffer), False)
        buffer[: len(data)] = data
        if self._check is not None and len(buffer):
            if data:
                self._guarded(self._what, self._check.feed, data)
            else:
                self._guarded(self._what, self._check.finish)
        return len(data)

    def close(self) -> None:
        """Let the connection go."""
        if not self.closed and self._response is not None:
            self._response.close()
        super().close()


def _length(response: requests.Response) -> Optional[int]:
    declared = response.headers.get("Content-Length", "")
    return int(declared) if re.fullmatch(r"[0-9]{1,19}", declared) else None
