"""The body of a request, read piece by piece and never held whole unless a service asks."""

import re
import socket
from typing import BinaryIO, Optional

from smartxfer.local.fault_plan import Plan

#: Bytes of an unwanted body that are read away before the connection is closed instead.
DRAIN_LIMIT = 256 << 20
#: The line before a chunk: its length in hexadecimal digits, nothing that only Python takes for a number.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n\Z")


class ClientGone(ConnectionError):
    """The client went away, or sent something that is not HTTP, in the middle of a request."""


class BodyTooLong(Exception):
    """A body exceeds what the service is ready to hold."""


# By hand: faults stop, flip and pace it byte by byte.
class Body:
    """The body of one request.

    :param rfile: buffered reader of the connection.
    :param connection: the socket, for ``100 Continue``.
    :param length: value of ``Content-Length``; ignored when ``chunked``.
    :param chunked: whether the body comes in HTTP chunks.
    :param expects: whether the client waits for ``100 Continue``.
    :param plan: planned faults of this request.
    """

    __slots__ = (
        "_broken", "_chunk_left", "_chunked", "_connection", "_expects", "_left", "_plan", "_rfile", "length",
        "received",
    )  # fmt: skip

    def __init__(
        self,
        rfile: BinaryIO,
        connection: socket.socket,
        length: int = 0,
        *,
        chunked: bool = False,
        expects: bool = False,
        plan: Optional[Plan] = None,
    ) -> None:
        self._rfile = rfile
        self._connection = connection
        self._chunked = chunked
        self._chunk_left = 0
        self._broken = False
        self._left = length
        self._expects = expects
        self._plan = plan
        #: Bytes announced; None when the body comes in HTTP chunks.
        self.length: Optional[int] = None if chunked else length
        #: Bytes read so far.
        self.received = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left to read."""
        return self._left == 0 and not self._chunked

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``.

        :param view: where to put them; its length bounds the read.
        :return: number of bytes read, 0 at the end of the body.
        :raises ClientGone: the client closed before the announced end.
        """
        if self._broken:
            raise ClientGone("the body cannot be read")
        if self._expects:
            self._expects = False
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._chunked and not self._chunk_left:
            self._next_chunk()
        wanted = self._chunk_left if self._chunked else self._left
        if not wanted:
            return 0
        view = view[: min(len(view), wanted)]
        if self._plan is not None:
            view = view[: self._plan.before_receiving(self.received, len(view))]
        # One read of the socket at most: a slow client's bytes are seen as they come.
        count: int = self._rfile.readinto1(view)  # type: ignore[attr-defined]
        if not count:
            # Nothing more will come: who catches this can still answer.
            self._left, self._chunk_left, self._chunked = 0, 0, False
            raise ClientGone("the body ended before its announced length")
        if self._plan is not None:
            self._plan.received(self.received, view[:count])
        self.received += count
        if self._chunked:
            self._chunk_left -= count
            if not self._chunk_left and self._rfile.readline(3) not in (b"\r\n", b"\n"):
                raise self._unreadable("a chunk is longer than announced")
        else:
            self._left -= count
        if self._plan is not None and self.finished:
            self._plan.end_of_body(self.received)
        return count

    def _next_chunk(self) -> None:
        line = self._rfile.readline(1024)
        found = _CHUNK.match(line)
        if found is None:
            raise self._unreadable("bad chunk header")
        self._chunk_left = int(found[1], 16)
        if not self._chunk_left:
            # Trailers, then the empty line.
            while self._rfile.readline(65536).strip():
                pass
            self._chunked = False
            self._left = 0

    def _unreadable(self, why: str) -> ClientGone:
        """Note that the end of the body cannot be found; what follows is not read as a request."""
        self._broken = True
        return ClientGone(why)

    def read(self, limit: int) -> bytes:
        """The whole body.

        :param limit: most bytes to hold.
        :raises BodyTooLong: the body is longer than ``limit``.
        :raises ClientGone: the client closed before the announced end.
        """
        if self.length is not None and self.length > limit:
            raise BodyTooLong(str(self.length))
        held = bytearray()
        piece = memoryview(bytearray(min(self.length if self.length is not None else 65536, 65536)))
        while True:
            count = self.readinto(piece) if piece else 0
            if not count:
                return bytes(held)
            held += piece[:count]
            if len(held) > limit:
                raise BodyTooLong(str(len(held)))

    def drain(self) -> bool:
        """Read away what is left, so that the connection can serve the next request.

        :return: False where that would take too long, or the client still waits for
            ``100 Continue``; the connection is to be closed then.
        """
        if self.finished:
            return True
        if self._broken or self._expects or self._left > DRAIN_LIMIT:
            return False
        away = memoryview(bytearray(65536))
        start = self.received
        while self.readinto(away):
            if self.received - start > DRAIN_LIMIT:
                return False
        return True
