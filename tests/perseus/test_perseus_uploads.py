"""Uploads: which files are sent, and the records that remain."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import AlreadyInProgress, SourceChanged, StorageError, UploadPendingElsewhere
from smartxfer.perseus import FileStatus, PerseusClient
from smartxfer.perseus.api import PerseusApi
from smartxfer.transfer.journal import Journal, state_directory
from tests.support.fake_clock import FakeClock
from tests.support.perseus_server import PerseusServer

DATA = bytes(range(256)) * 300
EMPTY_ANSWER = b'{"files": []}'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "report.txt"
    made.write_bytes(DATA)
    return made


@pytest.fixture
def none_found(tmp_path: Path) -> str:
    """The effect by which a question finds nothing, whatever there is."""
    answer = tmp_path / "none.json"
    answer.write_bytes(EMPTY_ANSWER)
    return f"status 200 body=file:{answer}"


class TestNew:
    def test_one_question_one_record_one_put(self, harness: PerseusServer, live: PerseusClient, path: Path) -> None:
        file = live.file.upload_file(path)
        assert harness.calls == ["find", "create", "put"]
        assert harness.site.content(file.id) == DATA
        assert (file.name, file.reused) == ("report.txt", False)
        assert file.result is not None
        result = file.result
        assert (result.bytes, result.resumed, result.digest) == (len(DATA), 0, f"sha256:{sha256(DATA)}")


class TestKnown:
    def test_known_content_is_not_sent(self, harness: PerseusServer, live: PerseusClient, path: Path) -> None:
        id = harness.site.write("first name.txt", DATA)
        file = live.file.upload_file(path)
        assert harness.calls == ["find"]
        assert (file.id, file.name, file.reused) == (id, "first name.txt", True)
        assert file.result is not None
        assert (file.result.resumed, file.result.verified) == (len(DATA), "sha256")

    @pytest.mark.parametrize("known", ["409", "no-url"])
    def test_it_became_known_after_the_question(
        self, harness: PerseusServer, live: PerseusClient, path: Path, none_found: str, known: str
    ) -> None:
        id = harness.site.write("theirs.txt", DATA)
        harness.site.configure(known=known)
        harness.fault("POST /api/v0/file/find", none_found)
        file = live.file.upload_file(path)
        assert (file.id, file.reused) == (id, True)
        assert "put" not in harness.calls

    def test_a_failed_record_is_replaced(self, harness: PerseusServer, live: PerseusClient, path: Path) -> None:
        id = harness.site.write("report.txt", DATA, status="failed")
        file = live.file.upload_file(path)
        assert harness.calls == ["find", "delete", "create", "put"]
        assert file.id != id
        assert not file.reused
        assert harness.statuses() == ["uploaded"]

    def test_of_several_records_the_good_one_counts(
        self, harness: PerseusServer, live: PerseusClient, path: Path
    ) -> None:
        good = harness.site.write("a", DATA)
        harness.site.write("b", DATA, status="failed")
        harness.site.write("c", DATA, status="pending")
        assert live.file.upload_file(path).id == good
        assert harness.calls == ["find"]


class TestPending:
    def test_it_stays_pending(self, harness: PerseusServer, live: PerseusClient, clock: FakeClock, path: Path) -> None:
        id = harness.site.write("theirs.txt", DATA, status="pending")
        with pytest.raises(UploadPendingElsewhere, match=r"repair=True") as raised:
            live.file.upload_file(path, grace=5.0)
        assert (raised.value.file.id, raised.value.file.status) == (id, FileStatus.PENDING)
        assert sum(clock.waits) == pytest.approx(5.0)
        assert clock.waits[:2] == sorted(clock.waits[:2])
        assert set(harness.calls) == {"find"}
        assert [record["id"] for record in harness.site.records()] == [id]

    def test_no_grace(self, harness: PerseusServer, live: PerseusClient, clock: FakeClock, path: Path) -> None:
        harness.site.write("theirs.txt", DATA, status="pending")
        with pytest.raises(UploadPendingElsewhere):
            live.file.upload_file(path, grace=0)
        assert (clock.waits, harness.calls) == ([], ["find"])

    @pytest.mark.parametrize("status", ["pending", "scanning"])
    def test_another_client_completes_it_within_the_grace(self, harness: PerseusServer, path: Path, status: str) -> None:
        """An unknown status is not final, as ``pending`` is not."""
        id = harness.site.write("theirs.txt", DATA, status=status)

        class Finishing(FakeClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if len(self.waits) == 2:
                    harness.site.backend.records.set_status(id, "uploaded")

        file = harness.client(clock=Finishing()).file.upload_file(path)
        assert (file.id, file.status, file.reused) == (id, FileStatus.UPLOADED, True)
        assert harness.calls == ["find", "find", "find"]

    def test_the_service_may_let_a_pending_record_be(
        self, harness: PerseusServer, live: PerseusClient, path: Path, none_found: str
    ) -> None:
        harness.site.configure(recreate_pending=True)
        harness.site.write("theirs.txt", DATA, status="pending")
        harness.fault("POST /api/v0/file/find", none_found)
        assert harness.site.content(live.file.upload_file(path).id) == DATA


class TestRefused:
    def test_the_record_goes_under_its_lock_and_its_journal_with_it(
        self, harness: PerseusServer, live: PerseusClient, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Detect another process that takes the pending record for its own while it is deleted."""
        key = {"service": "perseus", "api": live._api.base_url, "sha256": sha256(DATA)}
        delete, met = PerseusApi.delete, []

        def watched(calls: PerseusApi, id: str) -> None:
            with pytest.raises(AlreadyInProgress):
                Journal(key, "the same content")
            met.append(id)
            delete(calls, id)

        monkeypatch.setattr(PerseusApi, "delete", watched)
        harness.site.configure(max_size=1000)
        with pytest.raises(StorageError):
            live.file.upload_file(path)
        assert len(met) == 1
        assert list((state_directory() / "journals").iterdir()) == []

    def test_what_could_not_be_cleaned_up_is_in_nobodys_way(
        self, harness: PerseusServer, live: PerseusClient, path: Path
    ) -> None:
        """The next run knows that the pending record is of its own making."""
        harness.fault("PUT /storage/*", "status 403 body=json:AccessDenied")
        harness.fault("DELETE /api/v0/file/*", "status 500")
        with pytest.raises(StorageError):
            live.file.upload_file(path)
        assert harness.statuses() == ["pending"]
        file = live.file.upload_file(path)
        assert harness.calls[-4:] == ["find", "delete", "create", "put"]
        assert (harness.statuses(), harness.site.content(file.id)) == (["uploaded"], DATA)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_changes_after_its_checksum(
    harness: PerseusServer, live: PerseusClient, path: Path, monkeypatch: pytest.MonkeyPatch, same_size: bool
) -> None:
    backend = harness.site.backend
    real = backend.presigned_url

    def address(row: Any) -> str:
        path.write_bytes(DATA[::-1] if same_size else DATA + b"more")
        return real(row)

    monkeypatch.setattr(backend, "presigned_url", address)
    with pytest.raises(SourceChanged):
        live.file.upload_file(path)
    assert harness.statuses() == []


