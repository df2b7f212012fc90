"""``client.files`` against the local server, as a script uses it."""

import hashlib
import os
from pathlib import Path
from typing import Any, Iterator, Tuple
from unittest import mock

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import BatchError, Conflict, Forbidden, UsageError
from smartxfer.nrp import RepositoryClient, get_client
from smartxfer.transfer.journal import Journal, state_directory
from tests.support.nrp_server import NRPServer
from tests.support.wrong_sizes import WrongSizes

MIB = 1 << 20
Site = Tuple[Any, RepositoryClient]


@pytest.fixture
def server(harness: NRPServer) -> Any:
    """The running repository: each test has a draft of its own."""
    return harness.site


@pytest.fixture
def client(live: RepositoryClient) -> RepositoryClient:
    """A client of the first user."""
    return live


@pytest.fixture
def draft(server: Any) -> str:
    """The id of an empty draft."""
    return str(server.create())


def md5(data: bytes) -> str:
    """The checksum as the repository writes it."""
    return f"md5:{hashlib.md5(data).hexdigest()}"


@pytest.mark.parametrize("transfer_type", ["local-file", "L", "multipart", "M", "auto"])
@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_file_goes_up_and_comes_down(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path, transfer_type: str, size: int
) -> None:
    data = os.urandom(size)
    file = client.files.upload(draft, "dir/b c.bin", {"description": "d"}, data, transfer_type)
    assert (file.key, file.size, file.checksum, file.status) == ("dir/b c.bin", size, md5(data), "completed")
    assert file.metadata == {"description": "d"}
    assert file.result is not None
    assert (file.result.verified, file.result.digest) == ("md5", md5(data))
    assert server.read(draft, "dir/b c.bin") == data
    target = client.files.download(file, tmp_path / "deep" / "down.bin")
    assert target == tmp_path / "deep" / "down.bin"
    assert target.read_bytes() == data


def test_ways_to_name_a_record_and_a_file(server: Any, client: RepositoryClient, draft: str) -> None:
    class Url:
        """Anything whose str() is an address."""

        def __init__(self, text: str) -> None:
            self.text = text

        def __str__(self) -> str:
            return self.text

    server.write(draft, "a b.txt", b"x")
    api = f"{server.url}/api/records/{draft}"
    for record in (draft, api, f"{api}/draft", f"{api}/draft/files", Url(api), f"{server.url}/uploads/{draft}"):
        [file] = client.files.list(record)
        assert client.files.read(record, "a b.txt").checksum == file.checksum
    for url in (file.links.self_, f"{api}/files/a%20b.txt", Url(str(file.links.content)), file):
        assert client.files.read(url).key == "a b.txt"
    published = server.create({"p.txt": b"public"}, published=True)
    for record in (published, f"{server.url}/records/{published}"):
        assert [file.key for file in client.files.list(record)] == ["p.txt"]


@pytest.mark.parametrize("thing", ["", "..", "a/b", None, 1.5, "https://elsewhere.example/api/records/a"])
def test_what_names_no_record_is_refused_before_anything_is_sent(
    server: Any, client: RepositoryClient, thing: Any
) -> None:
    assert client.repository.name is not None
    before = len(server.requests)
    with pytest.raises(UsageError):
        client.files.list(thing)
    assert len(server.requests) == before


def test_the_same_bytes_again_are_left_alone_and_others_are_a_conflict(
    server: Any, client: RepositoryClient, draft: str
) -> None:
    client.files.upload(draft, "a", {"n": 1}, b"one")
    again = client.files.upload(draft, "a", {"n": 2}, b"one")
    assert again.result is not None
    assert (again.result.resumed, again.metadata) == (3, {"n": 2})
    assert server.count(f"PUT /api/records/{draft}/draft/files/a/content") == 1
    with pytest.raises(Conflict, match="other content"):
        client.files.upload(draft, "a", {}, b"two")
    assert server.read(draft, "a") == b"one"
    assert client.files.upload(draft, "a", {}, b"two", replace=True).checksum == md5(b"two")
    assert server.read(draft, "a") == b"two"
    assert server.count(f"DELETE /api/records/{draft}/draft/files/a") == 1


def test_files_are_deleted_by_any_name(client: RepositoryClient, draft: str) -> None:
    """By key, file and address: see seeds/test_nrp_seed_entries.py."""
    for key in "cd":
        client.files.upload(draft, key, {}, b"x")
    client.files.delete(str(client.files.read(draft, "c").links.self_).replace("/draft", ""))
    assert [file.key for file in client.files.list(draft)] == ["d"]
    with pytest.raises(UsageError, match="missing key"):
        client.files.delete(draft)
    client.files.delete_all(draft)
    assert client.files.list(draft) == []


def test_many_files_are_started_by_one_request(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path
) -> None:
    (tmp_path / "up" / "inner").mkdir(parents=True)
    for name in ("up/1", "up/inner/2", "3"):
        (tmp_path / name).write_bytes(name.encode())
    files = client.files.upload_many(
        draft,
        [tmp_path / "up", ("three", tmp_path / "3"), ("four", b"4", {"own": True})],
        metadata={"common": True},
    )
    assert [file.key for file in files] == ["up/1", "up/inner/2", "three", "four"]
    assert [file.metadata for file in files] == [{"common": True}] * 3 + [{"own": True}]
    assert server.count(f"POST /api/records/{draft}/draft/files") == 1
    results = client.files.download_many(draft, tmp_path / "down")
    assert [result.verified for result in results] == ["md5"] * 4
    assert (tmp_path / "down" / "up" / "inner" / "2").read_bytes() == b"up/inner/2"
    assert client.files.upload_many(draft, [("four", b"4", {"own": True})])[0].result.resumed == 1  # type: ignore[union-attr]


