"""A server of the service "Store", written from the lines at the top of ``store.py``; faults can be planned for its requests."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any, Dict, List, Tuple
from urllib.parse import unquote

from tests.support.raw_server import Peer, RawServer, Request, answering, ranged

KEY = "store-key-0123456789"


class StoreServer(RawServer):
    """The server, in threads, from ``with`` to its end.

    :ivar files: content by name.
    :ivar parts: content by SHA-256 and start.
    :ivar faults: what goes wrong next, by the beginning of ``METHOD PATH``: a status, or "close" for a connection
        that is closed in the middle.
    """

    def __init__(self) -> None:
        super().__init__(answering(self._reply))
        self.files: Dict[str, bytes] = {}
        self.parts: Dict[str, Dict[int, bytes]] = {}
        self.faults: List[Tuple[str, Any]] = []
        self._lock = threading.Lock()

    def count(self, start: str) -> int:
        """Return how many requests began with ``METHOD PATH``."""
        return sum(f"{request.method} {request.path}".startswith(start) for request in self.requests)

    def _next_fault(self, request: Request) -> Any:
        with self._lock:
            for number, (start, fault) in enumerate(self.faults):
                if f"{request.method} {request.path}".startswith(start):
                    del self.faults[number]
                    return fault
        return None

    def _reply(self, request: Request, peer: Peer) -> None:
        fault = self._next_fault(request)
        path = [unquote(word) for word in request.path.strip("/").split("/")]
        if isinstance(fault, int):
            _say(peer, fault, {"error": "as planned"})
        elif fault == "close" and request.method == "GET":
            data = self.files[path[-1]]
            start, stop = map(int, request.headers["range"][len("bytes=") :].split("-"))
            content_range = f"Content-Range: bytes {start}-{stop}/{len(data)}"
            peer.answer(206, data[start : (start + stop) // 2], content_range, length=stop + 1 - start)
            peer.close()
        elif fault == "close":
            peer.reset()
        elif request.headers.get("authorization") != f"Bearer {KEY}":
            _say(peer, 401, {"error": "unknown key"})
        else:
            self._do(request, path, peer)

    def _do(self, request: Request, path: List[str], peer: Peer) -> None:
        if request.method == "GET" and path == ["files"]:
            _say(peer, 200, {"files": [_described(name, data) for name, data in self.files.items()]})
        elif request.method == "GET" and path[0] == "parts":
            have = self.parts.get(path[1], {})
            _say(peer, 200, {"parts": [[start, len(data)] for start, data in sorted(have.items())]})
        elif request.method == "PUT" and path[0] == "parts":
            self.parts.setdefault(path[1], {})[int(path[2])] = request.body
            peer.answer(204, length=None)
        elif request.method == "POST" and path[0] == "files":
            asked = json.loads(request.body)
            data = b"".join(part for _, part in sorted(self.parts.get(asked["sha256"], {}).items()))
            if _described(path[1], data) == {"name": path[1], **asked}:
                self.files[path[1]] = data
                _say(peer, 201, _described(path[1], data))
            else:
                _say(peer, 409, {"error": "wrong bytes"})
        elif request.method == "GET" and path[-1] in self.files:
            ranged(self.files[path[-1]])(request, peer)
        else:
            _say(peer, 404, {"error": "no such file"})


def _say(peer: Peer, status: int, body: Any) -> None:
    peer.answer(status, json.dumps(body).encode(), "Content-Type: application/json")


def _described(name: str, data: bytes) -> Dict[str, Any]:
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
