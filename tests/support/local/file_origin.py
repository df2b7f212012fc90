"""A server from which repositories fetch files."""

from __future__ import annotations

import http.server
import threading
from typing import Any, List

__all__ = ["BLOB", "PAGE", "Origin"]

BLOB = b"0123456789" * 30_000
PAGE = b"<html><h1>Error code: 404</h1></html>"


class Origin(http.server.ThreadingHTTPServer):
    """Server from which files are fetched."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = "http://" + self.host
        self.seen: List[str] = []
        #: Set to end a slow response.
        self.go = threading.Event()
        #: Set once a slow response has begun.
        self.begun = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Origin

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/blob.bin")
            self.end_headers()
            return
        found = self.path in ("/blob.bin", "/slow.bin", "/short.bin")
        body = BLOB if found else PAGE
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if self.path == "/slow.bin":
            self.server.begun.set()
            self.server.go.wait(10)
        if self.path != "/short.bin":
            self.wfile.write(body[half:])

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # The repository was stopped.
