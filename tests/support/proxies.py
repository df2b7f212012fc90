"""Things that stand between a client and the local server: a TLS front and proxies."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any, List, Optional
from urllib.parse import urlsplit

from tests.support.raw_server import Peer, RawServer


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended."""
    back = threading.Thread(target=_pump, args=(other, one), name="relay")
    back.start()
    _pump(one, other)
    back.join()


class TLSFront(RawServer):
    """Speaks TLS to the client and plain HTTP to the server behind it."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        super().__init__(self._relay, tls)
        self._behind = port

    def _relay(self, peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", self._behind), 10) as behind:
            _join(peer.sock, behind)


class Proxy(RawServer):
    """A forward proxy: absolute addresses and CONNECT.

    :param refuse: status line to answer everything with; ``""`` closes without an answer.
    """

    def __init__(self, refuse: Optional[str] = None) -> None:
        super().__init__(self._proxied)
        self._refuse = refuse
        #: First line and Proxy-Authorization of each request.
        self.asked: List[Any] = []

    def _proxied(self, peer: Peer) -> None:
        found = peer.head()
        if found is None:
            return
        line, headers = found
        self.asked.append((line, headers.get("proxy-authorization")))
        if self._refuse is not None:
            if self._refuse:
                peer.send(f"HTTP/1.1 {self._refuse}\r\nContent-Length: 0\r\n\r\n".encode("ascii"))
            return
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            host, _, port = target.partition(":")
            with socket.create_connection((host, int(port)), 10) as behind:
                peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
                _join(peer.sock, behind)
            return
        self._forward(peer, method, target, headers)

    def _forward(self, peer: Peer, method: str, target: str, headers: Any) -> None:
        parts = urlsplit(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = {**headers, "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        body = peer.file.read(int(headers.get("content-length", 0)))
        with socket.create_connection((parts.hostname, parts.port or 80), 10) as behind:
            behind.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            _pump(behind, peer.sock)
