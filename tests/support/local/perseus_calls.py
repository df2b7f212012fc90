"""Calls to a local Perseus and its presigned storage: sockets and JSON, nothing else."""

import hashlib
import json
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from smartxfer.local import LocalServer
from tests.support.local import bare_client as wire

__all__ = ["Api", "code", "put", "sha256"]

BINARY = {"Content-Type": "application/octet-stream"}


class Api:
    """Calls to a local Perseus, and PUTs to its addresses."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.perseus = server.perseus

    def call(self, method: str, path: str, body: Any = None, key: Optional[str] = None) -> wire.Reply:
        """One call; bytes are sent as they are, an empty key not at all."""
        key = self.perseus.api_key if key is None else key
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return wire.request(self.perseus.url, method, path, raw, headers)

    def create(self, data: bytes, name: str = "a.bin") -> Tuple[Dict[str, Any], str]:
        """A record for a content, and where that goes."""
        reply = self.call("POST", "/api/v0/file", {"name": name, "sourceHash": sha256(data)})
        assert reply.status == 200, reply.body
        body = reply.json()
        assert set(body) == {"file", "uploadUrl"}
        return body["file"], body["uploadUrl"]

    def find(self, **filters: Any) -> List[Dict[str, Any]]:
        reply = self.call("POST", "/api/v0/file/find", filters)
        assert reply.status == 200, reply.body
        assert set(reply.json()) == {"files"}
        files: List[Dict[str, Any]] = reply.json()["files"]
        return files

    def status(self, file: Dict[str, Any]) -> str:
        [found] = self.find(ids=[file["id"]])
        return str(found["status"])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(url: str, data: Any, method: str = "PUT", **headers: str) -> wire.Reply:
    """One request to a presigned address."""
    parts = urlsplit(url)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    target = f"{parts.path}?{parts.query}"
    return wire.request(f"http://{parts.netloc}", method, target, data, {**BINARY, **named})


def code(reply: wire.Reply) -> str:
    """The code in an error document."""
    assert reply.headers["Content-Type"] == "application/xml"
    root = ET.fromstring(reply.body)
    assert root.tag == "Error"
    assert root.findtext("RequestId")
    return root.findtext("Code") or ""
