"""A server of the service "Store", written from the lines at the top of ``store.py``; faults can be planned for its requests."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import unquote

KEY = "store-key-0123456789"


class StoreServer:
    """The server, in a thread, from ``with`` to its end.

    :ivar files: content by name.
    :ivar parts: content by SHA-256 and start.
    :ivar requests: method and path of each request.
    :ivar faults: what goes wrong next, by the beginning of ``METHOD PATH``: a status, or "close" for a connection
        that is closed in the middle.
    """

    def __init__(self) -> None:
        self.files: Dict[str, bytes] = {}
        self.parts: Dict[str, Dict[int, bytes]] = {}
        self.requests: List[str] = []
        self.faults: List[Tuple[str, Any]] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"store": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> StoreServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, start: str) -> int:
        """Return how many requests began with ``METHOD PATH``."""
        return sum(request.startswith(start) for request in self.requests)

    def seen(self, request: str) -> Any:
        """Note a request; return its fault."""
        with self._lock:
            self.requests.append(request)
            for number, (start, fault) in enumerate(self.faults):
                if request.startswith(start):
                    del self.faults[number]
                    return fault
        return None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: StoreServer

    def log_message(self, *words: Any) -> None:
        pass

    def _serve(self) -> None:
        fault = self.store.seen(f"{self.command} {self.path}")
        size = int(self.headers.get("Content-Length") or 0)
        if fault == "close" and size:
            self.rfile.read(size // 2)
            self.close_connection = True
            return
        body = self.rfile.read(size)
        if isinstance(fault, int):
            self._answer(fault, {"error": "as planned"})
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self._answer(401, {"error": "unknown key"})
        else:
            self._do([unquote(word) for word in self.path.strip("/").split("/")], body, fault)

    do_GET = do_PUT = do_POST = _serve  # noqa: N815

    def _do(self, path: List[str], body: bytes, fault: Any) -> None:
        store = self.store
        if self.command == "GET" and path == ["files"]:
            self._answer(200, {"files": [_described(name, data) for name, data in store.files.items()]})
        elif self.command == "GET" and path[0] == "parts":
            have = store.parts.get(path[1], {})
            self._answer(200, {"parts": [[start, len(data)] for start, data in sorted(have.items())]})
        elif self.command == "PUT" and path[0] == "parts":
            store.parts.setdefault(path[1], {})[int(path[2])] = body
            self._answer(204)
        elif self.command == "POST" and path[0] == "files":
            asked = json.loads(body)
            data = b"".join(part for _, part in sorted(store.parts.get(asked["sha256"], {}).items()))
            if _described(path[1], data) != {"name": path[1], **asked}:
                return self._answer(409, {"error": "wrong bytes"})
            store.files[path[1]] = data
            self._answer(201, _described(path[1], data))
        elif self.command == "GET" and path[-1] in store.files:
            self._send(store.files[path[-1]], fault)
        else:
            self._answer(404, {"error": "no such file"})

    def _send(self, data: bytes, fault: Any) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, len(data))
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(stop - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        if fault == "close":
            stop, self.close_connection = (start + stop) // 2, True
        self.wfile.write(data[start:stop])

    def _answer(self, status: int, body: Optional[Any] = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if text:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _described(name: str, data: bytes) -> Dict[str, Any]:
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
