"""The verbs for several files, directories and synchronisation, with the two services that have all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import attrs
import pytest

from smartxfer import BasicClient, RepositoryClient, SyncReport, TransferReport
from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from tests.support.trees import make_tree


@attrs.frozen
class Place:
    """A directory of SmartFile, or a draft of a repository.

    :param target: names the place in a call.
    :param shown: precedes the name of a file in a result.
    """

    client: Any
    site: Any
    target: str
    shown: str = ""

    def path(self, name: str) -> str:
        """Return what names a file in a call."""
        return f"{self.target}/{name}"

    def named(self, *names: str) -> List[str]:
        """Return the names of files in results."""
        return [f"{self.shown}{name}" for name in names]

    def files(self) -> Dict[str, bytes]:
        """Return what is stored: content by name."""
        if isinstance(self.client, RepositoryClient):
            return {key: self.site.read(self.target, key) for key in self.site.files(self.target)}
        return {path[len(self.shown) :]: self.site.read(path) for path in self.site.files() if path.startswith(self.shown)}

    def changes(self) -> int:
        """Return how many requests so far may have changed something."""
        return len([seen for seen in self.site.requests if seen.method != "GET" and "/checksum/" not in seen.path])


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["smartfile", "nrp"]) as running:
        yield running


@pytest.fixture(params=["smartfile", "nrp"])
def place(request: pytest.FixtureRequest, server: LocalServer) -> Iterator[Place]:
    site = getattr(server, request.param)
    if request.param == "nrp":
        with RepositoryClient(site.url, token=site.token) as client:
            yield Place(client, site, str(site.create()))
    else:
        with BasicClient(site.key, site.password, url=site.url) as client:
            for info in client.list("/"):
                client.remove(info)
            client.mkdir("/t")
            yield Place(client, site, "/t", "/t/")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def names(report: Any) -> List[str]:
    return [result.name for result in report]


def test_several_files(place: Place, tree: Path, tmp_path: Path) -> None:
    client, out = place.client, tmp_path / "out"
    report = client.upload_many([tree / "a.csv", ("x", b"xx"), tree / "run"], place.target, max_workers=2)
    assert (type(report), names(report)) == (TransferReport, place.named("a.csv", "x", "run/c.csv"))
    assert [one.item.size for one in report] == [5, 2, 9]
    before = place.changes()
    kept = client.upload_many([("x", b"other")], place.target, exists="skip")
    assert ([one.skipped for one in kept], kept[0].item.size, place.changes()) == (["exists"], 2, before)
    again = client.upload_many([("y", b"y"), ("x", b"other")], place.target, exists="skip")
    assert [one.skipped for one in again] == [None, "exists"]
    assert place.files() == {"a.csv": b"a.csv", "x": b"xx", "run/c.csv": b"run/c.csv", "y": b"y"}
    got = client.download_many([place.path("a.csv"), report[1].item], out, max_workers=1)
    assert (type(got), names(got), got.bytes) == (TransferReport, place.named("a.csv", "x"), 7)
    assert got[1].item.size == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {"a.csv": b"a.csv", "x": b"xx"}


def test_one_where_several_are_meant_and_none(place: Place, tree: Path, tmp_path: Path) -> None:
    client = place.client
    assert names(client.upload_many(str(tree / "a.csv"), place.target)) == place.named("a.csv")
    assert names(client.download_many(place.path("a.csv"), tmp_path / "one")) == place.named("a.csv")
    before = len(place.site.requests)
    assert client.upload_many([], place.target) == [] == client.download_many([], tmp_path / "none")
    assert (len(place.site.requests), (tmp_path / "none").exists()) == (before, False)


def test_one_file_is_replaced_or_kept(place: Place) -> None:
    client = place.client
    client.upload(("a", b"old"), place.path("a"))
    assert client.upload(("a", b"newer"), place.path("a"), exists="replace").item.size == 5
    before = place.changes()
    kept = client.upload(("a", b"another"), place.path("a"), exists="skip")
    assert (kept.skipped, kept.bytes, kept.name, place.changes()) == ("exists", 5, *place.named("a"), before)
    client.upload(("b", b"b"), place.path("b"), exists="skip")
    assert place.files() == {"a": b"newer", "b": b"b"}
    for wrong in ("rename", "newer", "keep", True):
        with pytest.raises(UsageError, match="exists of an upload"):
            client.upload(("a", b""), place.path("a"), exists=wrong)


def test_a_tree(place: Place, tree: Path, tmp_path: Path) -> None:
    client, back = place.client, tmp_path / "back"
    chosen: Dict[str, Any] = {"include": "*.csv", "exclude": ["tmp"]}
    before = place.changes()
    planned = client.upload_tree(tree, place.target, dry_run=True, **chosen)
    assert (names(planned), planned.bytes) == (place.named("a.csv", "run/c.csv"), 14)
    assert (place.changes(), place.files()) == (before, {})
    assert names(client.upload_tree(tree, place.target, max_workers=1, **chosen)) == names(planned)
    assert place.files() == {"a.csv": b"a.csv", "run/c.csv": b"run/c.csv"}
    kept = client.upload_tree(tree, place.target, exists="skip")
    assert [one.skipped for one in kept] == ["exists", None, "exists", None]
    kept = client.upload_tree(tree, place.target, exists="skip", dry_run=True)
    assert [one.skipped for one in kept] == ["exists"] * 4
    planned = client.download_tree(place.target, back, include="run", dry_run=True)
    assert [(one.name, one.path) for one in planned] == [(*place.named("run/c.csv"), back / "run" / "c.csv")]
    assert not back.exists()
    got = client.download_tree(place.target, back, exclude=["tmp", "*.txt"])
    assert sorted(names(got)) == place.named("a.csv", "run/c.csv")
    assert (back / "run" / "c.csv").read_bytes() == b"run/c.csv"
    assert sorted(path.name for path in back.iterdir()) == ["a.csv", "run"]


def test_a_directory_is_synchronised(place: Place, tree: Path) -> None:
    client = place.client
    client.upload_many([tree / "a.csv", ("b.txt", b"other"), ("old.txt", b"old")], place.target)
    before = place.changes(), place.files()
    planned = client.sync(tree, place.target, dry_run=True, delete=True, exclude="tmp")
    assert planned == SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"], ["old.txt"])
    assert (place.changes(), place.files()) == before
    done = client.sync(tree, place.target, exclude="tmp", max_workers=1)
    assert done == SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"])
    assert (done.results.ok, done.results.bytes) == (True, 14)
    done = client.sync(tree, place.target, delete=True, exclude="tmp")
    assert done == SyncReport(skipped=["a.csv", "b.txt", "run/c.csv"], deleted=["old.txt"])
    assert place.files() == {name: name.encode() for name in ("a.csv", "b.txt", "run/c.csv")}
    assert done.files["a.csv"].size == 5


def test_deletion_is_guarded(place: Place, tree: Path, tmp_path: Path) -> None:
    client = place.client
    client.upload_many([(str(number), b"x") for number in range(3)], place.target)
    (tmp_path / "empty").mkdir()
    refused: List[Tuple[Path, Any, str]] = [
        (tmp_path / "empty", 0.5, "is empty, and"),
        (tree, 0.5, "3 of 3 files would be deleted"),
        (tree, 2, "max_delete must be a fraction"),
    ]
    for source, most, match in refused:
        with pytest.raises(UsageError, match=match):
            client.sync(source, place.target, delete=True, max_delete=most)
        assert len(place.files()) == 3
    assert client.sync(tree, place.target, delete=True, max_delete=1.0).deleted == ["0", "1", "2"]
    assert len(place.files()) == 4


def test_wrong_numbers_of_workers(place: Place, tree: Path) -> None:
    for wrong in (0, -1, True, "4"):
        with pytest.raises(UsageError, match="max_workers"):
            place.client.upload_many([tree / "a.csv"], place.target, max_workers=wrong)
