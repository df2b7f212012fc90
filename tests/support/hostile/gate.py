"""A server that forwards requests to the local server until it is armed, and then gives the planned answers.

The client process arms and disarms it over its port: a connection whose first line is ``ARM`` and a JSON object,
or ``CALM``.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from typing import Any, Callable, List, Mapping, Optional, Set, Tuple
from urllib.parse import urlsplit

from tests.support.raw_server import Peer, RawServer
from tests.support.rewriting_proxy import forward

#: Kinds of bodies in which addresses of the server behind are rewritten.
_TEXTS = ("json", "html", "javascript")
#: A small receive buffer, so that a request body that is not read blocks the sender soon.
_RECEIVE_BUFFER = 8192

Headers = List[Tuple[str, str]]


class Visit:
    """One request that is answered in a hostile way."""

    def __init__(self, gate: Gate, peer: Peer, line: str, headers: Mapping[str, str], body: Optional[bytes]) -> None:
        self.gate = gate
        self.peer = peer
        self.line = line
        self.headers = headers
        self._body = body

    @property
    def body(self) -> bytes:
        """The request body, read when it is first asked for."""
        if self._body is None:
            self._body = self.peer.body(self.headers)
        return self._body

    def good(self) -> Tuple[int, Headers, bytes]:
        """The true answer of the server behind: status, headers, body."""
        return self.gate.forward(self.line, self.headers, self.body)

    def send(self, data: bytes) -> None:
        """Send bytes; a client that left ends the visit with an OSError."""
        self.peer.send(data)

    def pause(self, seconds: float) -> None:
        """Wait; a calm gate ends the visit."""
        if self.gate.calm.wait(seconds):
            raise ConnectionAbortedError("the gate is calm again")

    def hang(self) -> None:
        """Send nothing more and read nothing, until the gate is calm or the client left."""
        while not self.gate.calm.wait(0.02):
            if _left(self.peer.sock):
                return


class Gate(RawServer):
    """A proxy in front of one service.

    :param targets: addresses that paths beginning so are handed on to; ``""`` is for all others.
    :param behaviours: by name, what an armed gate does with a visit; True keeps the connection.
    """

    def __init__(self, targets: Mapping[str, str], behaviours: Mapping[str, Callable[[Visit], Any]]) -> None:
        super().__init__(self._serve_peer, backlog=64)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._targets = dict(targets)
        self._behaviours = behaviours
        self.calm = threading.Event()
        self.calm.set()
        self._match = re.compile("")
        self._behave: Callable[[Visit], Any] = lambda visit: None
        self.fired = 0
        #: By how much less than the most is sent of what needs much memory.
        self.scale = 1
        self._hostile: Set[Peer] = set()
        self._lock = threading.Lock()

    # -- the two states ---------------------------------------------------------------------------------

    def _command(self, line: str, peer: Peer) -> None:
        word, _, rest = line.partition(" ")
        with self._lock:
            fired, peers = self.fired, list(self._hostile)
            if word == "ARM":
                given = json.loads(rest)
                self._match = re.compile(given["match"])
                self._behave = self._behaviours[given["behaviour"]]
                self.scale = int(given["scale"])
                self.fired = 0
                self.calm.clear()
            else:
                self.calm.set()
        for one in peers if word == "CALM" else []:
            with contextlib.suppress(OSError):
                one.sock.shutdown(socket.SHUT_RDWR)
        peer.send(json.dumps({"fired": fired}).encode() + b"\n")

    def __exit__(self, *error: Any) -> None:
        self.calm.set()
        super().__exit__(*error)

    # -- requests ---------------------------------------------------------------------------------------

    def _serve_peer(self, peer: Peer) -> None:
        while True:
            first = peer.file.readline()
            if first.startswith((b"ARM ", b"CALM")):
                self._command(first.decode().strip(), peer)
                return
            head = peer.head(first)
            if head is None:
                return
            line, headers = head
            # JSON-RPC has one path for all methods: its bodies are short, and tell.
            body = peer.body(headers) if line.split(" ")[1].startswith("/jsonrpc") else None
            label = " ".join(line.split(" ")[:2]) + _method(body)
            if not self.calm.is_set() and self._match.match(label):
                if self._visited(Visit(self, peer, line, headers, body)):
                    continue
                return
            status, found, content = self.forward(line, headers, peer.body(headers) if body is None else body)
            peer.send(answer(status, found, content))

    def _visited(self, visit: Visit) -> bool:
        """Answer as armed; True where the connection is good for another request."""
        with self._lock:
            self.fired += 1
            self._hostile.add(visit.peer)
        try:
            return bool(self._behave(visit))
        finally:
            with self._lock:
                self._hostile.discard(visit.peer)

    def forward(self, line: str, headers: Mapping[str, str], body: bytes) -> Tuple[int, Headers, bytes]:
        """Hand a request on; addresses in what comes back lead to this gate."""
        method, path = line.split(" ")[:2]
        behind = next(url for begin, url in sorted(self._targets.items(), reverse=True) if path.startswith(begin))
        status, got, content = forward(urlsplit(behind).netloc, method, path, headers, body)
        found = [(name, self._rewritten(value)) for name, value in got]
        if any(name.lower() == "content-type" and kind in value for name, value in found for kind in _TEXTS):
            content = self._rewritten(content.decode("latin-1")).encode("latin-1")
        return status, found, content

    def _rewritten(self, text: str) -> str:
        for begin, url in self._targets.items():
            # A storage is another origin: here by the name of its host.
            ours = self.url.replace("127.0.0.1", "localhost") if begin else self.url
            text = text.replace(url, ours).replace(url.replace("/", "\\/"), ours.replace("/", "\\/"))
        return text


def answer(status: int, headers: Headers, body: bytes, *more: str) -> bytes:
    """A whole answer, with its length."""
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers), *more]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _method(body: Optional[bytes]) -> str:
    try:
        return "" if body is None else f"/{json.loads(body)['method']}"
    except (ValueError, KeyError):
        return ""


def _left(sock: socket.socket) -> bool:
    """Return True when the client closed its end and left no bytes unread."""
    sock.settimeout(0)
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            sock.settimeout(10)