def test_one_that_fails_does_not_stop_the_others(server: Any, client: RepositoryClient, draft: str) -> None:
    client.files.upload(draft, "taken", {}, b"old")
    with pytest.raises(BatchError) as caught:
        client.files.upload_many(draft, [("taken", b"new"), ("free", b"free")])
    assert [result.ok for result in caught.value.results] == [False, True]
    assert (server.read(draft, "taken"), server.read(draft, "free")) == (b"old", b"free")


def test_a_synchronisation_after_a_run_that_was_ended_late_leaves_no_journal(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path
) -> None:
    """Detect a journal of a file that is complete: nothing would remove it for weeks."""
    (tmp_path / "a").write_bytes(b"same")
    with mock.patch.object(Journal, "clear"):  # its last act is missing
        client.files.sync_dir(draft, tmp_path)
    journals = state_directory() / "journals"
    assert len(list(journals.iterdir())) == 1
    assert client.files.sync_dir(draft, tmp_path, dry_run=True).skipped == ["a"]
    assert len(list(journals.iterdir())) == 1
    assert client.files.sync_dir(draft, tmp_path).skipped == ["a"]
    assert list(journals.iterdir()) == []


def test_a_synchronisation_leaves_the_journal_of_another_upload(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"same")
    with mock.patch.object(Journal, "clear"):
        client.files.sync_dir(draft, tmp_path)
    client.files.delete(draft, "a")
    server.write(draft, "a", b"same")
    assert client.files.sync_dir(draft, tmp_path).skipped == ["a"]
    assert len(list((state_directory() / "journals").iterdir())) == 1


@pytest.mark.parametrize("thing", [5, b"x", [1], {"a": 1}, object()], ids=type)
def test_a_key_is_text(client: RepositoryClient, draft: str, thing: Any) -> None:
    for call in (client.files.read, client.files.delete, client.files.wait_fetch):
        with pytest.raises(UsageError, match="key must be a string"):
            call(draft, thing)


@pytest.mark.parametrize("thing", [None, 5, {"a": 1}, object()], ids=type)
def test_files_are_a_list(server: Any, client: RepositoryClient, draft: str, thing: Any) -> None:
    before = len(server.requests)
    with pytest.raises(UsageError, match="list"):
        client.files.upload_many(draft, thing)
    with pytest.raises(UsageError):
        client.files.download(draft, "a", thing)
    assert len(server.requests) == before


@pytest.mark.parametrize("reported", [0, 4096, 1 << 30])
def test_a_synchronised_file_of_a_wrong_size_is_sent_whole(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: int
) -> None:
    (tmp_path / "cpuinfo").write_bytes(b"processor : 0")
    WrongSizes(monkeypatch).tell(tmp_path / "cpuinfo", reported)
    assert client.files.sync_dir(draft, tmp_path).uploaded == ["cpuinfo"]
    assert server.read(draft, "cpuinfo") == b"processor : 0"
    assert client.files.sync_dir(draft, tmp_path).skipped == ["cpuinfo"]


class TestFetch:
    """The repository fetches an address itself."""

    @pytest.fixture
    def root(self, server: Any) -> Iterator[RepositoryClient]:
        """A client who may have it do so."""
        host = server.url.partition("//")[2]
        server.configure(fetch_hosts=(host,), remote_hosts=(host,))
        with get_client(server.url, token=server.superuser_token, retry=RetryPolicy(backoff=0)) as made:
            yield made
        server.configure(fetch_hosts=(), remote_hosts=(), fetch_delay=0.0)

    @pytest.mark.parametrize("kind", ["url-fetch", "remote"])
    def test_a_missing_permission_is_reported(
        self, server: Any, root: RepositoryClient, client: RepositoryClient, kind: str
    ) -> None:
        """Detect the hint that the token may be expired."""
        with pytest.raises(Forbidden) as caught:
            client.files.upload(server.create(), "f", None, f"{server.url}/x", kind)
        assert "transfer_type='local-file'" in caught.value.hint

    @pytest.mark.parametrize("kind", ["url-fetch", "remote"])
    def test_another_file_of_that_key_is_not_taken_for_it(
        self, server: Any, root: RepositoryClient, kind: str
    ) -> None:
        """Detect the older file, which was returned as the one that the repository fetched."""
        server.configure(fetch_delay=0.0)
        url = root.files.read(server.create({"p.txt": b"public"}, published=True), "p.txt").links.content
        draft = server.create(user="root")
        root.files.upload(draft, "f", None, b"older")
        with pytest.raises(Conflict, match="does not return its source URL") as caught:
            root.files.upload(draft, "f", None, url, kind)
        assert "replace=True" in caught.value.hint
        assert root.files.read(draft, "f").checksum == md5(b"older")
        root.files.upload(draft, "f", None, url, kind, replace=True)
        if kind == "url-fetch":
            assert root.files.wait_fetch(draft, "f", timeout=20).checksum == md5(b"public")
        else:
            assert root.files.read(draft, "f").transfer.type == "R"

    def test_bytes_are_not_an_address(self, root: RepositoryClient) -> None:
        with pytest.raises(UsageError, match="must be a URL"):
            root.files.upload("any", "f", None, b"bytes", "url-fetch")