class TestMany:
    def test_in_order_and_the_same_content_once(
        self, harness: PerseusServer, live: PerseusClient, tmp_path: Path
    ) -> None:
        harness.site.write("there.txt", b"there")
        contents = [b"one", b"two", b"one", b"there", b"", b"two"]
        paths = []
        for number, data in enumerate(contents):
            paths.append(tmp_path / f"{number}.txt")
            paths[-1].write_bytes(data)
        files = live.file.upload_many(paths)
        assert [harness.site.content(file.id) for file in files] == contents
        assert files[3].reused
        for data in (b"one", b"two", b""):
            reused = [file.reused for file, content in zip(files, contents) if content == data]
            assert reused.count(False) == 1
        assert (harness.calls.count("create"), harness.calls.count("put")) == (3, 3)
        assert [file.result.name for file in files if file.result] == [made.name for made in paths]
        assert len({file.id for file in files}) == 4

    def test_two_directories_may_have_files_of_one_name(
        self, harness: PerseusServer, live: PerseusClient, tmp_path: Path
    ) -> None:
        paths = [tmp_path / "a" / "x.txt", tmp_path / "b" / "x.txt"]
        for number, made in enumerate(paths):
            made.parent.mkdir()
            made.write_bytes(b"%d" % number)
        files = live.file.upload_many(paths, wait=True)
        assert [(file.name, harness.site.content(file.id)) for file in files] == [
            ("x.txt", b"0"),
            ("x.txt", b"1"),
        ]
