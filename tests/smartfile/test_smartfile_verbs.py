"""The verbs that all clients share, with SmartFile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from smartxfer import BasicClient, FileResult, SyncReport, TransferReport
from smartxfer.errors import NotFound, UsageError
from smartxfer.local import LocalServer
from smartxfer.smartfile import Info


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["smartfile"]) as running:
        yield running


@pytest.fixture
def site(server: LocalServer) -> Any:
    return server.smartfile


@pytest.fixture
def client(site: Any) -> Iterator[BasicClient]:
    """A client of an empty account."""
    with BasicClient(site.key, site.password, url=site.url) as made:
        for info in made.list("/"):
            made.remove(info)
        yield made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "run/c.csv", "tmp/d.csv"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "tree"


def changing(site: Any) -> int:
    """Requests so far that may have changed something."""
    return len([seen for seen in site.requests if seen.method != "GET" and "/checksum/" not in seen.path])


def names(report: Any) -> List[str]:
    return [result.name for result in report]


def test_one_file(client: BasicClient, site: Any, tmp_path: Path) -> None:
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


def test_an_existing_file_is_replaced_or_kept(client: BasicClient, site: Any) -> None:
    client.upload(("a", b"old"), "/a")
    client.upload(("a", b"new"), "/a", exists="replace")
    before = changing(site)
    kept = client.upload(("a", b"another"), "/a", exists="skip")
    assert (kept.skipped, kept.bytes, kept.item.path) == ("exists", 3, "/a")
    assert changing(site) == before
    assert site.read("/a") == b"new"
    client.upload(("b", b"b"), "/b", exists="skip")
    assert site.read("/b") == b"b"
    for wrong in ("rename", "newer", "keep", True):
        with pytest.raises(UsageError, match="exists of an upload"):
            client.upload(("a", b""), "/a", exists=wrong)  # type: ignore[arg-type]


def test_several_files(client: BasicClient, site: Any, tree: Path, tmp_path: Path) -> None:
    report = client.upload_many([tree / "a.csv", ("x.bin", b"xx"), tree / "run"], "/many", max_workers=2)
    assert type(report) is TransferReport
    assert names(report) == ["/many/a.csv", "/many/x.bin", "/many/run/c.csv"]
    assert [one.item.size for one in report] == [5, 2, 9]
    again = client.upload_many([tree / "a.csv", ("y.bin", b"y")], "/many", exists="skip")
    assert [one.skipped for one in again] == ["exists", None]
    got = client.download_many(["/many/a.csv", report[1].item], tmp_path / "out", max_workers=1)
    assert type(got) is TransferReport
    assert got.bytes == 7
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "x.bin"]
    assert got[1].item.path == "/many/x.bin"
    with pytest.raises(UsageError, match="is a directory"):
        client.download_many(["/many/run"], tmp_path / "out")


def test_one_where_several_are_meant_and_none(client: BasicClient, site: Any, tree: Path, tmp_path: Path) -> None:
    assert names(client.upload_many(str(tree / "a.csv"), "/")) == ["/a.csv"]
    assert names(client.download_many("/a.csv", tmp_path / "one")) == ["/a.csv"]
    before = len(site.requests)
    assert client.upload_many([], "/") == [] == client.download_many([], tmp_path / "none")
    assert len(site.requests) == before
    assert not (tmp_path / "none").exists()


def test_a_tree(client: BasicClient, site: Any, tree: Path, tmp_path: Path) -> None:
    chosen: Dict[str, Any] = {"include": "*.csv", "exclude": ["tmp"]}
    before = changing(site)
    planned = client.upload_tree(tree, "/t", dry_run=True, **chosen)
    assert names(planned) == ["/t/a.csv", "/t/run/c.csv"]
    assert planned.bytes == 14
    assert changing(site) == before
    assert site.files() == {}
    sent = client.upload_tree(tree, "/t", max_workers=1, **chosen)
    assert names(sent) == names(planned)
    assert site.files() == {"/t/a.csv": 5, "/t/run/c.csv": 9}
    assert not client.exists("/t/tmp")
    client.upload(("b.txt", b"b"), "/t/b.txt")
    planned = client.download_tree("/t", tmp_path / "back", dry_run=True, include="*.csv")
    assert [(one.name, one.path) for one in planned] == [
        ("/t/a.csv", tmp_path / "back" / "a.csv"), ("/t/run/c.csv", tmp_path / "back" / "run" / "c.csv"),
    ]  # fmt: skip
    assert not (tmp_path / "back").exists()
    got = client.download_tree("/t", tmp_path / "back", exclude="run")
    assert names(got) == ["/t/a.csv", "/t/b.txt"]
    assert not (tmp_path / "back" / "run").exists()
    kept = client.upload_tree(tree, "/t", exists="skip", include="*.csv")
    assert [one.skipped for one in kept] == ["exists", "exists", None]
    assert [one.skipped for one in client.upload_tree(tree, "/t", exists="skip", dry_run=True)] == ["exists"] * 4


def test_a_directory_is_synchronised(client: BasicClient, site: Any, tree: Path) -> None:
    client.upload_tree(tree, "/s", include="a.csv")
    client.upload(("b.txt", b"other"), "/s/b.txt")
    client.upload(("old.txt", b"old"), "/s/old.txt")
    before = changing(site)
    planned = client.sync(tree, "/s", dry_run=True, delete=True, exclude="tmp")
    expected = SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"], ["old.txt"])
    assert planned == expected
    assert site.files() == {"/s/a.csv": 5, "/s/b.txt": 5, "/s/old.txt": 3}
    assert changing(site) == before
    done = client.sync(tree, "/s", exclude="tmp")
    assert done == SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"])
    assert done.results.ok
    assert done.results.bytes == 14
    assert site.read("/s/b.txt") == b"b.txt"
    done = client.sync(tree, "/s", delete=True, exclude="tmp")
    assert done == SyncReport(skipped=["a.csv", "b.txt", "run/c.csv"], deleted=["old.txt"])
    assert sorted(site.files()) == ["/s/a.csv", "/s/b.txt", "/s/run/c.csv"]
    assert done.files["a.csv"].size == 5


def test_deletion_is_guarded(client: BasicClient, site: Any, tree: Path, tmp_path: Path) -> None:
    for number in range(3):
        client.upload_many([(f"{number}", b"x")], "/s")
    (tmp_path / "empty").mkdir()
    for source, match in ((tmp_path / "empty", "is empty, and"), (tree, "3 of 3 files would be deleted")):
        with pytest.raises(UsageError, match=match):
            client.sync(source, "/s", delete=True)
        assert len(site.files()) == 3
    with pytest.raises(UsageError, match="max_delete must be a fraction"):
        client.sync(tree, "/s", delete=True, max_delete=2)
    assert client.sync(tree, "/s", delete=True, max_delete=1.0).deleted == ["0", "1", "2"]
    assert len(site.files()) == 4


def test_waits_show_progress(client: BasicClient) -> None:
    client.upload(("a", b"x"), "/")
    client.mkdir("/d")
    seen: List[str] = []
    client.checksum("/a", progress=lambda task: seen.append("checksum"))
    client.copy("/a", "/d", progress=lambda task: seen.append("copy"))
    client.remove("/a", progress=lambda task: seen.append("remove"))
    client.move("/d/a", "/b", progress=lambda task: seen.append("move"))
    assert [word for at, word in enumerate(seen) if word not in seen[:at]] == ["checksum", "copy", "remove", "move"]


def test_wrong_numbers_of_workers(client: BasicClient, tree: Path) -> None:
    for wrong in (0, -1, True, "4"):
        with pytest.raises(UsageError, match="max_workers"):
            client.upload_many([tree / "a.csv"], "/", max_workers=wrong)  # type: ignore[arg-type]


def test_an_info_has_a_type(client: BasicClient) -> None:
    result: FileResult = client.upload(("a", b"x"), "/")
    assert type(result.item) is Info
    with open(__file__, "rb") as file, io.BytesIO() as memory:
        client.upload(file, "/me.py")
        assert client.download("/me.py", memory).bytes == len(memory.getvalue())
