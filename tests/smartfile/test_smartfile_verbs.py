"""The verbs that all clients share, with SmartFile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import List

import pytest

from smartxfer import BasicClient, FileResult
from smartxfer.errors import NotFound, UsageError
from smartxfer.smartfile import Info
from tests.support.trees import make_tree


@pytest.fixture
def client(live: BasicClient) -> BasicClient:
    """A client of an empty account."""
    return live


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def test_one_file(client: BasicClient, tmp_path: Path) -> None:
    sent = client.upload(("a.txt", b"four"), "/")
    assert (sent.name, sent.bytes, sent.item.path, sent.item.size) == ("/a.txt", 4, "/a.txt", 4)
    assert client.exists("/a.txt")
    assert client.exists(sent.item)
    assert not client.exists("/b.txt")
    assert client.info("/a.txt").size == client.info(sent.item).size == 4
    assert [info.name for info in client.list("/")] == ["a.txt"]
    got = client.download(sent.item, tmp_path / "copy.txt")
    assert (got.path, got.item.path) == (tmp_path / "copy.txt", "/a.txt")
    assert (tmp_path / "copy.txt").read_bytes() == b"four"
    assert client.remove("/a.txt") is None
    with pytest.raises(NotFound):
        client.info("/a.txt")


def test_directories(client: BasicClient, tree: Path, tmp_path: Path) -> None:
    client.upload_tree(tree, "/t", exclude="tmp")
    assert [info.path for info in client.list("/t") if info.isdir] == ["/t/run"]
    with pytest.raises(UsageError, match="is a directory"):
        client.download_many(["/t/run"], tmp_path / "out")
    client.download_tree("/t", tmp_path / "back", exclude="run")
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["a.csv", "b.txt"]


def test_waits_show_progress(client: BasicClient) -> None:
    client.upload(("a", b"x"), "/")
    client.mkdir("/d")
    seen: List[str] = []
    client.checksum("/a", progress=lambda task: seen.append("checksum"))
    client.copy("/a", "/d", progress=lambda task: seen.append("copy"))
    client.remove("/a", progress=lambda task: seen.append("remove"))
    client.move("/d/a", "/b", progress=lambda task: seen.append("move"))
    assert [word for at, word in enumerate(seen) if word not in seen[:at]] == ["checksum", "copy", "remove", "move"]


def test_an_info_has_a_type(client: BasicClient) -> None:
    result: FileResult = client.upload(("a", b"x"), "/")
    assert type(result.item) is Info
    with open(__file__, "rb") as file, io.BytesIO() as memory:
        client.upload(file, "/me.py")
        assert client.download("/me.py", memory).bytes == len(memory.getvalue())
