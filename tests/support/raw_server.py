"""A server of bare sockets: a handler function decides what every connection gets, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

PATIENCE = 10.0
_NEVER = struct.pack("ii", 1, 0)  # SO_LINGER that turns close into a reset


class Request:
    """One request as it came: ``method``, ``target``, ``headers`` (lower case), ``body``."""

    def __init__(self, line: str, headers: Dict[str, str], body: bytes) -> None:
        self.method, self.target = line.split(" ")[:2]
        self.path = self.target.split("?")[0]
        self.headers = headers
        self.body = body


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, number: int, server: RawServer) -> None:
        self.sock = sock
        self.number = number
        self.server = server
        self.file = sock.makefile("rb")

    def head(self, line: bytes = b"") -> Optional[Tuple[str, Dict[str, str]]]:
        """Return the request line and headers of the next request; None at the end of the connection.

        :param line: the request line, if it has been read.
        """
        line = line or self.file.readline()
        if not line:
            return None
        headers: Dict[str, str] = {}
        while True:
            field = self.file.readline().decode("latin-1").rstrip("\r\n")
            if not field:
                return line.decode("latin-1").strip(), headers
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()

    def request(self) -> Optional[Request]:
        """The next request with its body; None when the client is gone."""
        found = self.head()
        if found is None:
            return None
        line, headers = found
        request = Request(line, headers, self.body(headers))
        self.server.requests.append(request)
        return request

    def body(self, headers: Mapping[str, str]) -> bytes:
        """Read the body of a request with these headers."""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunked()
        return self.file.read(int(headers.get("content-length", 0)))

    def _chunked(self) -> bytes:
        parts = []
        while True:
            size = int(self.file.readline(), 16)
            parts.append(self.file.read(size))
            self.file.readline()
            if not size:
                return b"".join(parts)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, status: Union[int, str] = 200, body: bytes = b"", *headers: str, length: Optional[int] = -1
    ) -> None:
        """A whole answer; ``length`` None leaves Content-Length out, another number lies."""
        lines = [f"HTTP/1.1 {status} X", *headers]
        if length is not None:
            lines.append(f"Content-Length: {len(body) if length < 0 else length}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NEVER)
        self.close()

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def hang(self) -> None:
        """Do nothing until the client goes away or the test ends."""
        self.sock.settimeout(0.05)
        while not self.server.ended.is_set():
            try:
                if not self.sock.recv(65536):
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        self.server.hung_up.set()


Handler = Callable[[Peer], Any]


class RawServer:
    """Runs ``handler(peer)`` for every connection, in threads of its own.

    What a handler raises, other than a connection that the client broke, fails the test at the end.
    """

    def __init__(self, handler: Handler, tls: Optional[ssl.SSLContext] = None, backlog: int = 16) -> None:
        self.handler = handler
        self.tls = tls
        self.requests: List[Request] = []
        self.connections = 0
        self.ended = threading.Event()
        self.hung_up = threading.Event()
        self.crashes: List[BaseException] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(backlog)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="rawserver")]
        self._peers: List[Peer] = []

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        self._threads[0].start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a handler hangs"
        if error[0] is None and self.crashes:
            raise AssertionError("a handler failed") from self.crashes[0]

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self.connections), name="rawserver")
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(PATIENCE)
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock, number, self)
        except OSError:
            sock.close()
            return
        self._peers.append(peer)
        try:
            self.handler(peer)
        except OSError:
            pass  # the client broke the connection
        except BaseException as error:  # noqa: BLE001 - reported when the server ends
            self.crashes.append(error)
        finally:
            peer.close()


def answering(reply: Callable[[Request, Peer], Any]) -> Handler:
    """A handler that answers every request of a connection with ``reply(request, peer)``."""

    def handler(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request is None:
                return
            reply(request, peer)
            if peer.file.closed:
                return

    return handler


def scripted(*replies: Callable[[Request, Peer], Any]) -> Handler:
    """A handler that takes the replies one after the other, whatever the connection; the last one stays."""
    lock = threading.Lock()
    waiting = list(replies)

    def reply(request: Request, peer: Peer) -> None:
        with lock:
            now = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        now(request, peer)

    return answering(reply)


def status(code: int, body: bytes = b"", *headers: str) -> Callable[[Request, Peer], None]:
    """A reply with that status."""
    return lambda request, peer: peer.answer(code, body, *headers)


def reset(request: Request, peer: Peer) -> None:
    """A reply that resets the connection."""
    peer.reset()


def ranged(data: bytes) -> Callable[[Request, Peer], None]:
    """A reply that serves ``data``, ranges included."""

    def reply(request: Request, peer: Peer) -> None:
        asked = request.headers.get("range")
        if asked is None:
            peer.answer(200, data)
            return
        first, _, last = asked[len("bytes=") :].partition("-")
        start, stop = int(first), int(last) + 1 if last else len(data)
        peer.answer(206, data[start:stop], f"Content-Range: bytes {start}-{stop - 1}/{len(data)}")

    return reply


def unfinished(data: bytes, count: int) -> Callable[[Request, Peer], None]:
    """A reply that promises ``data``, or the range asked for, and ends the connection after ``count`` bytes."""

    def reply(request: Request, peer: Peer) -> None:
        asked = request.headers.get("range")
        first, last = (asked or f"bytes=0-{len(data) - 1}")[len("bytes=") :].split("-")
        piece = data[int(first) : int(last) + 1]
        fields = [f"Content-Range: bytes {first}-{last}/{len(data)}"] if asked else []
        peer.answer(206 if asked else 200, piece[:count], *fields, length=len(piece))
        peer.close()

    return reply


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """Reserve a port on which no server listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
