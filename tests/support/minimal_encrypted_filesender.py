"""A FileSender site of a few lines that serves encrypted files as real servers do.

It shares nothing with the client or with the local server.  It was written from section 15 of the protocol page
and from ``data/filesender-encrypted-multichunk.json``: the plain size as total of every ``Content-Range``, falsy
attributes as empty text, no correct answer without a range.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

import attrs

from tests.support import reference_encryption as by_hand
from tests.support.raw_server import Peer, RawServer, Request, answering

TOKEN = "0b5bbd9f-2f0a-4f2e-9a2a-0123456789ab"
PASSWORD = "Abcdefghij1!xyz"
SALT = "nn70/8L8hHuk88WW5wIcMTGbBEYgVdZo"
#: The chunk size of the captured files, in bytes; real sites fail below it.
CHUNK = 262144
ROUNDS = 1000
CAPTURE = Path(__file__).parent.parent / "data" / "filesender-encrypted-multichunk.json"

Ranges = Callable[[int, int], Optional[bytes]]
"""Return the body for the bytes first to last as a Range header names them, or None for 416."""


@attrs.frozen
class Served:
    """One file of the site.

    :param page: the attributes of its element, without ``data-``; falsy values are printed as PHP does.
    :param ranges: the bodies of its ranges.
    :param whole: the body of a request without a range.
    """

    page: Mapping[str, Any]
    ranges: Ranges
    whole: bytes = b""


def plaintext(version: int, size: int, release: str = "3.8") -> bytes:
    """Return the content of a file by the rule of the capture."""
    return hashlib.shake_256(f"{release}{version}{size}".encode()).digest(size)


def encrypted(number: int, name: str, version: int, data: bytes) -> Served:
    """Return a file that is encrypted with :data:`PASSWORD`."""
    iv = base64.b64encode(bytes([number]) * (12 if version > 1 else 16)).decode()
    key = by_hand.key_of(PASSWORD, version, 1, SALT, ROUNDS)
    blobs = by_hand.encrypt_file(version, key, data, CHUNK, iv)
    aead = base64.b64encode(by_hand.aead_of(iv, len(data), CHUNK).encode()).decode() if version > 1 else ""
    page = {
        **_page(number, name, data),
        "encrypted": "1",
        "encrypted-size": sum(map(len, blobs)),
        "key-version": version,
        "key-salt": SALT,
        "password-version": 1,
        "password-encoding": "none",
        "password-hash-iterations": ROUNDS,
        "fileiv": iv,
        "fileaead": aead,
    }
    stored = b"".join(blobs)

    def ranges(first: int, last: int) -> Optional[bytes]:
        at = first // CHUNK * (CHUNK + 32) + first % CHUNK
        body = stored[at : at + last - first + 1]
        return body[:-1] if (last - first) % (CHUNK + 32) == 0 else body

    # Without a range the server leaves out 32 bytes for each chunk at each boundary.
    whole = b"".join(blob[32 * (index > 0) :] for index, blob in enumerate(blobs))
    return Served(page, ranges, whole)


def plain(number: int, name: str, data: bytes) -> Served:
    """Return a file that is not encrypted."""
    page = {**_page(number, name, data), "encrypted": "", "encrypted-size": len(data) and len(data) + 32}
    return Served({**page, "key-version": 0}, lambda first, last: data[first : last + 1], data)


def _page(number: int, name: str, data: bytes) -> Dict[str, Any]:
    sizes = {"chunk-size": CHUNK, "crypted-chunk-size": CHUNK + 32, "size": len(data)}
    return {"id": number, "mime": "application/binary", "name": name, **sizes, "transferid": 480}


def captured(entry: Mapping[str, Any]) -> Served:
    """Return a file of the capture: its own page, and for each recorded range the recorded body.

    The ciphertext of key version 3 follows from key and IV: where the capture holds only the digest of a body, the
    body is made again and its digest compared.
    """
    page = {name[5:]: value for name, value in entry["page"].items()}
    rounds = int(page["password-hash-iterations"])
    data = plaintext(entry["key_version"], entry["size"], entry["release"])
    made: List[bytes] = []
    if entry["key_version"] == 3:
        key = by_hand.key_of(entry["password"], 3, 1, page["key-salt"], rounds)
        made = by_hand.encrypt_file(3, key, data, CHUNK, page["fileiv"])
    bodies: Dict[Tuple[int, int], bytes] = {}
    for index, recorded in enumerate(entry["ranges"]):
        first, last = map(int, re.findall(r"\d+", recorded["range"]))
        body = base64.b64decode(recorded["body_base64"]) if "body_base64" in recorded else made[index]
        assert hashlib.sha256(body).hexdigest() == recorded["sha256"]
        bodies[first, last] = body
    return Served(page, lambda first, last: bodies.get((first, last)))


def capture() -> List[Dict[str, Any]]:
    """Return the captured files whose bodies are known: those that hold them, and those of key version 3."""
    entries: List[Dict[str, Any]] = json.loads(CAPTURE.read_text("utf-8"))
    return [
        entry
        for entry in entries
        if entry["key_version"] == 3 or all("body_base64" in recorded for recorded in entry["ranges"])
    ]


class Witness(RawServer):
    """Serves files behind :data:`TOKEN`.

    :param before: called before a body is sent, with the file's id and the first byte of the range.
    """

    def __init__(
        self, *files: Served, tag: str = "tr", before: Callable[[int, int, Peer], None] = lambda *_: None
    ) -> None:
        super().__init__(answering(self._answer))
        self.files = {int(file.page["id"]): file for file in files}
        self.tag = tag
        self.before = before
        #: (id, first, last) of every range that was asked for; first is -1 where none was.
        self.asked: List[Tuple[int, int, int]] = []

    @property
    def link(self) -> str:
        return f"{self.url}/?s=download&token={TOKEN}"

    def _answer(self, request: Request, peer: Peer) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        assert query["token"] == TOKEN
        if request.path == "/":
            rows = "\n".join(self._element(file) for file in self.files.values())
            peer.answer(200, f"<html><body>{rows}</body></html>".encode(), "Content-Type: text/html; charset=UTF-8")
            return
        assert request.path == "/download.php"
        assert re.fullmatch(r"[a-z0-9-]{36}", query["transaction_id"])
        if "archive_format" in query:
            peer.answer(500, b"PK", "Content-Type: application/x-zip", length=424)
            peer.close()
            return
        self._content(self.files[int(query["files_ids"])], request, peer)

    def _element(self, file: Served) -> str:
        """Return the element of a file, as PHP prints it: falsy values are the empty text."""
        values = {name: "" if str(value) == "0" else str(value) for name, value in file.page.items()}
        data = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in values.items())
        return f'<{self.tag} class="file" {data}><a class="name">x</a></{self.tag}>'

    def _content(self, file: Served, request: Request, peer: Peer) -> None:
        number, size = int(file.page["id"]), int(file.page["size"] or 0)
        kind = "Content-Type: application/octet-stream"
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if found is None:
            assert "range" not in request.headers
            self.asked.append((number, -1, -1))
            etag = f'ETag: "t480_f{number}_s{size}_ranges_"'
            peer.answer(200, file.whole, kind, etag, length=int(file.page["encrypted-size"] if file.page["encrypted"] else size))
            peer.close()
            return
        first, last = int(found[1]), int(found[2])
        self.asked.append((number, first, last))
        self.before(number, first, peer)
        body = file.ranges(first, last)
        if body is None:
            peer.answer(416, b"", f"Content-Range: bytes */{size}")
            return
        etag = f'ETag: "t480_f{number}_s{size}_ranges___rs_{first}_e_{last}"'
        total = f"Content-Range: bytes {first}-{last}/{size}"
        peer.answer(206, body, kind, total, etag, length=last - first + 1)
        if len(body) <= last - first:
            peer.close()
