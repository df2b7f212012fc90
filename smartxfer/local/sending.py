"""Answers on their way out: by ``sendfile`` normally, bent where faults are planned."""

import os
import select
import socket
import threading
import time
from typing import Iterable, Iterator, Optional

from smartxfer.local.fault_plan import Plan, Reset, Shot
from smartxfer.local.http_messages import FileSlice, Part, Response

_PIECE = 256 << 10
#: Flag that lets head and body share a packet; 0 where the system has none.
_MORE = getattr(socket, "MSG_MORE", 0)


class Sender:
    """Sends the answers of one connection.

    :param connection: the socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        #: Bytes of bodies sent.
        self.sent = 0

    def send(self, head: bytes, answer: Response, *, bodiless: bool) -> bool:
        """Send an answer as it is.

        :param head: status line and headers, empty line included.
        :param bodiless: send no body, as for HEAD.
        :return: whether the body was exactly as long as promised, so that the connection can go on.
        """
        promised = answer.content_length()
        if bodiless:
            self._socket.sendall(head)
            return True
        if isinstance(answer.parts, tuple) and len(answer.parts) == 1:
            part = answer.parts[0]
            if isinstance(part, bytes):
                self._socket.sendall(head + part)
                self.sent += len(part)
                return len(part) == promised
        self._socket.sendall(head, _MORE if promised else 0)
        gone = 0
        for part in answer.parts:
            if isinstance(part, bytes):
                self._socket.sendall(part)
                count = wanted = len(part)
            else:
                count, wanted = self._send_span(part), part.count
            gone += count
            self.sent += count
            if count < wanted:
                break
        return gone == promised

    def _send_span(self, span: FileSlice) -> int:
        if not hasattr(os, "sendfile"):
            gone = 0
            for piece in span.pieces(_PIECE):
                self._socket.sendall(piece)
                gone += len(piece)
            return gone
        descriptor = os.open(span.path, os.O_RDONLY)
        try:
            out, at, end = self._socket.fileno(), span.start, span.start + span.count
            while at < end:
                count = os.sendfile(out, descriptor, at, min(end - at, 1 << 30))
                if not count:
                    break
                at += count
            return at - span.start
        finally:
            os.close(descriptor)

    def send_bent(self, head: bytes, answer: Response, plan: Plan, stop: threading.Event) -> bool:
        """Send an answer with the faults of a plan.

        :param head: status line and headers, as :meth:`send` takes it; ``Content-Length`` already
            bent.
        :param stop: set when the server stops, ends a drip.
        :return: whether the connection can go on.
        :raises Reset: the connection is to be reset now.
        """
        promised = answer.content_length()
        bare = plan.find("no-length")
        cut = plan.find("truncate") or (bare if bare and bare.effect.amount >= 0 else None)
        hard = plan.find("reset-after-sent")
        end = _first_end(promised, cut, hard)
        chunked = bare is not None and bare.effect.detail == "chunked"
        self._socket.sendall(head)
        gone = 0
        for piece in _bent(_pieces(answer.parts, 16 << 10), plan, end, stop):
            self._socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            gone += len(piece)
            self.sent += len(piece)
        if bare is not None:
            bare.fire()
        if hard is not None and hard.effect.amount <= gone < promised:
            _flush(self._socket)
            hard.fire()
            raise Reset
        if cut is not None and cut.effect.amount <= gone < promised:
            cut.fire()
            return False
        if chunked:
            self._socket.sendall(b"0\r\n\r\n")
            return True
        return gone == promised and bare is None


def _first_end(promised: int, *shots: Optional[Shot]) -> int:
    ends = [shot.effect.amount for shot in shots if shot is not None]
    return min([promised, *ends])


def _bent(pieces: Iterable[bytes], plan: Plan, end: int, stop: threading.Event) -> Iterator[bytes]:
    """Pieces up to offset ``end``, bits flipped, in the pace that the plan wants."""
    at = 0
    drip = plan.find("drip")
    for piece in pieces:
        piece = piece[: end - at]
        if not piece:
            return
        for shot in plan.all("flip"):
            spot = shot.effect.amount - at
            if 0 <= spot < len(piece):
                piece = piece[:spot] + bytes((piece[spot] ^ 1,)) + piece[spot + 1 :]
                shot.fire()
        at += len(piece)
        plan.pace(len(piece))
        if drip is None:
            yield piece
            continue
        for start in range(0, len(piece), drip.effect.amount):
            drip.fire()
            yield piece[start : start + drip.effect.amount]
            deadline = time.monotonic() + drip.effect.seconds
            while time.monotonic() < deadline and not drip.cleared.is_set():
                if stop.wait(min(0.1, max(0.0, deadline - time.monotonic()))):
                    return


def _pieces(parts: Iterable[Part], size: int) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            for start in range(0, len(part), size):
                yield part[start : start + size]
            continue
        gone = 0
        for piece in part.pieces(size):
            gone += len(piece)
            yield piece
        if gone < part.count:
            return


def _flush(connection: socket.socket) -> None:
    """Wait until the peer has what was sent: a reset throws away what is still on its way."""
    try:
        import fcntl
        import termios

        request = termios.TIOCOUTQ
    except (ImportError, AttributeError):
        return
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        waiting = fcntl.ioctl(connection.fileno(), request, b"\0\0\0\0")
        if not int.from_bytes(waiting, "little"):
            return
        select.select([], [], [], 0.002)
