"""A file that an answer holds, read as it arrives."""

import io
import re
from typing import Any, Callable, Iterator, Mapping, Optional

import requests

from smartxfer.transport.archive_check import ArchiveCheck

__all__ = ["StreamedResponse"]

ErrorTranslator = Callable[..., Any]


class StreamedResponse(io.RawIOBase):
    """A body that is read as it arrives; close it, or use it in a ``with`` block.

    :param translate_errors: does one step on the wire, with its failures made ours.
    :param archive_check: of an archive, whose end is checked when all bytes have been read.
    """

    _data: Optional[bytes] = None
    _response: Any = None  # Python closes the object also where Ctrl-C came within its constructor

    def __init__(
        self,
        translate_errors: ErrorTranslator,
        description: str,
        response: requests.Response,
        archive_check: Optional[ArchiveCheck] = None,
    ) -> None:
        super().__init__()
        self._response = response
        self.status, self.reason = response.status_code, response.reason
        self.headers = response.headers
        #: Bytes that the server promises, or None.
        self.length = _get_content_length(response)
        self._translate_errors, self._description = translate_errors, description
        self._archive_check = archive_check

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
        data = self._translate_errors(self._description, self._response.raw.read1, len(buffer), False)
        buffer[: len(data)] = data
        if self._archive_check is not None and len(buffer):
            if data:
                self._translate_errors(self._description, self._archive_check.feed, data)
            else:
                self._translate_errors(self._description, self._archive_check.verify)
        return len(data)

    # -- names that urllib3's and requests' answers have ------------------------------------------------

    @property
    def data(self) -> bytes:
        """All that was not read before the first look, in memory."""
        if self._data is None:
            self._data = self.read()
        return self._data

    def stream(self, amt: int = 65536, decode_content: Optional[bool] = None) -> Iterator[bytes]:
        """Yield blocks of ``amt`` bytes, the last one shorter; then let the connection go.

        :param decode_content: is always done, whatever is said here.
        """
        with self, io.BufferedReader(self, max(amt, 1)) as blocks:
            yield from iter(lambda: blocks.read(max(amt, 1)), b"")

    def iter_content(self, chunk_size: int = 65536) -> Iterator[bytes]:
        """Yield blocks of ``chunk_size`` bytes; another name of :meth:`stream`."""
        return self.stream(chunk_size)

    def getheader(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """Return a header, whatever the case of its name."""
        return self.headers.get(name, default)

    def getheaders(self) -> Mapping[str, str]:
        """Return all headers."""
        return self.headers

    def release_conn(self) -> None:
        """Let the connection go; another name of :meth:`close`."""
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        if not self.closed and self._response is not None:
            self._response.close()
        super().close()


def _get_content_length(response: requests.Response) -> Optional[int]:
    declared = response.headers.get("Content-Length", "")
    return int(declared) if re.fullmatch(r"[0-9]{1,19}", declared) else None
