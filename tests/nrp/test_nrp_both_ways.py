"""A directory and a draft, synchronised in turn, with odd keys: no extra copies and no lost edits."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import BatchError
from smartxfer.local import LocalServer
from smartxfer.nrp import get_client

#: Keys that some system changes, refuses, hides or takes for another; all of them can be sent.
AWKWARD = [
    "wrfout_12:00:00", "12:30.log", "con.txt", "NUL", "trailing.", "trailing ", "u\u0308mlaut", "\u00fcmlaut",
    "Makefile", "makefile", "x" * 251 + ".txt", "\u00e9" * 127, ".hidden", "~tilde", "-dash", "\U0001f600",
    "left\u202eright", "100%41", "a+b", "#hash", "query?x=1", "a&b=c", "quote\"s'", "star*", "<angle>", "x",
    "x.part", "x.part.json", "x (2)", "dir:1/in:side", "Dir/a", "dir/A", "\u00a0",
]  # fmt: skip
#: Keys of a draft that get another name here, and that name.
RENAMED = {"back\\slash": "back/slash", "left\u202eright": "left_right", "~tilde": "_tilde", "x.part": "x (2).part"}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["nrp"], nrp={"any_key": True}) as server:
        yield server


@pytest.fixture
def files(server: LocalServer) -> Iterator[Any]:
    policy = RetryPolicy(backoff=0)
    with get_client(server.nrp.url, token=server.nrp.token, retry=policy) as client:
        yield client.files


def contents(root: Path) -> Dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def held(files: Any, draft: str) -> Dict[str, Any]:
    return {file.key: file.md5 for file in files.list(draft)}


def sums(content: Dict[str, bytes]) -> Dict[str, str]:
    return {name: hashlib.md5(data).hexdigest() for name, data in content.items()}


def test_a_directory_of_the_users(server: LocalServer, files: Any, tmp_path: Path) -> None:
    root, draft = tmp_path / "tree", str(server.nrp.create())
    for number, name in enumerate(AWKWARD):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"first of %d" % number)
    for cycle in range(4):
        before = contents(root)
        files.sync_dir(draft, root, delete=True)
        assert held(files, draft) == sums(before)
        files.download_many(draft, root, exists="replace")
        assert contents(root) == before
        for name in AWKWARD[cycle::4]:
            (root / name).write_bytes(b"edit %d of %s" % (cycle, os.fsencode(name)))


def test_a_draft_with_keys_that_are_changed(server: LocalServer, files: Any, tmp_path: Path) -> None:
    root, draft = tmp_path / "tree", str(server.nrp.create())
    there = {key: b"first of " + key.encode() for key in [*RENAMED, "x", "plain"]}
    for key, data in there.items():
        server.nrp.plant(draft, key, data)
    files.download_many(draft, root)
    assert contents(root) == {RENAMED.get(key, key): data for key, data in there.items()}
    for cycle in range(4):
        (root / "plain").write_bytes(b"edit %d" % cycle)
        (root / "left_right").write_bytes(b"my edit %d" % cycle)
        there["plain"] = b"edit %d" % cycle
        before = contents(root)
        done = files.sync_dir(draft, root, delete=True)
        assert (sorted(done.renamed), done.deleted, done.uploaded) == (sorted(RENAMED), [], [])
        assert held(files, draft) == sums(there)
        with pytest.raises(BatchError, match="exists and has other content"):
            files.download_many(draft, root)
        files.download_many(draft, root, exists="skip")
        assert contents(root) == before
    # What the user removes here goes there as well, if that is wanted.
    (root / "left_right").unlink()
    assert files.sync_dir(draft, root, delete=True).deleted == ["left\u202eright"]


def test_a_single_file_that_gets_another_name(server: LocalServer, files: Any, tmp_path: Path) -> None:
    draft = str(server.nrp.create())
    server.nrp.plant(draft, "~tilde", b"first")
    assert files.download(draft, "~tilde", sink=tmp_path) == tmp_path / "_tilde"
    done = files.sync_dir(draft, tmp_path, delete=True)
    assert (done.renamed, done.uploaded, done.deleted) == (["~tilde"], [], [])
    assert list(held(files, draft)) == ["~tilde"]
