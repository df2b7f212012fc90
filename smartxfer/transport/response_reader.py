"""Reading an answer from its socket within the limits of the current attempt, up to the final one.

Whatever http.client reads of an answer passes here: status line, header fields, interim answers, the body,
the sizes and extensions of its chunks, and its trailers.

The http.client of Python 3.8 to 3.13 skips ``100 Continue`` only: it takes a ``102`` for the final answer,
and what follows for the answer to the next request.  It also takes a ``Content-Length`` that it cannot read
for none at all, and the first of several for the right one.
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

#: Bytes of one line, as http.client has it.
MAX_LINE_BYTES = 65536
#: Bytes of all status lines and header fields of an answer, of its chunk extensions and its trailers.
_MAX_FRAMING_BYTES = 256 * 1024
#: Lines of trailers.
_MAX_TRAILER_LINES = 200
#: Bytes of a chunk-size line that are no extension: 16 digits, blanks, CR LF.
_CHUNK_LINE_BYTES = 20


class InvalidFraming(http.client.HTTPException):
    """The length of an answer's body is ambiguous, or what surrounds the body is too large."""


class _AbortableSocketFile(io.RawIOBase):
    """The bytes of a socket, each step no longer than the attempt allows.

    :param inner: the socket's own file, which is closed with this one.
    """

    _inner: Any = None  # Python closes the object also where Ctrl-C came within its constructor

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
            found: Optional[int] = self._inner.readinto(view)
            return found
        count = (
            self._sock.recv_into(view)
            if self.stall_detector is None
            else self._receive_with_stall_check(self.stall_detector, view)
        )
        if self._attempt.abort_error is not None:  # a socket that was shut looks like the end of the body
            raise self._attempt.abort_error
        return int(count)

    def _receive_with_stall_check(self, stall_detector: StallDetector, view: Any) -> int:
        timeout = self._sock.gettimeout()
        patience = stall_detector.next_timeout(timeout)
        shortened = patience != timeout
        if shortened:
            self._sock.settimeout(patience)
        began = self._clock.monotonic()
        try:
            count: int = self._sock.recv_into(view)
        except socket.timeout:
            if shortened:
                raise stall_detector.build_timeout_error(self._clock.monotonic() - began) from None
            raise
        finally:
            if shortened:
                self._sock.settimeout(timeout)
        stall_detector.record_bytes(count, self._clock.monotonic() - began)
        return count


class ResponseReader(io.BufferedReader):
    """The buffered file that http.client reads an answer from.

    :param inner: the socket's own file, which is closed with this one.
    """

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        self._socket = _AbortableSocketFile(inner, sock)
        super().__init__(self._socket)
        self._in_body = False
        self._framing_bytes = self._line_count = 0

    def expect_next(self, *, body: bool = False) -> None:
        """Expect the next message, or the body: until its first byte comes, the server may be at work."""
        self._in_body = body
        self._line_count = 0
        if self._socket.stall_detector is not None:
            self._socket.stall_detector.restart()

    def readline(self, size: Optional[int] = -1) -> bytes:
        """Read a line of what surrounds the body.

        :raises http.client.LineTooLong: it is longer than any line may be.
        :raises http.client.RemoteDisconnected: the connection ended within the headers, which http.client
            would take for their end.
        :raises InvalidFraming: these lines are too many, or too long together.
        """
        line = super().readline(MAX_LINE_BYTES + 1 if size is None or size < 0 else size)
        if len(line) > MAX_LINE_BYTES:
            raise http.client.LineTooLong("line")
        if self._line_count and not self._in_body and not line.endswith(b"\n"):
            raise http.client.RemoteDisconnected("the connection ended within the headers of the answer")
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
        """Read bytes of the body that are there, or that come next."""
        self._line_count = 0
        return super().read1(size)

    def readinto(self, buffer: Any) -> int:
        """Read bytes of the body into a buffer."""
        self._line_count = 0
        return super().readinto(buffer)


#: Most interim answers before the final one.  A server at long work sends one every some seconds.
MAX_INTERIM_RESPONSES = 100
_MAX_HEADER_FIELDS = 100
#: Bodies are shorter than this.
_BODY_SIZE_LIMIT = 1 << 63
_CONTENT_LENGTH = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
#: A chunk size, perhaps with zeros in front; int() would also take a sign, a prefix and underscores.
_CHUNK_SIZE = re.compile(rb"(0*[0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n\Z")


class FinalHTTPResponse(http.client.HTTPResponse):
    """A response that begins with its final status line (1xx but 101 is read and dropped), within limits."""

    fp: Any = None  # Python closes the object also where Ctrl-C came within its constructor

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        file, self.fp = self.fp, None  # one owner at a time, whichever line Ctrl-C comes in
        self.fp = ResponseReader(file.detach(), sock)

    def begin(self) -> None:
        """Read the head of the final answer.

        :raises InvalidFraming: the headers give no length, or several.
        """
        found: Any = self.headers
        if found is not None:
            return
        super().begin()
        self._validate_body_length()
        reader: Any = self.fp
        if reader is not None:
            reader.expect_next(body=True)

    def _validate_body_length(self) -> None:
        """Determine the length of the body by RFC 9112, section 6.3."""
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
        if len(lengths) > 1:  # the same value again, which http.client and urllib3 read differently
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = text
            if self.length is None:
                self.length = int(text)
                self.will_close = self._check_close()  # type: ignore[attr-defined]

    def _read_status(self) -> Tuple[str, int, str]:
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            found: Tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == 101:
                return found
            self._skip_header_fields()
            reader: Any = self.fp
            reader.expect_next()
        raise UnexpectedResponse(
            f"the server sent more than {MAX_INTERIM_RESPONSES} interim answers and no final one",
            status=found[1],
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
        found = _CHUNK_SIZE.match(self.fp.readline(MAX_LINE_BYTES + 1))
        if found is None:
            self.close()
            raise ValueError("invalid chunk size")  # to http.client the body breaks off here
        return int(found[1], 16)


def _get_header_values(headers: Any, name: str) -> List[str]:
    """Return the values of a header: of each field with that name, and of each list in a field."""
    return [one.strip(" \t") for field in headers.get_all(name, []) for one in field.split(",")]
