"""File-like object for a response body that is read as it arrives."""

import io
import re
from typing import Any, Callable, Iterator, Mapping, Optional

import requests

from smartxfer.transport.archive_check import ArchiveCheck

__all__ = ["StreamedResponse"]

ErrorTranslator = Callable[..., Any]


class StreamedResponse(io.RawIOBase):
    """A response body that is read as it arrives; close it, or use it in a ``with`` block.

    :param translate_errors: calls a function and translates its network errors.
    :param archive_check: check of an archive, which is verified when all bytes have been read.
    """

    _data: Optional[bytes] = None
    _response: Any = None  # a default, because Python calls close() even if Ctrl-C interrupted __init__()

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
        #: ``Content-Length``, or None.
        self.length = _get_content_length(response)
        self._translate_errors, self._description = translate_errors, description
        self._archive_check = archive_check

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read available bytes into ``buffer``, and return their number.

        :raises Truncated: the body or the archive is truncated.
        :raises IntegrityError: the archive is damaged.
        """
        if self.closed:
            raise ValueError("the response is closed")
        data = self._translate_errors(self._description, self._response.raw.read1, len(buffer), False)
        buffer[: len(data)] = data
        if self._archive_check is not None and len(buffer):
            if data:
                self._translate_errors(self._description, self._archive_check.feed, data)
            else:
                self._translate_errors(self._description, self._archive_check.verify)
        return len(data)

    # -- names of the responses of urllib3 and requests -------------------------------------------------

    @property
    def data(self) -> bytes:
        """The rest of the body, read on first use and kept in memory."""
        if self._data is None:
            self._data = self.read()
        return self._data

    def stream(self, amt: int = 65536, decode_content: Optional[bool] = None) -> Iterator[bytes]:
        """Yield blocks of ``amt`` bytes, of which the last may be shorter; then release the connection.

        :param decode_content: ignored; the content is always decoded.
        """
        with self, io.BufferedReader(self, max(amt, 1)) as blocks:
            yield from iter(lambda: blocks.read(max(amt, 1)), b"")

    def iter_content(self, chunk_size: int = 65536) -> Iterator[bytes]:
        """Yield blocks of ``chunk_size`` bytes; another name of :meth:`stream`."""
        return self.stream(chunk_size)

    def getheader(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """Return a header; the case of its name is ignored."""
        return self.headers.get(name, default)

    def getheaders(self) -> Mapping[str, str]:
        """Return all headers."""
        return self.headers

    def release_conn(self) -> None:
        """Release the connection; another name of :meth:`close`."""
        self.close()

    def close(self) -> None:
        """Release the connection."""
        if not self.closed and self._response is not None:
            self._response.close()
        super().close()


def _get_content_length(response: requests.Response) -> Optional[int]:
    declared = response.headers.get("Content-Length", "")
    return int(declared) if re.fullmatch(r"[0-9]{1,19}", declared) else None
