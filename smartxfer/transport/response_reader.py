"""Reader of HTTP responses, within the limits of the current attempt; it skips interim responses.

http.client reads all parts of a response via this reader: status line, header fields, interim responses, the
body, the sizes and extensions of its chunks, and its trailers.

The http.client of Python 3.8 to 3.13 skips only ``100 Continue``: it treats a ``102`` as the final response,
and the final response as that of the next request.  It also ignores an invalid ``Content-Length``, and uses
the first of several ones.
"""

import http.client
import io
import re
import socket
from typing import Any, List, Optional, Tuple

from smartxfer._system import SYSTEM_CLOCK
from smartxfer.errors import UnexpectedResponse
from smartxfer.transport import attempt
from smartxfer.transport.time_limits import StallDetector

__all__ = ["MAX_INTERIM_RESPONSES", "MAX_LINE_BYTES", "FinalHTTPResponse", "InvalidFraming", "ResponseReader"]

#: Maximum bytes of one line, as in http.client.
MAX_LINE_BYTES = 65536
#: Maximum bytes of all status lines, header fields, chunk extensions and trailers of a response.
_MAX_FRAMING_BYTES = 256 * 1024
#: Maximum number of trailer lines.
_MAX_TRAILER_LINES = 200
#: Bytes of a chunk-size line without extension: 16 digits, spaces, CR LF.
_CHUNK_LINE_BYTES = 20


class InvalidFraming(http.client.HTTPException):
    """The length of a response body is ambiguous, or headers and trailers are too large."""


class _AbortableSocketFile(io.RawIOBase):
    """The bytes of a socket; each read is limited by the current attempt.

    :param inner: the socket's own file, which is closed with this one.
    """

    _inner: Any = None  # a default, because Python calls close() even if Ctrl-C interrupted __init__()

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        super().__init__()
        self._inner = inner
        self._sock = sock
        self._attempt = attempt.current_attempt()
        limits = None if self._attempt is None else self._attempt.time_limits
        self.stall_detector: Optional[StallDetector] = None
        self._clock = SYSTEM_CLOCK
        if limits is not None:
            limits.resume(request_sent=True)
            self.stall_detector, self._clock = StallDetector(limits, awaiting_first_byte=True), limits.clock

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._inner.fileno())

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
        super().close()

    def readinto(self, view: Any) -> Optional[int]:
        if self._attempt is None:
            read_count: Optional[int] = self._inner.readinto(view)
            return read_count
        count = (
            self._sock.recv_into(view)
            if self.stall_detector is None
            else self._receive_with_stall_check(self.stall_detector, view)
        )
        if self._attempt.abort_error is not None:  # a socket that was shut down looks like the end
            raise self._attempt.abort_error
        return int(count)

    def _receive_with_stall_check(self, stall_detector: StallDetector, view: Any) -> int:
        timeout = self._sock.gettimeout()
        read_timeout = stall_detector.next_timeout(timeout)
        shortened = read_timeout != timeout
        if shortened:
            self._sock.settimeout(read_timeout)
        started_at = self._clock.monotonic()
        try:
            count: int = self._sock.recv_into(view)
        except socket.timeout:
            if shortened:
                raise stall_detector.build_timeout_error(self._clock.monotonic() - started_at) from None
            raise
        finally:
            if shortened:
                self._sock.settimeout(timeout)
        stall_detector.record_bytes(count, self._clock.monotonic() - started_at)
        return count


