"""The verbs that all clients share, with a repository."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer import RepositoryClient, SyncReport, TransferReport
from smartxfer.errors import BatchError, Conflict, NotFound, UsageError
from smartxfer.local import LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(services=["nrp"]) as running:
        yield running


@pytest.fixture
def site(server: LocalServer) -> Any:
    return server.nrp


@pytest.fixture
def client(site: Any) -> Iterator[RepositoryClient]:
    with RepositoryClient(site.url, token=site.token) as made:
        yield made


@pytest.fixture
def draft(client: RepositoryClient) -> Any:
    return client.records.create({"metadata": {"title": "Reads of run 7"}})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "run/c.csv", "tmp/d.csv"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "tree"


def changing(site: Any) -> int:
    """Requests so far that may have changed something."""
    return len([seen for seen in site.requests if seen.method != "GET"])


def names(report: Any) -> List[str]:
    return [result.name for result in report]


def test_one_file(client: RepositoryClient, site: Any, draft: Any, tree: Path, tmp_path: Path) -> None:
    sent = client.upload(tree / "a.csv", draft)
    assert (sent.name, sent.bytes, sent.verified, sent.item.key) == ("a.csv", 5, "md5", "a.csv")
    client.upload(tree / "b.txt", f"{draft.id}/deep/other.txt", metadata={"note": "n"})
    client.upload(("pair.txt", b"pair"), draft.id)
    client.upload(("ignored.txt", b"four"), f"{draft.id}/named")
    assert site.files(draft) == {"a.csv": 5, "deep/other.txt": 5, "pair.txt": 4, "named": 4}
    file = client.info(f"{draft.id}/deep/other.txt")
    assert (file.key, file.metadata) == ("deep/other.txt", {"note": "n"})
    assert client.info(sent.item).size == 5
    assert client.exists(sent.item)
    assert client.exists(f"{draft.id}/named")
    assert not client.exists(f"{draft.id}/nothing")
    assert not client.exists("00000-00000/nothing")
    assert sorted(one.key for one in client.list(draft)) == ["a.csv", "deep/other.txt", "named", "pair.txt"]
    got = client.download(f"{draft.id}/deep/other.txt", tmp_path / "copy.txt")
    assert (got.path, got.verified, got.item.key) == (tmp_path / "copy.txt", "md5", "deep/other.txt")
    with io.BytesIO() as memory:
        assert client.download(sent.item, memory).bytes == 5
        assert memory.getvalue() == b"a.csv"
    assert client.remove(sent.item) is None
    client.remove(f"{draft.id}/named")
    assert sorted(site.files(draft)) == ["deep/other.txt", "pair.txt"]
    with pytest.raises(NotFound):
        client.info(f"{draft.id}/named")


def test_which_file_has_to_be_said(client: RepositoryClient, site: Any, draft: Any, tree: Path) -> None:
    before = len(site.requests)
    for call in (client.info, client.exists, client.remove, client.download):
        with pytest.raises(UsageError, match="is a record"):
            call(draft)
        with pytest.raises(UsageError, match="is a record"):
            call(draft.id)
    with pytest.raises(UsageError, match="is a file"):
        client.list(f"{draft.id}/a.csv")
    with pytest.raises(UsageError, match="is a file"):
        client.upload_many([tree / "a.csv"], f"{draft.id}/a.csv")
    with pytest.raises(UsageError, match="needs one file"):
        client.upload(tree, draft)
    assert len(site.requests) == before


def test_an_existing_file(client: RepositoryClient, site: Any, draft: Any) -> None:
    client.upload(("a", b"old"), draft)
    assert client.upload(("a", b"old"), draft).resumed == 3
    with pytest.raises(Conflict):
        client.upload(("a", b"new"), draft)
    before = changing(site)
    kept = client.upload(("a", b"new"), draft, exists="skip")
    assert (kept.skipped, kept.bytes, kept.item.key) == ("exists", 3, "a")
    assert changing(site) == before
    assert client.upload(("a", b"newer"), draft, exists="replace").item.size == 5
    assert site.read(draft, "a") == b"newer"
    with pytest.raises(UsageError, match="exists of an upload"):
        client.upload(("a", b""), draft, exists="rename")  # type: ignore[arg-type]


def test_several_files(client: RepositoryClient, site: Any, draft: Any, tree: Path, tmp_path: Path) -> None:
    report = client.upload_many(
        [tree / "a.csv", ("x", b"xx"), tree / "run", ("m", b"m", {"note": "n"})], draft, max_workers=2
    )
    assert type(report) is TransferReport
    assert names(report) == ["a.csv", "x", "run/c.csv", "m"]
    assert [one.item.size for one in report] == [5, 2, 9, 1]
    assert client.info(f"{draft.id}/m").metadata == {"note": "n"}
    again = client.upload_many([("y", b"y"), ("x", b"other")], draft, exists="skip")
    assert [(one.name, one.skipped) for one in again] == [("y", None), ("x", "exists")]
    got = client.download_many([f"{draft.id}/a.csv", report[1].item], tmp_path / "out", max_workers=1)
    assert type(got) is TransferReport
    assert (names(got), got.bytes, got[1].item.key) == (["a.csv", "x"], 7, "x")
    assert (tmp_path / "out" / "x").read_bytes() == b"xx"
    with pytest.raises(BatchError) as caught:
        client.upload_many([("x", b"other"), ("z", b"z")], draft)
    assert [one.ok for one in caught.value.results] == [False, True]


def test_one_where_several_are_meant_and_none(
    client: RepositoryClient, site: Any, draft: Any, tree: Path, tmp_path: Path
) -> None:
    assert names(client.upload_many(str(tree / "a.csv"), draft)) == ["a.csv"]
    assert names(client.download_many(f"{draft.id}/a.csv", tmp_path / "one")) == ["a.csv"]
    before = len(site.requests)
    assert client.upload_many([], draft) == [] == client.download_many([], tmp_path / "none")
    assert client.files.upload_many(draft, []) == []
    assert len(site.requests) == before


def test_a_tree(client: RepositoryClient, site: Any, draft: Any, tree: Path, tmp_path: Path) -> None:
    before = changing(site)
    planned = client.upload_tree(tree, draft, include="*.csv", exclude="tmp", dry_run=True)
    assert (names(planned), planned.bytes) == (["a.csv", "run/c.csv"], 14)
    assert changing(site) == before
    sent = client.upload_tree(tree, draft, include="*.csv", exclude="tmp", max_workers=1)
    assert names(sent) == names(planned)
    assert site.files(draft) == {"a.csv": 5, "run/c.csv": 9}
    kept = client.upload_tree(tree, draft, exists="skip")
    assert [one.skipped for one in kept] == ["exists", None, "exists", None]
    assert [one.skipped for one in client.upload_tree(tree, draft, exists="skip", dry_run=True)] == ["exists"] * 4
    planned = client.download_tree(draft, tmp_path / "back", include="run", dry_run=True)
    assert [(one.name, one.path) for one in planned] == [("run/c.csv", tmp_path / "back" / "run" / "c.csv")]
    assert not (tmp_path / "back").exists()
    got = client.download_tree(draft.id, tmp_path / "back", exclude=["tmp", "*.txt"])
    assert sorted(names(got)) == ["a.csv", "run/c.csv"]
    assert (tmp_path / "back" / "run" / "c.csv").read_bytes() == b"run/c.csv"
    assert not (tmp_path / "back" / "b.txt").exists()


def test_links_are_followed_on_request(client: RepositoryClient, site: Any, draft: Any, tree: Path) -> None:
    (tree / "run" / "link").symlink_to(tree / "a.csv")
    client.files.upload_many(draft, [tree / "run"])
    assert sorted(site.files(draft)) == ["run/c.csv"]
    client.files.upload_many(draft, [tree / "run"], follow_symlinks=True)
    assert sorted(site.files(draft)) == ["run/c.csv", "run/link"]
    assert client.files.sync_dir(draft, tree / "run", dry_run=True, follow_symlinks=True).uploaded == ["c.csv", "link"]
    assert client.sync(tree / "run", draft, dry_run=True).uploaded == ["c.csv"]


def test_a_directory_is_synchronised(client: RepositoryClient, site: Any, draft: Any, tree: Path) -> None:
    client.upload_many([(tree / "a.csv"), ("b.txt", b"other"), ("old.txt", b"old")], draft)
    before = changing(site)
    planned = client.sync(tree, draft, dry_run=True, delete=True, exclude="tmp")
    assert planned == SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"], ["old.txt"])
    assert changing(site) == before
    assert client.sync(tree, draft, exclude="tmp", max_workers=1) == SyncReport(["run/c.csv"], ["b.txt"], ["a.csv"])
    assert sorted(site.files(draft)) == ["a.csv", "b.txt", "old.txt", "run/c.csv"]
    done = client.sync(tree, draft.id, delete=True, exclude="tmp")
    assert done == SyncReport(skipped=["a.csv", "b.txt", "run/c.csv"], deleted=["old.txt"])
    assert sorted(site.files(draft)) == ["a.csv", "b.txt", "run/c.csv"]


def test_deletion_is_guarded(
    client: RepositoryClient, site: Any, draft: Any, tree: Path, tmp_path: Path
) -> None:
    client.upload_many([(str(number), b"x") for number in range(3)], draft)
    (tmp_path / "empty").mkdir()
    for source, match in ((tmp_path / "empty", "is empty, and"), (tree, "3 of 3 files would be deleted")):
        with pytest.raises(UsageError, match=match):
            client.sync(source, draft, delete=True)
        assert len(site.files(draft)) == 3
    assert client.sync(tree, draft, delete=True, max_delete=1.0).deleted == ["0", "1", "2"]


def test_settings_of_nrp_cmd_from_the_environment(site: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        f'{{"repositories": [{{"alias": "here", "url": "{site.url}", "token": "{site.token}"}}], "default_alias": "here"}}'
    )
    config.chmod(0o600)
    with RepositoryClient.from_environment(config_path=config) as found:
        assert found.base_url == site.url
        assert found.whoami().authenticated
