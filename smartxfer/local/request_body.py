"""The body of a request, read as a stream."""

import re
import socket
from typing import BinaryIO, Optional

from smartxfer.local.request_faults import RequestFaults

#: Largest rest of a body in bytes that is read and discarded to keep the connection open.
DRAIN_LIMIT = 256 << 20
#: The line before a chunk: its length in hexadecimal digits. Python's int() also accepts other forms.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n\Z")


class ClientGone(ConnectionError):
    """The client closed the connection within a request, or sent an invalid body."""


class BodyTooLong(Exception):
    """A body is larger than the service accepts."""


# Not a stream of werkzeug: faults stop, change and slow down the body at single bytes.
class RequestBody:
    """The body of one request.

    :param rfile: buffered reader of the connection.
    :param connection: the socket, for ``100 Continue``.
    :param length: value of ``Content-Length``; ignored when ``chunked``.
    :param chunked: whether the body comes in HTTP chunks.
    :param expects_continue: whether the client waits for ``100 Continue``.
    :param faults: planned faults of this request.
    """

    __slots__ = (
        "_chunk_left", "_chunked", "_connection", "_expects_continue", "_faults", "_remaining", "_rfile",
        "_unreadable", "length", "received",
    )  # fmt: skip

    def __init__(
        self,
        rfile: BinaryIO,
        connection: socket.socket,
        length: int = 0,
        *,
        chunked: bool = False,
        expects_continue: bool = False,
        faults: Optional[RequestFaults] = None,
    ) -> None:
        self._rfile = rfile
        self._connection = connection
        self._chunked = chunked
        self._chunk_left = 0
        self._unreadable = False
        self._remaining = length
        self._expects_continue = expects_continue
        self._faults = faults
        #: Bytes announced; None if the body is sent in HTTP chunks.
        self.length: Optional[int] = None if chunked else length
        #: Bytes read so far.
        self.received = 0

    @property
    def finished(self) -> bool:
        """True once the body is read to its end."""
        return self._remaining == 0 and not self._chunked

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``.

        :param view: the buffer.
        :return: number of bytes read, 0 at the end of the body.
        :raises ClientGone: the client closed before the announced end.
        """
        if self._unreadable:
            raise ClientGone("the body cannot be read")
        if self._expects_continue:
            self._expects_continue = False
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._chunked and not self._chunk_left:
            self._next_chunk()
        requested = self._chunk_left if self._chunked else self._remaining
        if not requested:
            return 0
        view = view[: min(len(view), requested)]
        if self._faults is not None:
            view = view[: self._faults.before_receiving(self.received, len(view))]
        # At most one read of the socket, so that the bytes of a slow client are counted as they arrive.
        count: int = self._rfile.readinto1(view)  # type: ignore[attr-defined]
        if not count:
            # The body is over, so that a caller that handles this error can still respond.
            self._remaining, self._chunk_left, self._chunked = 0, 0, False
            raise ClientGone("the body ended before its announced length")
        if self._faults is not None:
            self._faults.after_receiving(self.received, view[:count])
        self.received += count
        if self._chunked:
            self._chunk_left -= count
            if not self._chunk_left and self._rfile.readline(3) not in (b"\r\n", b"\n"):
                raise self._mark_unreadable("a chunk is longer than announced")
        else:
            self._remaining -= count
        if self._faults is not None and self.finished:
            self._faults.after_body(self.received)
        return count

    def _next_chunk(self) -> None:
        line = self._rfile.readline(1024)
        match = _CHUNK.match(line)
        if match is None:
            raise self._mark_unreadable("bad chunk header")
        self._chunk_left = int(match[1], 16)
        if not self._chunk_left:
            # Trailers, then the empty line.
            while self._rfile.readline(65536).strip():
                pass
            self._chunked = False
            self._remaining = 0

    def _mark_unreadable(self, reason: str) -> ClientGone:
        """Record that the end of the body is unknown, so that the rest is not parsed as a request."""
        self._unreadable = True
        return ClientGone(reason)

    def read(self, limit: int) -> bytes:
        """Read and return the whole body.

        :param limit: most bytes to hold.
        :raises BodyTooLong: the body is longer than ``limit``.
        :raises ClientGone: the client closed before the announced end.
        """
        if self.length is not None and self.length > limit:
            raise BodyTooLong(str(self.length))
        stored = bytearray()
        piece = memoryview(bytearray(min(self.length if self.length is not None else 65536, 65536)))
        while True:
            count = self.readinto(piece) if piece else 0
            if not count:
                return bytes(stored)
            stored += piece[:count]
            if len(stored) > limit:
                raise BodyTooLong(str(len(stored)))

    def drain(self) -> bool:
        """Discard the rest of the body, so that the connection can serve the next request.

        :return: False if the rest is too long or unreadable, or the client still waits for
            ``100 Continue``; the connection must be closed then.
        """
        if self.finished:
            return True
        if self._unreadable or self._expects_continue or self._remaining > DRAIN_LIMIT:
            return False
        away = memoryview(bytearray(65536))
        start = self.received
        while self.readinto(away):
            if self.received - start > DRAIN_LIMIT:
                return False
        return True
