"""Directories up and down, against the local server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import BatchError, UsageError
from smartxfer.smartfile import BasicClient
from smartxfer.smartfile.trees import _path_with_ancestors

UPLOAD = "POST /api/2/path/data/*"
NAMES = ["a.txt", "sub/b.txt", "sub/deep er/ç#.bin", "zero"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number, name in enumerate(NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(10_000 + number) if name != "zero" else b"")
    (root / "empty" / "inner").mkdir(parents=True)
    return root


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def stored(harness: Any, below: str) -> dict[str, bytes]:
    """Return what is on the server, all of it below a directory."""
    return {
        path[len(below) + 1 :]: harness.site.read(path)
        for path in harness.site.files()
        if path.startswith(below)
    }


def test_up_and_down(harness: Any, live: BasicClient, tree: Path, tmp_path: Path) -> None:
    sent = live.upload_tree(tree, "/new/place")
    assert [result.name for result in sent] == [f"/new/place/{name}" for name in NAMES]
    assert (stored(harness, "/new/place"), len(harness.site.files())) == (contents(tree), 4)
    assert live.stat("/new/place/empty/inner").isdir
    fetched = live.download_tree("/new/place", tmp_path / "back", checksum="md5")
    assert {result.verified for result in fetched} == {"md5"}
    assert contents(tmp_path / "back") == contents(tree)
    assert (tmp_path / "back/empty/inner").is_dir()
    assert not list((tmp_path / "back").rglob("*.part*"))


def test_directories_that_are_there_are_used(harness: Any, live: BasicClient, tree: Path) -> None:
    live.mkdir("/new")
    live.mkdir("/new/sub")
    live.upload_tree(tree, "/new")
    assert len(harness.site.files()) == 4


def test_an_interrupted_run_continues(harness: Any, tree: Path) -> None:
    fault = harness.fault(UPLOAD, "status 400", times=1)
    with pytest.raises(BatchError) as caught:
        harness.client(max_workers=1).upload_tree(tree, "/new")
    assert len(caught.value.errors) == 1
    assert fault.fired == 1
    before = harness.site.count(UPLOAD)
    results = harness.client().upload_tree(tree, "/new")
    assert harness.site.count(UPLOAD) == before + 1
    assert sorted(result.resumed == result.bytes for result in results) == [False, True, True, True]
    assert stored(harness, "/new") == contents(tree)


@pytest.mark.parametrize("change", ["content", "content of the same size", "removed there"])
def test_what_changed_after_an_interrupted_run_is_sent_again(harness: Any, tree: Path, change: str) -> None:
    harness.fault("POST /api/2/path/data/new/sub/*", "status 400", times=2)
    with pytest.raises(BatchError):
        harness.client(max_workers=1).upload_tree(tree, "/new")
    path, before = tree / "a.txt", (tree / "a.txt").stat()
    if change == "removed there":
        harness.client().remove("/new/a.txt")
    else:
        path.write_bytes(b"changed" if change == "content" else os.urandom(before.st_size))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    harness.client().upload_tree(tree, "/new")
    assert (len(harness.site.files()), harness.site.read("/new/a.txt")) == (4, path.read_bytes())


def test_an_interrupted_download_continues(harness: Any, live: BasicClient, tree: Path, tmp_path: Path) -> None:
    live.upload_tree(tree, "/t")
    harness.fault("GET /api/2/path/data/t/sub/b.txt*", "status 404")
    with pytest.raises(BatchError):
        harness.client(max_workers=1).download_tree("/t", tmp_path / "back")
    before = harness.site.count("GET /api/2/path/data/*")
    harness.client().download_tree("/t", tmp_path / "back")
    assert harness.site.count("GET /api/2/path/data/*") == before + 1
    assert contents(tmp_path / "back") == contents(tree)


def test_a_path_that_is_not_a_directory(live: BasicClient, tree: Path) -> None:
    with pytest.raises(UsageError, match="not a directory"):
        live.upload_tree(tree / "a.txt")


def test_an_empty_directory(live: BasicClient, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert live.upload_tree(tmp_path / "nothing", "/made") == []
    assert live.stat("/made").isdir
    assert live.download_tree("/made", tmp_path / "back") == []


def test_steps() -> None:
    assert _path_with_ancestors("/") == []
    assert _path_with_ancestors("/a/b") == ["/a", "/a/b"]
