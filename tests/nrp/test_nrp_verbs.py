"""The verbs that all clients share, with a repository."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from smartxfer import RepositoryClient
from smartxfer.errors import Conflict, NotFound, UsageError
from tests.support.nrp_server import NRPServer
from tests.support.trees import make_tree


@pytest.fixture
def site(harness: NRPServer) -> Any:
    return harness.site


@pytest.fixture
def client(live: RepositoryClient) -> RepositoryClient:
    return live


@pytest.fixture
def draft(client: RepositoryClient) -> Any:
    return client.records.create({"metadata": {"title": "Reads of run 7"}})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


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


def test_an_existing_file(client: RepositoryClient, draft: Any) -> None:
    client.upload(("a", b"old"), draft)
    assert client.upload(("a", b"old"), draft).resumed == 3
    with pytest.raises(Conflict):
        client.upload(("a", b"new"), draft)


def test_links_are_followed_on_request(client: RepositoryClient, site: Any, draft: Any, tree: Path) -> None:
    (tree / "run" / "link").symlink_to(tree / "a.csv")
    client.files.upload_many(draft, [tree / "run"])
    assert sorted(site.files(draft)) == ["run/c.csv"]
    client.files.upload_many(draft, [tree / "run"], follow_symlinks=True)
    assert sorted(site.files(draft)) == ["run/c.csv", "run/link"]
    assert client.files.sync_dir(draft, tree / "run", dry_run=True, follow_symlinks=True).uploaded == ["c.csv", "link"]
    assert client.sync(tree / "run", draft, dry_run=True).uploaded == ["c.csv"]


def test_settings_of_nrp_cmd_from_the_environment(site: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(
        f'{{"repositories": [{{"alias": "here", "url": "{site.url}", "token": "{site.token}"}}], "default_alias": "here"}}'
    )
    config.chmod(0o600)
    with RepositoryClient.from_environment(config_path=config) as found:
        assert found.base_url == site.url
        assert found.whoami().authenticated
