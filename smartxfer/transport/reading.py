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

from smartxfer.errors import UnexpectedAnswer
from smartxfer.seams import SYSTEM_CLOCK
from smartxfer.transport import attempt
from smartxfer.transport.time_limits import Flow

__all__ = ["LONGEST_LINE", "MOST", "FinalResponse", "InvalidFraming", "ResponseReader"]

#: Bytes of one line, as http.client has it.
LONGEST_LINE = 65536
#: Bytes of all status lines and header fields of an answer, of its chunk extensions and its trailers.
_MOST_FRAMING = 256 * 1024
#: Lines of trailers.
_MOST_LINES = 200
#: Bytes of a chunk-size line that are no extension: 16 digits, blanks, CR LF.
_CHUNK_LINE = 20


class InvalidFraming(http.client.HTTPException):
    """The length of an answer's body is ambiguous, or what surrounds the body is too large."""


class _Socket(io.RawIOBase):
    """The bytes of a socket, each step no longer than the attempt allows.

    :param inner: the socket's own file, which is closed with this one.
    """

    _inner: Any = None  # Python closes the object also where Ctrl-C came within its constructor

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        super().__init__()
        self._inner = inner
        self._sock = sock
        self._attempt = attempt.current()
        limits = None if self._attempt is None else self._attempt.time_limits
        self.flow: Optional[Flow] = None
        self._clock = SYSTEM_CLOCK
        if limits is not None:
            limits.resume(sent=True)
            self.flow, self._clock = Flow(limits, fresh=True), limits.clock

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
        count = self._sock.recv_into(view) if self.flow is None else self._within(self.flow, view)
        if self._attempt.verdict is not None:  # a socket that was shut looks like the end of the body
            raise self._attempt.verdict
        return int(count)

    def _within(self, flow: Flow, view: Any) -> int:
        timeout = self._sock.gettimeout()
        patience = flow.patience(timeout)
        shortened = patience != timeout
        if shortened:
            self._sock.settimeout(patience)
        began = self._clock.monotonic()
        try:
            count: int = self._sock.recv_into(view)
        except socket.timeout:
            if shortened:
                raise flow.timed_out(self._clock.monotonic() - began) from None
            raise
        finally:
            if shortened:
                self._sock.settimeout(timeout)
        flow.moved(count, self._clock.monotonic() - began)
        return count


class ResponseReader(io.BufferedReader):
    """The buffered file that http.client reads an answer from.

    :param inner: the socket's own file, which is closed with this one.
    """

    def __init__(self, inner: io.RawIOBase, sock: Any) -> None:
        self._socket = _Socket(inner, sock)
        super().__init__(self._socket)
        self._in_body = False
        self._framing = self._lines = 0

    def restart(self, *, body: bool = False) -> None:
        """Expect the next message, or the body: until its first byte comes, the server may be at work."""
        self._in_body = body
        self._lines = 0
        if self._socket.flow is not None:
            self._socket.flow.restart()

    def readline(self, size: Optional[int] = -1) -> bytes:
        """Read a line of what surrounds the body.

        :raises http.client.LineTooLong: it is longer than any line may be.
        :raises http.client.RemoteDisconnected: the connection ended within the headers, which http.client
            would take for their end.
        :raises InvalidFraming: these lines are too many, or too long together.
        """
        line = super().readline(LONGEST_LINE + 1 if size is None or size < 0 else size)
        if len(line) > LONGEST_LINE:
            raise http.client.LineTooLong("line")
        if self._lines and not self._in_body and not line.endswith(b"\n"):
            raise http.client.RemoteDisconnected("the connection ended within the headers of the answer")
        self._lines += 1
        self._framing += max(0, len(line) - _CHUNK_LINE) if self._in_body else len(line)
        if self._framing > _MOST_FRAMING:
            raise InvalidFraming(f"headers, chunk extensions and trailers of more than {_MOST_FRAMING} bytes")
        if self._in_body and self._lines > _MOST_LINES:
            raise InvalidFraming(f"more than {_MOST_LINES} trailers")
        return line

    def read(self, size: Optional[int] = -1) -> bytes:
        """Read bytes of the body."""
        self._lines = 0
        return super().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Read bytes of the body that are there, or that come next."""
        self._lines = 0
        return super().read1(size)

    def readinto(self, buffer: Any) -> int:
        """Read bytes of the body into a buffer."""
        self._lines = 0
        return super().readinto(buffer)


#: Most interim answers before the final one.  A server at long work sends one every some seconds.
MOST = 100
_MOST_FIELDS = 100
#: Bodies are shorter than this.
_MOST_BYTES = 1 << 63
_LENGTH = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
#: A chunk size, perhaps with zeros in front; int() would also take a sign, a prefix and underscores.
_CHUNK_SIZE = re.compile(rb"(0*[0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n\Z")


class FinalResponse(http.client.HTTPResponse):
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
        self._check_length()
        reader: Any = self.fp
        if reader is not None:
            reader.restart(body=True)

    def _check_length(self) -> None:
        """Determine the length of the body by RFC 9112, section 6.3."""
        lengths = _members(self.headers, "Content-Length")
        codings = [coding.lower() for coding in _members(self.headers, "Transfer-Encoding")]
        if codings and codings != ["chunked"] and codings != ["identity"]:
            raise InvalidFraming(f"unexpected Transfer-Encoding {', '.join(codings)!r}")
        if not lengths:
            return
        if codings == ["chunked"]:
            raise InvalidFraming("both Content-Length and Transfer-Encoding")
        if len(set(lengths)) > 1:
            raise InvalidFraming(f"several values of Content-Length: {', '.join(lengths)}")
        [text] = set(lengths)
        if not _LENGTH.match(text) or int(text) >= _MOST_BYTES:
            raise InvalidFraming(f"invalid Content-Length {text[:40]!r}")
        if len(lengths) > 1:  # the same value again, which http.client and urllib3 read differently
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = text
            if self.length is None:
                self.length = int(text)
                self.will_close = self._check_close()  # type: ignore[attr-defined]

    def _read_status(self) -> Tuple[str, int, str]:
        for _ in range(MOST + 1):
            found: Tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == 101:
                return found
            self._skip_fields()
            reader: Any = self.fp
            reader.restart()
        raise UnexpectedAnswer(
            f"the server sent more than {MOST} interim answers and no final one", status=found[1]
        )

    def _skip_fields(self) -> None:
        for _ in range(_MOST_FIELDS + 1):
            line = self.fp.readline(LONGEST_LINE + 1)
            if len(line) > LONGEST_LINE:
                raise http.client.LineTooLong("header line")
            if line in (b"\r\n", b"\n", b""):
                return
        raise http.client.HTTPException(f"got more than {_MOST_FIELDS} headers")

    def _read_next_chunk_size(self) -> int:
        found = _CHUNK_SIZE.match(self.fp.readline(LONGEST_LINE + 1))
        if found is None:
            self.close()
            raise ValueError("invalid chunk size")  # to http.client the body breaks off here
        return int(found[1], 16)


def _members(headers: Any, name: str) -> List[str]:
    """Return the values of a header: of each field with that name, and of each list in a field."""
    return [one.strip(" \t") for field in headers.get_all(name, []) for one in field.split(",")]
