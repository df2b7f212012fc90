"""A site for encrypted transfers, what goes to it on the wire, and a second opinion on what it then holds."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from smartxfer.errors import Truncated
from smartxfer.transport import RetryPolicy
from tests.support import reference_encryption as by_hand
from tests.support.filesender_harness import CHUNK_SIZE, DOWNLOAD, FileSenderHarness, noise
from tests.support.raw_server import Peer, RawServer

#: Marked, so that it cannot be overlooked where it should not be.
PASSWORD = "Marked-Passw0rd-of-the-transfer"
#: Bytes that encryption adds to a whole chunk.
MORE = 32
#: Rounds of PBKDF2 that the site asks for.
ROUNDS = 7
SITE: Dict[str, Any] = {"encryption_iterations": ROUNDS}
#: Bytes of a full chunk as the server stores it.
STORED = CHUNK_SIZE + MORE
DATA = noise(4 * CHUNK_SIZE + 100)
ONCE = RetryPolicy(attempts=1, backoff=0)


def part(number: int) -> str:
    """The request that carries this chunk up."""
    return f"PUT /rest.php/file/*/chunk/{number * CHUNK_SIZE}"


def published(harness: FileSenderHarness, data: bytes, name: str = "a.bin", **options: Any) -> Any:
    """An encrypted transfer of one file that is there to be fetched."""
    with harness.client() as client:
        return client.upload_workflow([(name, data)], link=True, password=PASSWORD, **options)


def down(harness: FileSenderHarness, transfer: Any, password: Any = PASSWORD, files: Any = None, **options: Any) -> Any:
    """Download it; the results.

    :param options: of the client.
    """
    with harness.client(**options) as client:
        return client.download_files(transfer.token, harness.out, files=files, password=password)


def broken_off(harness: FileSenderHarness, transfer: Any, chunks: int, files: Any = None) -> Any:
    """Download so many chunks and the first bytes of the next one; the error, which is checked."""
    harness.fault(DOWNLOAD, "truncate 20K", times=None, after=chunks)
    with pytest.raises(Truncated) as caught:
        down(harness, transfer, files=files, retry=ONCE, max_workers=1)
    harness.server.clear_faults()
    harness.site.listener.clear_log()
    return caught.value


def damage(path: Path) -> None:
    """Overwrite some bytes of the second chunk of a stored file."""
    with open(path, "r+b") as stored:
        stored.seek(STORED + 500)
        stored.write(b"damaged")


def derived(harness: FileSenderHarness, password: str = PASSWORD) -> bytes:
    """The key of the latest transfer, from what the site knows and the password."""
    transfer = harness.site.transfers()[-1]
    given = json.loads(transfer["encryption"])
    rounds = given["password_hash_iterations"]
    return by_hand.key_of(password, given["key_version"], given["password_version"], transfer["salt"], rounds)


def decrypt_chunk(harness: FileSenderHarness, blob: bytes, number: int) -> bytes:
    """Decrypt a chunk of the latest transfer's first file without code of the package."""
    transfer = harness.site.transfers()[-1]
    file = next(file for file in transfer["files"] if file["size"])
    version = json.loads(transfer["encryption"])["key_version"]
    if version in by_hand.GCM:
        assert blob[:16] == base64.b64decode(file["iv"]) + number.to_bytes(4, "little")
    data = by_hand.decrypt(version, derived(harness), blob, base64.b64decode(file["aead"] or "").decode())
    assert data is not None
    return data


def held(harness: FileSenderHarness, name: str = "a.bin") -> bytes:
    """Return the decrypted content of a file on the site."""
    blob, step = harness.stored()[name], CHUNK_SIZE + MORE
    return b"".join(decrypt_chunk(harness, blob[at : at + step], at // step) for at in range(0, len(blob), step))


class Sent(NamedTuple):
    """One chunk as it went over the line.

    :param wanted: bytes that its headers promised; ``body`` is shorter where the connection broke.
    """

    offset: int
    body: bytes
    wanted: int


class Tap(RawServer):
    """A proxy in front of the site that records what is sent to it, and forwards everything both ways."""

    def __init__(self, port: int) -> None:
        super().__init__(self._relay)
        self._behind = port
        self._streams: List[bytearray] = []

    def _relay(self, peer: Peer) -> None:
        stream = bytearray()
        self._streams.append(stream)
        with socket.create_connection(("127.0.0.1", self._behind), 10) as behind:
            back = threading.Thread(target=_pump, args=(behind, peer.sock, bytearray()), name="tap")
            back.start()
            _pump(peer.sock, behind, stream)
            back.join()

    def heard(self) -> bytes:
        """All that went to the site."""
        return b"\n".join(map(bytes, self._streams))

    def chunks(self) -> List[Sent]:
        """Every chunk that was sent, whole or not."""
        return [chunk for stream in self._streams for chunk in _chunks(bytes(stream))]

    def bodies(self) -> Dict[int, List[bytes]]:
        """Bodies by offset."""
        found: Dict[int, List[bytes]] = {}
        for chunk in self.chunks():
            found.setdefault(chunk.offset, []).append(chunk.body)
        return found


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            kept += data
            target.sendall(data)
    except OSError:
        pass  # one end broke: so does the other
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


def _chunks(stream: bytes) -> List[Sent]:
    """The chunks among the requests of one connection."""
    found, at = [], 0
    while True:
        end = stream.find(b"\r\n\r\n", at)
        if end < 0:
            return found
        head = stream[at:end]
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        wanted = int(length[1]) if length else 0
        start = end + 4
        body = stream[start : start + wanted]
        where = re.match(rb"PUT \S*/chunk/(\d+)", head)
        if where:
            found.append(Sent(int(where[1]), body, wanted))
        at = start + wanted


def same_nonce_same_bytes(chunks: List[Sent], width: int = 16) -> int:
    """See that bodies under one nonce are one text, cut short or not; how many nonces there were.

    Two texts under one nonce of AES-GCM give both of them away.

    :param width: bytes of a body that tell its nonce: 16, or 21 characters of base64.
    """
    longest: Dict[bytes, bytes] = {}
    for chunk in sorted(chunks, key=lambda chunk: -len(chunk.body)):
        if len(chunk.body) < width:
            continue
        known = longest.setdefault(chunk.body[:width], chunk.body)
        assert known.startswith(chunk.body), f"one nonce, two texts at {chunk.offset}"
    return len(longest)


def left(directory: Path) -> List[str]:
    """Names of the files below a directory."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def nothing_wrong_left(harness: FileSenderHarness, data: bytes) -> None:
    """No final name, and of what is kept for later every byte is right."""
    if not harness.out.exists():
        return
    assert "a.bin" not in left(harness.out)
    for part in harness.out.glob("*.part"):
        kept = part.read_bytes()
        for at in range(0, len(kept), CHUNK_SIZE):
            block = kept[at : at + CHUNK_SIZE]
            assert not block.strip(b"\0") or data[at : at + CHUNK_SIZE].startswith(block.rstrip(b"\0"))


def pairs(plain: bytes) -> List[Tuple[int, bytes]]:
    """The chunks of a file by offset."""
    return [(at, plain[at : at + CHUNK_SIZE]) for at in range(0, len(plain), CHUNK_SIZE)]
