"""Signature, delta and patch of stored files, verified with rdiff."""

import random
import subprocess
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import delta
from smartxfer.errors import LibrsyncNotFound
from smartxfer.local import LocalServer
from tests.support.local import smartfile_calls as wire


def some_bytes(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).getrandbits(8 * count).to_bytes(count, "big")


OLD = some_bytes(100_000)
NEW = OLD[:30_000] + b"something new" + OLD[30_100:]


@pytest.fixture
def api(server: LocalServer) -> wire.Api:
    api = wire.Api(server.smartfile)
    api.mkdir("/a dir")
    api.upload("/a dir", "ü#.bin", OLD)
    return api


PATH = "/a dir/ü#.bin"


def rdiff(*arguments: Any) -> None:
    done = subprocess.run(["rdiff", "-f", *map(str, arguments)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def rdiff_signature(tmp_path: Path, data: bytes, block: int = 2048) -> bytes:
    (tmp_path / "basis").write_bytes(data)
    given: List[Any] = ["-b", block, "-S", 8, "-R", "rollsum", "-H", "md4"]
    rdiff(*given, "signature", tmp_path / "basis", tmp_path / "sig")
    return (tmp_path / "sig").read_bytes()


def send(api: wire.Api, step: str, field: str, data: bytes, path: str = PATH) -> wire.Reply:
    body, headers = wire.multipart((field, field, data))
    return api.call("POST", "path/sync/" + step, path, body=body, headers=headers)


def test_the_signature_is_that_of_rdiff(api: wire.Api, tmp_path: Path) -> None:
    reply = api.get("path/sync/signature", PATH)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.body == rdiff_signature(tmp_path, OLD)
    assert reply.body[:4].hex() == "72730136"


@pytest.mark.parametrize("block", [256, 1000, 1 << 20])
def test_the_client_chooses_the_block_size(api: wire.Api, tmp_path: Path, block: int) -> None:
    reply = api.get("path/sync/signature", PATH, block_size=str(block))
    assert reply.body == rdiff_signature(tmp_path, OLD, block)


@pytest.mark.parametrize("block", ["0", "-1", "x", "1.5", "99999999999999999999"])
def test_an_invalid_block_size(api: wire.Api, block: str) -> None:
    reply = api.get("path/sync/signature", PATH, block_size=block)
    assert (reply.status, set(reply.json())) == (400, {"block_size"})


def test_lengths_of_signatures(api: wire.Api) -> None:
    api.upload("/", "empty", b"")
    assert len(api.get("path/sync/signature", "/empty").body) == 12
    reply = api.call("HEAD", "path/sync/signature", PATH)
    assert (reply.status, reply.headers["Content-Length"]) == (200, str(12 + 12 * 49))


def rdiff_delta(api: wire.Api, tmp_path: Path) -> bytes:
    """Return the delta from the stored file to the new one."""
    (tmp_path / "sig").write_bytes(api.get("path/sync/signature", PATH).body)
    (tmp_path / "new").write_bytes(NEW)
    rdiff("delta", tmp_path / "sig", tmp_path / "new", tmp_path / "delta")
    return (tmp_path / "delta").read_bytes()


def test_the_delta_is_one_that_rdiff_applies(api: wire.Api, tmp_path: Path) -> None:
    reply = send(api, "delta", "signature", rdiff_signature(tmp_path, NEW))
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/octet-stream")
    assert len(reply.body) < 8192
    (tmp_path / "delta").write_bytes(reply.body)
    rdiff("patch", tmp_path / "basis", tmp_path / "delta", tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == OLD


def test_a_delta_of_rdiff_replaces_the_file(api: wire.Api, tmp_path: Path) -> None:
    before = api.get("path/info", PATH).json()
    # A download that began before the patch keeps its bytes.
    with api.service.backend.tree.open(PATH) as old:
        reply = send(api, "patch", "delta", rdiff_delta(api, tmp_path))
        assert reply.status == 200, reply.body
        assert old.read() == OLD
    assert api.data(PATH) == NEW
    after = api.get("path/info", PATH).json()
    assert reply.json() == after
    assert (after["id"], after["size"]) == (before["id"], len(NEW))


@pytest.mark.parametrize("bad", [b"", b"no signature", bytes.fromhex("72730136"), b"\0" * 5000])
def test_an_upload_that_is_no_signature(api: wire.Api, bad: bytes) -> None:
    reply = send(api, "delta", "signature", bad)
    assert (reply.status, set(reply.json())) == (400, {"signature"})


#: Copies bytes beyond the end of the old file.
BEYOND = bytes.fromhex("72730236") + b"\x4f" + (90_000).to_bytes(8, "big") + (20_000).to_bytes(8, "big") + b"\0"
SPOILT = {
    "cut": lambda whole: whole[:-5], "beyond the end": lambda _: BEYOND, "endless": lambda whole: whole[:-1],
    "trailing": lambda whole: whole + b"\0", "hex": lambda whole: whole.hex().encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_an_invalid_delta_changes_nothing(api: wire.Api, tmp_path: Path, kind: str) -> None:
    reply = send(api, "patch", "delta", SPOILT[kind](rdiff_delta(api, tmp_path)))
    assert (reply.status, set(reply.json())) == (400, {"delta"})
    assert api.data(PATH) == OLD
    assert list(Path(api.service.backend.tree.incoming).iterdir()) == []


@pytest.mark.parametrize(("step", "field"), [("delta", "delta"), ("patch", "signature")])
def test_a_part_under_another_name_is_not_taken(api: wire.Api, step: str, field: str) -> None:
    assert send(api, step, field, b"x").status == 400
    assert api.data(PATH) == OLD


def test_what_is_missing_and_what_is_no_file(api: wire.Api) -> None:
    for path, status in (("/none", 404), ("/none/x", 404), ("/a dir", 400), ("/", 400)):
        steps = (("delta", "signature"), ("patch", "delta"))
        replies = [send(api, step, field, b"x", path) for step, field in steps]
        assert {reply.status for reply in (*replies, api.get("path/sync/signature", path))} == {status}


def test_without_librsync_the_server_says_so(api: wire.Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> int:
        raise LibrsyncNotFound("librsync is not there")

    monkeypatch.setattr(delta, "signature", missing)
    reply = api.get("path/sync/signature", PATH)
    assert (reply.status, "librsync" in reply.json()["detail"]) == (501, True)