class ResponseReader(io.BufferedReader):
    """The buffered file from which http.client reads a response.

    :param inner: the socket's own file, which is closed with this one.
    """

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        self._socket = _AbortableSocketFile(inner, sock)
        super().__init__(self._socket)
        self._in_body = False
        self._framing_bytes = self._line_count = 0

    def expect_next(self, *, body: bool = False) -> None:
        """Prepare for the next message or the body; the stall rule applies from its first byte."""
        self._in_body = body
        self._line_count = 0
        if self._socket.stall_detector is not None:
            self._socket.stall_detector.restart()

    def readline(self, size: Optional[int] = -1) -> bytes:
        """Read a line of the headers, chunk sizes or trailers.

        :raises http.client.LineTooLong: the line is too long.
        :raises http.client.RemoteDisconnected: the connection ended within the headers, which http.client
            would treat as their end.
        :raises InvalidFraming: there are too many lines, or their total size is too large.
        """
        line = super().readline(MAX_LINE_BYTES + 1 if size is None or size < 0 else size)
        if len(line) > MAX_LINE_BYTES:
            raise http.client.LineTooLong("line")
        if self._line_count and not self._in_body and not line.endswith(b"\n"):
            raise http.client.RemoteDisconnected("the connection ended within the headers of the response")
        self._line_count += 1
        self._framing_bytes += max(0, len(line) - _CHUNK_LINE_BYTES) if self._in_body else len(line)
        if self._framing_bytes > _MAX_FRAMING_BYTES:
            raise InvalidFraming(
                f"headers, chunk extensions and trailers of more than {_MAX_FRAMING_BYTES} bytes"
            )
        if self._in_body and self._line_count > _MAX_TRAILER_LINES:
            raise InvalidFraming(f"more than {_MAX_TRAILER_LINES} trailers")
        return line

    def read(self, size: Optional[int] = -1) -> bytes:
        """Read bytes of the body."""
        self._line_count = 0
        return super().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Read available bytes of the body, or wait for the next ones."""
        self._line_count = 0
        return super().read1(size)

    def readinto(self, buffer: Any) -> int:
        """Read bytes of the body into a buffer."""
        self._line_count = 0
        return super().readinto(buffer)


#: Maximum number of interim responses.  A server with a long operation sends one every few seconds.
MAX_INTERIM_RESPONSES = 100
_MAX_HEADER_FIELDS = 100
#: Limit of a Content-Length.
_BODY_SIZE_LIMIT = 1 << 63
_CONTENT_LENGTH = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
#: A chunk size with optional leading zeros; int() would also accept a sign, a prefix and underscores.
_CHUNK_SIZE = re.compile(rb"(0*[0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n\Z")


class FinalHTTPResponse(http.client.HTTPResponse):
    """A response that skips interim status lines (1xx except 101), and limits the size of its headers."""

    fp: Any = None  # a default, because Python calls close() even if Ctrl-C interrupted __init__()

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        file, self.fp = self.fp, None  # one owner at a time, even if Ctrl-C interrupts here
        self.fp = ResponseReader(file.detach(), sock)

    def begin(self) -> None:
        """Read status line and headers of the final response.

        :raises InvalidFraming: the length of the body is invalid or ambiguous.
        """
        headers: Any = self.headers
        if headers is not None:
            return
        super().begin()
        self._validate_body_length()
        reader: Any = self.fp
        if reader is not None:
            reader.expect_next(body=True)

    def _validate_body_length(self) -> None:
        """Check the length of the body as in RFC 9112, section 6.3."""
        lengths = _get_header_values(self.headers, "Content-Length")
        codings = [coding.lower() for coding in _get_header_values(self.headers, "Transfer-Encoding")]
        if codings and codings != ["chunked"] and codings != ["identity"]:
            raise InvalidFraming(f"unexpected Transfer-Encoding {', '.join(codings)!r}")
        if not lengths:
            return
        if codings == ["chunked"]:
            raise InvalidFraming("both Content-Length and Transfer-Encoding")
        if len(set(lengths)) > 1:
            raise InvalidFraming(f"several values of Content-Length: {', '.join(lengths)}")
        [text] = set(lengths)
        if not _CONTENT_LENGTH.match(text) or int(text) >= _BODY_SIZE_LIMIT:
            raise InvalidFraming(f"invalid Content-Length {text[:40]!r}")
        if len(lengths) > 1:  # http.client and urllib3 interpret a repeated value differently
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = text
            if self.length is None:
                self.length = int(text)
                self.will_close = self._check_close()  # type: ignore[attr-defined]

    def _read_status(self) -> Tuple[str, int, str]:
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            status_line: Tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= status_line[1] < 200 or status_line[1] == 101:
                return status_line
            self._skip_header_fields()
            reader: Any = self.fp
            reader.expect_next()
        raise UnexpectedResponse(
            f"the server sent more than {MAX_INTERIM_RESPONSES} interim responses and no final one",
            status=status_line[1],
        )

    def _skip_header_fields(self) -> None:
        for _ in range(_MAX_HEADER_FIELDS + 1):
            line = self.fp.readline(MAX_LINE_BYTES + 1)
            if len(line) > MAX_LINE_BYTES:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"got more than {_MAX_HEADER_FIELDS} headers")

    def _read_next_chunk_size(self) -> int:
        match = _CHUNK_SIZE.match(self.fp.readline(MAX_LINE_BYTES + 1))
        if match is None:
            self.close()
            raise ValueError("invalid chunk size")  # http.client treats this as a truncated body
        return int(match[1], 16)


def _get_header_values(headers: Any, name: str) -> List[str]:
    """Return the values of a header from all fields with that name, with lists split at commas."""
    return [value.strip(" \t") for field in headers.get_all(name, []) for value in field.split(",")]
