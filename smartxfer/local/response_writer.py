"""Writer of responses: with sendfile(), or with planned faults."""

import os
import select
import socket
import threading
import time
from typing import Iterable, Iterator, Optional

from smartxfer.local.http_messages import FileSlice, Part, Response
from smartxfer.local.request_faults import PlannedFault, RequestFaults, Reset

_PIECE = 256 << 10
#: Flag that sends head and body in one packet; 0 if the system does not have it.
_MORE = getattr(socket, "MSG_MORE", 0)


class ResponseWriter:
    """Sends the responses of one connection.

    :param connection: the socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        #: Bytes of bodies sent.
        self.sent = 0

    def send(self, head: bytes, response: Response, *, head_only: bool) -> bool:
        """Send a response without faults.

        :param head: status line and headers, empty line included.
        :param head_only: send no body, as for HEAD.
        :return: True if the body had the announced length, so that the connection can be kept.
        """
        length = response.content_length()
        if head_only:
            self._socket.sendall(head)
            return True
        if isinstance(response.parts, tuple) and len(response.parts) == 1:
            part = response.parts[0]
            if isinstance(part, bytes):
                self._socket.sendall(head + part)
                self.sent += len(part)
                return len(part) == length
        self._socket.sendall(head, _MORE if length else 0)
        sent = 0
        for part in response.parts:
            if isinstance(part, bytes):
                self._socket.sendall(part)
                count = requested = len(part)
            else:
                count, requested = self._send_slice(part), part.count
            sent += count
            self.sent += count
            if count < requested:
                break
        return sent == length

    def _send_slice(self, file_slice: FileSlice) -> int:
        if not hasattr(os, "sendfile"):
            sent = 0
            for piece in file_slice.pieces(_PIECE):
                self._socket.sendall(piece)
                sent += len(piece)
            return sent
        descriptor = os.open(file_slice.path, os.O_RDONLY)
        try:
            out, position, end = self._socket.fileno(), file_slice.start, file_slice.start + file_slice.count
            while position < end:
                count = os.sendfile(out, descriptor, position, min(end - position, 1 << 30))
                if not count:
                    break
                position += count
            return position - file_slice.start
        finally:
            os.close(descriptor)

    def send_with_faults(
        self, head: bytes, response: Response, faults: RequestFaults, stop: threading.Event
    ) -> bool:
        """Send a response with planned faults.

        :param head: status line and headers, as :meth:`send` takes it; ``Content-Length`` is already
            changed.
        :param stop: set when the server stops, ends a drip.
        :return: True if the connection can be kept.
        :raises Reset: the connection is to be reset now.
        """
        length = response.content_length()
        no_length = faults.find("no-length")
        truncation = faults.find("truncate") or (
            no_length if no_length and no_length.effect.amount >= 0 else None
        )
        reset = faults.find("reset-after-sent")
        end = _first_cut(length, truncation, reset)
        chunked = no_length is not None and no_length.effect.detail == "chunked"
        self._socket.sendall(head)
        sent = 0
        for piece in _apply_faults(_pieces(response.parts, 16 << 10), faults, end, stop):
            self._socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            sent += len(piece)
            self.sent += len(piece)
        if no_length is not None:
            no_length.fire()
        if reset is not None and reset.effect.amount <= sent < length:
            _flush(self._socket)
            reset.fire()
            raise Reset
        if truncation is not None and truncation.effect.amount <= sent < length:
            truncation.fire()
            return False
        if chunked:
            self._socket.sendall(b"0\r\n\r\n")
            return True
        return sent == length and no_length is None


def _first_cut(length: int, *faults: Optional[PlannedFault]) -> int:
    ends = [fault.effect.amount for fault in faults if fault is not None]
    return min([length, *ends])


def _apply_faults(
    pieces: Iterable[bytes], faults: RequestFaults, end: int, stop: threading.Event
) -> Iterator[bytes]:
    """Yield the pieces up to offset ``end``, with flipped bits and at the planned rate."""
    position = 0
    drip = faults.find("drip")
    for piece in pieces:
        piece = piece[: end - position]
        if not piece:
            return
        for fault in faults.find_all("flip"):
            spot = fault.effect.amount - position
            if 0 <= spot < len(piece):
                piece = piece[:spot] + bytes((piece[spot] ^ 1,)) + piece[spot + 1 :]
                fault.fire()
        position += len(piece)
        faults.limit_rate(len(piece))
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
        sent = 0
        for piece in part.pieces(size):
            sent += len(piece)
            yield piece
        if sent < part.count:
            return


def _flush(connection: socket.socket) -> None:
    """Wait until the peer has received everything, because a reset discards unsent bytes."""
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
