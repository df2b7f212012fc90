"""``client.files`` against the local server, as a script uses it."""

import hashlib
import os
from pathlib import Path
from typing import Any, Iterator, List, Tuple
from unittest import mock

import pytest

from smartxfer import RetryPolicy, SyncReport
from smartxfer.errors import BatchError, Conflict, Forbidden, NotFound, TaskFailed, UsageError, WaitTimeout
from smartxfer.local import LocalServer
from smartxfer.nrp import (
    File,
    FileSink,
    FileSource,
    MemorySink,
    MemorySource,
    RepositoryClient,
    get_client,
    limit_connections,
)
from smartxfer.transfer.journal import Journal, state_directory
from tests.support.wrong_sizes import WrongSizes

MIB = 1 << 20
Site = Tuple[Any, RepositoryClient]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """One server for all: each test has a draft of its own."""
    with LocalServer(services=["nrp"]) as running:
        yield running.nrp


@pytest.fixture
def client(server: Any) -> Iterator[RepositoryClient]:
    """A client of the first user."""
    with get_client(server.url, token=server.token, retry=RetryPolicy(backoff=0)) as made:
        yield made


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


def test_parts_go_up_in_parallel_and_arrive_in_order(server: Any, client: RepositoryClient, draft: str) -> None:
    data = os.urandom(12 * MIB + 7)
    file = client.files.upload(draft, "m", None, data, "multipart", part_size=5 * MIB)
    assert file["transfer"]["type"] == "L"
    assert server.read(draft, "m") == data
    assert server.count(f"PUT /api/records/{draft}/draft/files/m/content/*", 200) == 3


def test_sources_and_sinks_of_every_kind(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path
) -> None:
    data = b"bytes of a file"
    path = tmp_path / "source"
    path.write_bytes(data)
    with open(path, "rb") as opened:
        sources: List[Any] = [str(path), path, FileSource(path), MemorySource(data), bytearray(data), opened]
        for number, source in enumerate(sources):
            assert client.files.upload(draft, f"{number}.txt", {}, source).checksum == md5(data)
    memory, named = MemorySink(), FileSink(tmp_path / "sink")
    assert client.files.download(draft, "0.txt", memory) is memory
    assert memory.data == data
    assert client.files.download(draft, "1.txt", sink=named) is named
    assert (str(named), named.path.read_bytes()) == (str(tmp_path / "sink"), data)
    assert client.files.download(draft, key="2.txt", sink=tmp_path) == tmp_path / "2.txt"
    with open(tmp_path / "opened", "w+b") as target:
        assert client.files.download(draft, "3.txt", target) is target


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


def test_metadata_is_changed_in_place_and_sent(client: RepositoryClient, draft: str) -> None:
    client.files.upload(draft, "a", None, b"x")
    file = client.files.read(draft, "a")
    assert file.metadata == {}
    file.metadata["description"] = "new"
    assert client.files.update(file).metadata == {"description": "new"}
    assert client.files.read(draft, "a").metadata == {"description": "new"}


def test_files_are_deleted_by_any_name(client: RepositoryClient, draft: str) -> None:
    for key in "abcd":
        client.files.upload(draft, key, {}, b"x")
    client.files.delete(draft, key="a")
    client.files.delete(client.files.read(draft, "b"))
    client.files.delete(str(client.files.read(draft, "c").links.self_).replace("/draft", ""))
    assert [file.key for file in client.files.list(draft)] == ["d"]
    with pytest.raises(NotFound):
        client.files.delete(draft, "a")
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


def test_two_files_of_one_key_are_refused_up_front(server: Any, client: RepositoryClient, draft: str) -> None:
    before = len(server.requests)
    with pytest.raises(UsageError, match="two files"):
        client.files.upload_many(draft, [("a", b"1"), ("a", b"2")])
    with pytest.raises(UsageError):
        client.files.upload(draft, "a/content", {}, b"1")
    with pytest.raises(FileNotFoundError):
        client.files.upload(draft, "a", {}, "/no/such/file")
    assert len(server.requests) == before


def test_a_directory_is_synchronised_by_checksums(
    server: Any, client: RepositoryClient, draft: str, tmp_path: Path
) -> None:
    for name, data in (("same", b"same"), ("other", b"new"), ("fresh", b"fresh")):
        (tmp_path / name).write_bytes(data)
    for key, data in (("same", b"same"), ("other", b"old"), ("extra", b"extra")):
        server.write(draft, key, data)
    planned = client.files.sync_dir(draft, tmp_path, dry_run=True, delete=True)
    assert (planned.uploaded, planned.replaced, planned.skipped, planned.deleted) == (
        ["fresh"],
        ["other"],
        ["same"],
        ["extra"],
    )
    assert server.files(draft) == {"same": 4, "other": 3, "extra": 5}
    assert server.read(draft, "other") == b"old"
    assert client.files.sync_dir(draft, tmp_path) == SyncReport(["fresh"], ["other"], ["same"], [])
    assert server.read(draft, "other") == b"new"
    assert client.files.sync_dir(draft, tmp_path, delete=True).deleted == ["extra"]
    assert set(server.files(draft)) == {"same", "other", "fresh"}


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


def test_what_is_not_complete_is_not_fetched(client: RepositoryClient, draft: str, tmp_path: Path) -> None:
    calls = client._api
    calls.send("POST", f"{calls.api_url}/records/{draft}/draft/files", json=[{"key": "half"}])
    with pytest.raises(Conflict, match="pending"):
        client.files.download(draft, "half", tmp_path / "half")
    with pytest.raises(Conflict, match="pending"):
        client.files.download_many(draft, tmp_path / "all")
    assert list(tmp_path.iterdir()) == []


def test_limit_connections_binds_the_workers(client: RepositoryClient, draft: str, tmp_path: Path) -> None:
    client.files.upload_many(draft, [(f"{number}", os.urandom(1000)) for number in range(6)])
    with limit_connections(1):
        results = client.files.download_many(draft, tmp_path)
    assert len(results) == 6


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

    def test_it_is_waited_for(self, server: Any, root: RepositoryClient) -> None:
        published = server.create({"p.txt": b"public"}, published=True)
        url = root.files.read(published, "p.txt").links.content
        draft = server.create(user="root")
        server.configure(fetch_delay=0.3)
        file = root.files.upload(draft, "f", {"a": 1}, url, "url-fetch")
        assert (file.status, file.transfer.type) == ("pending", "F")
        seen: List[File] = []
        done = root.files.wait_fetch(file, timeout=20, progress=seen.append)
        assert (done.status, done.checksum, seen[0].status) == ("completed", md5(b"public"), "pending")

    def test_one_that_fails_says_why(self, server: Any, root: RepositoryClient) -> None:
        draft = server.create(user="root")
        server.configure(fetch_delay=0.0)
        root.files.upload(draft, "f", None, f"{server.url}/nothing/there", "F")
        with pytest.raises(TaskFailed) as caught:
            root.files.wait_fetch(draft, "f", timeout=20)
        assert caught.value.task.status == "failed"

    def test_it_may_take_longer_than_one_waits(self, server: Any, root: RepositoryClient) -> None:
        draft = server.create(user="root")
        server.configure(fetch_delay=30.0)
        root.files.upload(draft, "f", None, f"{server.url}/", "F")
        with pytest.raises(WaitTimeout) as caught:
            root.files.wait_fetch(draft, "f", timeout=0)
        assert caught.value.last.status == "pending"

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
