"""A bare client for the tests of the local server: sockets and signatures, nothing else."""

import hashlib
import hmac
import http.client
import json
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, urlencode, urlsplit

TRANSACTION = "11111111-2222-3333-4444-555555555555"


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    url: str, method: str, target: str, body: Any = None, headers: Optional[Dict[str, str]] = None
) -> Reply:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(method, parts.path + target, body, headers or {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def sign(
    target: str,
    method: str,
    body: bytes = b"",
    *,
    name: str,
    user: str,
    key: str,
    stamp: Optional[int] = None,
) -> str:
    """``target`` with user, timestamp and signature (FileSender protocol, section 3)."""
    path, _, query = target.partition("?")
    moment = int(time.time()) if stamp is None else stamp
    pairs = [*parse_qsl(query, keep_blank_values=True), ("remote_user", user), ("timestamp", str(moment))]
    text = method.lower() + "&" + name + path + "?"
    text += "&".join(left + "=" + right for left, right in sorted(pairs))
    signed = text.encode() + (b"&" + body if body else b"")
    pairs.append(("signature", hmac.new(key.encode(), signed, hashlib.sha1).hexdigest()))
    return path + "?" + urlencode(pairs)


class Site:
    """Calls to a local FileSender as its ready-made user."""

    def __init__(self, service: Any, name: str = "127.0.0.1") -> None:
        self.service = service
        self.url: str = service.url
        self.name = name

    def signed(self, method: str, target: str, body: bytes = b"", **changes: Any) -> str:
        given = {"name": self.name, "user": self.service.username, "key": self.service.api_key}
        # The signed path holds the base path, the target must not.
        base = urlsplit(self.url).path
        return sign(base + target, method, body, **{**given, **changes})[len(base) :]

    def call(self, method: str, target: str, body: Any = None, **changes: Any) -> Reply:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if raw else {}
        signed = self.signed(method, target, raw, **changes)
        return request(self.url, method, signed, raw or None, headers)

    def bare(
        self, method: str, target: str, body: Any = None, headers: Optional[Dict[str, str]] = None
    ) -> Reply:
        return request(self.url, method, target, body, headers)

    def create(self, listed: List[Tuple[str, int]], **more: Any) -> Any:
        body = {
            "from": "ann@example.org",
            "files": [{"name": name, "size": size} for name, size in listed],
            "recipients": ["bob@example.net"],
            "options": {"get_a_link": False},
        }
        reply = self.call("POST", "/rest.php/transfer", {**body, **more})
        assert reply.status == 201, reply.body
        return reply.json()

    def chunk(self, transfer: Any, file: Any, offset: int, data: bytes, **headers: str) -> Reply:
        return request(self.url, "PUT", chunk_target(transfer, file, offset), data, {
            "Content-Type": "application/octet-stream",
            "X-Filesender-Chunk-Size": str(len(data)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        })  # fmt: skip

    def complete(self, transfer: Any) -> Any:
        for file in real_files(transfer):
            reply = self.call("PUT", "/rest.php/file/{}".format(file["id"]), {"complete": True})
            assert reply.body == b"true", reply.body
        reply = self.call("PUT", "/rest.php/transfer/{}".format(transfer["id"]), {"complete": True})
        assert reply.status == 200, reply.body
        return reply.json()

    def send(self, name: str, data: bytes, chunk: int = 1 << 20, **more: Any) -> Any:
        """A whole transfer of one file."""
        transfer = self.create([(name, len(data))], **more)
        file = real_files(transfer)[0]
        for offset in range(0, len(data), chunk):
            reply = self.chunk(transfer, file, offset, data[offset : offset + chunk])
            assert reply.status == 200, reply.body
        self.complete(transfer)
        return transfer

    def fetch(self, transfer: Any, headers: Optional[Dict[str, str]] = None, **more: str) -> Reply:
        return request(self.url, "GET", download_target(transfer, **more), None, headers)


def real_files(transfer: Any) -> List[Any]:
    """Files without the pseudo entries of folders."""
    return [file for file in transfer["files"] if "cid" in file]


def chunk_target(transfer: Any, file: Any, offset: int) -> str:
    query = {"key": file["puid"], "roundtriptoken": transfer["roundtriptoken"]}
    return "/rest.php/file/{}/chunk/{}?{}".format(file["id"], offset, urlencode(query))


def download_target(transfer: Any, **more: str) -> str:
    query = {
        "token": transfer["recipients"][0]["token"],
        "files_ids": ",".join(str(file["id"]) for file in real_files(transfer)),
        "transaction_id": TRANSACTION,
        **more,
    }
    return "/download.php?" + urlencode(query)
