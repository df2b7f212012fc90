"""Every signature of the Perseus page on the file service, called as shown there, with its result."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any, Iterator
from urllib.request import Request, urlopen

import pytest

from smartxfer.errors import NotFound, UploadFailed, WaitTimeout
from smartxfer.local import LocalServer
from smartxfer.perseus import File, FileStatus, PerseusClient

DATA = b"Oslo is the capital of Norway.\n"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def perseus_server() -> Iterator[LocalServer]:
    """One service for the page."""
    with LocalServer(services=["perseus"], perseus={}) as running:
        yield running


@pytest.fixture
def site(perseus_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty service; address and key are in the environment."""
    for name, value in perseus_server.perseus.env.items():
        monkeypatch.setenv(name, value)
    for record in perseus_server.perseus.records():
        perseus_server.perseus.backend.delete(record["id"])
    return perseus_server.perseus


@pytest.fixture
def client(site: Any) -> Iterator[PerseusClient]:
    """Return the object that the page calls an active PerseusClient instance."""
    with PerseusClient() as client:
        yield client


@pytest.fixture
def file_path(tmp_path: Path) -> str:
    path = tmp_path / "report.txt"
    path.write_bytes(DATA)
    return str(path)


def test_the_service_is_the_file_property_of_an_active_client(site: Any) -> None:
    with PerseusClient() as client:
        assert client.file.find_files() == []
    assert site.requests[-1] == ("POST", "/api/v0/file/find", 200)


class TestUploadFile:
    """``upload_file(file_path: str) -> File``"""

    def test_a_new_file(self, site: Any, client: PerseusClient, file_path: str) -> None:
        before = dt.datetime.now(dt.timezone.utc) - dt.timedelta(seconds=1)
        file = client.file.upload_file(file_path)
        assert isinstance(file, File)
        [record] = site.records()
        assert (file.id, file.name) == (record["id"], "report.txt")
        assert file.status in (FileStatus.PENDING, FileStatus.UPLOADED)
        assert file.created_at is not None
        assert before <= file.created_at <= dt.datetime.now(dt.timezone.utc)
        assert (site.content(file.id), record["sourceHash"]) == (DATA, HASH)

    def test_the_same_content_is_returned_without_uploading(
        self, site: Any, client: PerseusClient, file_path: str, tmp_path: Path
    ) -> None:
        first = client.file.upload_file(file_path)
        sent = site.count("PUT /storage/*")
        copy = tmp_path / "copy.txt"
        copy.write_bytes(DATA)
        second = client.file.upload_file(file_path=str(copy))
        assert (second.id, second.name, second.status) == (first.id, "report.txt", FileStatus.UPLOADED)
        assert site.count("PUT /storage/*") == sent
        assert len(site.records()) == 1


def test_create_file_answers_the_record_and_where_its_content_goes(site: Any, client: PerseusClient) -> None:
    created = client.file.create_file(name="report.txt", source_hash=HASH)
    assert sorted(created) == ["file", "upload_url"]
    file, upload_url = created["file"], created["upload_url"]
    assert isinstance(file, File)
    assert (file.name, file.status) == ("report.txt", "pending")
    assert isinstance(upload_url, str)
    assert upload_url.startswith(f"{site.storage_url}/")
    octets = {"Content-Type": "application/octet-stream"}
    with urlopen(Request(upload_url, DATA, octets, method="PUT"), timeout=10) as answer:
        assert answer.status == 200
    assert site.content(file.id) == DATA
    assert client.file.wait_for_file_upload(file.id).status == FileStatus.UPLOADED


class TestFindFiles:
    """``find_files(ids=None, source_hashes=None) -> List[File]``"""

    def test_by_ids_by_hashes_by_both_and_all(self, site: Any, client: PerseusClient) -> None:
        ids = [site.write("a.txt", b"a"), site.write("b.txt", b"b"), site.write("c.txt", DATA)]
        assert {file.id for file in client.file.find_files()} == set(ids)
        found = client.file.find_files(ids=ids[:2])
        assert all(isinstance(file, File) for file in found)
        assert {(file.id, file.name) for file in found} == {(ids[0], "a.txt"), (ids[1], "b.txt")}
        [by_hash] = client.file.find_files(source_hashes=[HASH])
        assert by_hash.id == ids[2]
        assert client.file.find_files([ids[2]], [HASH]) == [by_hash]
        assert client.file.find_files([ids[0]], [HASH]) == []

    def test_empty_if_there_is_none(self, client: PerseusClient) -> None:
        assert client.file.find_files(["nothing"]) == []
        assert client.file.find_files(source_hashes=[HASH]) == []


def test_find_file_is_one_or_none(site: Any, client: PerseusClient) -> None:
    id = site.write("a.txt", b"a")
    file = client.file.find_file(id=id)
    assert isinstance(file, File)
    assert (file.id, file.name, file.status) == (id, "a.txt", "uploaded")
    assert client.file.find_file("nothing") is None


def test_delete_file_answers_none_and_the_record_is_gone(site: Any, client: PerseusClient) -> None:
    id, other = site.write("a.txt", b"a"), site.write("b.txt", b"b")
    delete_file: Any = client.file.delete_file
    assert delete_file(file_id=id) is None
    assert client.file.find_file(id) is None
    assert [record["id"] for record in site.records()] == [other]


class TestWaitForFileUpload:
    """``wait_for_file_upload(file_id, polling_interval=0.5, timeout=3600) -> File``"""

    def test_until_it_is_uploaded(self, site: Any, client: PerseusClient, file_path: str) -> None:
        site.configure(upload_delay=0.1)
        try:
            file = client.file.upload_file(file_path)
            assert file.status == FileStatus.PENDING
            final = client.file.wait_for_file_upload(file.id, 0.02, 10)
        finally:
            site.configure(upload_delay=0.0)
        assert isinstance(final, File)
        assert (final.id, final.name, final.status) == (file.id, "report.txt", FileStatus.UPLOADED)

    def test_by_name_and_with_the_defaults(self, site: Any, client: PerseusClient) -> None:
        id = site.write("a.txt", b"a")
        final = client.file.wait_for_file_upload(file_id=id, polling_interval=0.5, timeout=3600)
        assert final == client.file.wait_for_file_upload(id)

    def test_failed_too_long_and_gone(self, site: Any, client: PerseusClient) -> None:
        failed, pending = site.write("a", b"a", status="failed"), site.write("b", b"b", status="pending")
        with pytest.raises(UploadFailed) as raised:
            client.file.wait_for_file_upload(failed)
        assert (raised.value.file.id, raised.value.file.status) == (failed, FileStatus.FAILED)
        with pytest.raises(WaitTimeout) as late:
            client.file.wait_for_file_upload(pending, 0.01, 0)
        assert late.value.last.id == pending
        with pytest.raises(NotFound):
            client.file.wait_for_file_upload("nothing")
