"""The verbs that all clients share, with Perseus."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import PerseusClient, SyncReport, TransferReport
from smartxfer.errors import NotFound, UsageError
from tests.support.perseus_server import PerseusServer
from tests.support.trees import make_tree


@pytest.fixture
def site(harness: PerseusServer) -> Any:
    return harness.site


@pytest.fixture
def client(harness: PerseusServer) -> PerseusClient:
    """A client of a service without files."""
    return harness.client()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def names(report: Any) -> List[str]:
    return [result.name for result in report]


def test_one_file(client: PerseusClient, site: Any, tree: Path) -> None:
    sent = client.upload(tree / "a.csv", wait=True)
    assert (sent.name, sent.bytes, sent.item.name, sent.item.status) == ("a.csv", 5, "a.csv", "uploaded")
    assert site.content(sent.item.id) == b"a.csv"
    again = client.upload(tree / "a.csv", "other.csv")
    assert (again.name, again.item.reused, again.item.id) == ("other.csv", True, sent.item.id)
    named = client.upload(("pair", b"content"), "named.txt", wait=True)
    assert (named.name, named.item.name) == ("named.txt", "named.txt")
    assert client.info(named.item).name == client.info(named.item.id).name == "named.txt"
    assert client.exists(named.item)
    assert sorted(file.name for file in client.list()) == ["a.csv", "named.txt"]
    assert client.remove(named.item) is None
    assert not client.exists(named.item.id)
    with pytest.raises(NotFound):
        client.info(named.item)
    with pytest.raises(UsageError, match="expected a file, got a directory"):
        client.upload(tree)


def test_several_files(client: PerseusClient, site: Any, tree: Path) -> None:
    report = client.upload_many([tree / "a.csv", ("x", b"xx"), tree / "run"], max_workers=2, wait=True)
    assert type(report) is TransferReport
    assert (names(report), report.bytes) == (["a.csv", "x", "run/c.csv"], 16)
    assert report.seconds > 0
    assert [one.item.name for one in report] == ["a.csv", "x", "c.csv"]
    assert len(site.records()) == 3


def test_one_where_several_are_meant_and_none(client: PerseusClient, site: Any, tree: Path) -> None:
    [result] = client.upload_many(str(tree / "a.csv"), wait=True)
    assert result.name == "a.csv"
    [file] = client.file.upload_many(tree / "a.csv")
    assert file.reused
    assert [one.id for one in client.file.find_files(file.id)] == [file.id]
    assert [one.id for one in client.file.wait_for_file_uploads(file)] == [file.id]
    assert [one.id for one in client.file.find_files(source_hashes=str(file.source_hash))] == [file.id]
    assert [one.name for one in client.file.upload_many(io.BytesIO(b"open"))] != []
    assert len(client.file.upload_many(b"bytes")) == 1
    before = len(site.requests)
    assert client.upload_many([]) == []
    assert client.file.upload_many([]) == []
    assert len(site.requests) == before


def test_a_tree(client: PerseusClient, site: Any, tree: Path) -> None:
    before = len(site.requests)
    planned = client.upload_tree(tree, include="*.csv", exclude="tmp", dry_run=True)
    assert (names(planned), planned.bytes) == (["a.csv", "run/c.csv"], 14)
    assert len(site.requests) == before
    sent = client.upload_tree(tree, include="*.csv", exclude="tmp", max_workers=1, wait=True)
    assert names(sent) == names(planned)
    assert sorted(record["name"] for record in site.records()) == ["a.csv", "c.csv"]


def test_a_directory_is_synchronised(client: PerseusClient, site: Any, tree: Path) -> None:
    client.upload(tree / "a.csv", wait=True)
    planned = client.sync(tree, exclude="tmp", dry_run=True)
    assert planned == SyncReport(["b.txt", "run/c.csv"], skipped=["a.csv"])
    assert len(site.records()) == 1
    done = client.sync(tree, exclude="tmp", max_workers=1)
    assert done == planned
    assert done.results.bytes == 14
    assert sorted(done.files) == ["a.csv", "b.txt", "run/c.csv"]
    assert len(site.records()) == 3


def test_links_are_followed_on_request(client: PerseusClient, tree: Path) -> None:
    (tree / "run" / "link").symlink_to(tree / "a.csv")
    assert client.file.sync_dir(tree / "run", dry_run=True).uploaded == ["c.csv"]
    assert client.file.sync_dir(tree / "run", dry_run=True, follow_symlinks=True).uploaded == ["c.csv", "link"]
    assert client.sync(tree / "run", dry_run=True, follow_symlinks=True).uploaded == ["c.csv", "link"]
    assert len(client.file.upload_many([tree / "run"])) == 1
    assert len(client.file.upload_many([tree / "run"], follow_symlinks=True)) == 2


def test_there_are_no_directories(client: PerseusClient, site: Any, tree: Path) -> None:
    before = len(site.requests)
    for call in (
        lambda: client.upload_many([tree / "a.csv"], "/folder"),  # type: ignore[arg-type]
        lambda: client.upload_tree(tree, "/folder"),  # type: ignore[arg-type]
        lambda: client.sync(tree, "/folder"),  # type: ignore[arg-type]
        lambda: client.list("/folder"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match="no directories"):
            call()
    assert len(site.requests) == before
