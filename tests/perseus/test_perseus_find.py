"""Finding and deleting files, and files of a directory that are already stored."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable
from unittest import mock

import pytest

from smartxfer import SyncReport
from smartxfer.errors import NotFound, UsageError
from smartxfer.perseus import PerseusClient
from smartxfer.transfer.journal import Journal, state_directory
from tests.support.perseus_server import PerseusServer
from tests.support.wrong_sizes import WrongSizes


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class TestFind:
    def test_an_empty_list_finds_nothing_and_asks_nothing(self, harness: PerseusServer, live: PerseusClient) -> None:
        id = harness.site.write("a.txt", b"a")
        assert live.file.find_files(ids=[]) == []
        assert live.file.find_files(source_hashes=[]) == []
        assert live.file.find_files([id], []) == []
        assert live.file.find_files([], [sha256(b"a")]) == []
        assert live.file.wait_for_file_uploads([]) == []
        assert harness.calls == []
        assert [file.id for file in live.file.find_files()] == [id]

    def test_more_than_fits_in_one_question(self, harness: PerseusServer, live: PerseusClient) -> None:
        ids = [harness.site.write(f"{number}", b"%d" % number) for number in range(3)]
        asked = [ids[0], *(f"none-{number}" for number in range(250)), ids[0], ids[1], ids[2]]
        assert {file.id for file in live.file.find_files(asked)} == set(ids)
        assert harness.calls == ["find", "find"]

    def test_a_hash_in_capitals_and_a_file_for_an_id(self, harness: PerseusServer, live: PerseusClient) -> None:
        id = harness.site.write("a", b"a")
        [file] = live.file.find_files(source_hashes=[sha256(b"a").upper()])
        assert (file.id, file.source_hash) == (id, sha256(b"a"))
        found = live.file.find_file(file)
        assert found is not None
        assert found.id == id
        assert [one.id for one in live.file.find_files(ids=[file])] == [id]

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda file: file.find_files([""]),
            lambda file: file.find_file(""),
            lambda file: file.find_file("."),
            lambda file: file.find_files(source_hashes=["abc"]),
            lambda file: file.find_files(source_hashes=[f"{'g' * 64}"]),
            lambda file: file.create_file("a.txt", "abc"),
            lambda file: file.create_file("", sha256(b"a")),
            lambda file: file.create_file("a/b", sha256(b"a")),
            lambda file: file.delete_file(""),
            lambda file: file.delete_file(".."),
            lambda file: file.wait_for_file_upload(""),
            lambda file: file.wait_for_file_upload("a", polling_interval=0),
            lambda file: file.find_files(5),
            lambda file: file.upload_many(5),
            lambda file: file.upload_many({"a": b"a"}),
            lambda file: file.sync_dir("nowhere"),
            lambda file: file.exists(os.getcwd()),
        ],
    )
    def test_what_makes_no_sense_is_not_asked(
        self,
        harness: PerseusServer,
        live: PerseusClient,
        wrong: Callable[[Any], Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "only.txt").write_bytes(b"a")
        with pytest.raises(UsageError):
            wrong(live.file)
        assert harness.calls == []


class TestDelete:
    def test_it_is_gone_and_its_content_may_come_again(self, harness: PerseusServer, live: PerseusClient) -> None:
        file = live.file.upload_file(("a.txt", b"a"))
        live.file.delete_file(file)
        assert harness.site.records() == []
        with pytest.raises(NotFound):
            live.file.delete_file(file.id)
        assert not live.file.upload_file(("a.txt", b"a")).reused


class TestExists:
    def test_it_is_the_content_that_counts(self, harness: PerseusServer, live: PerseusClient, tmp_path: Path) -> None:
        harness.site.write("other name.txt", b"a")
        path = tmp_path / "a.txt"
        path.write_bytes(b"a")
        assert live.file.exists(path)
        assert live.file.exists(b"a")
        path.write_bytes(b"b")
        assert not live.file.exists(path)
        assert harness.calls == ["find", "find", "find"]

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_a_record_without_content_does_not(self, harness: PerseusServer, live: PerseusClient, status: str) -> None:
        harness.site.write("a.txt", b"a", status=status)
        assert not live.file.exists(b"a")

    def test_no_such_file(self, harness: PerseusServer, live: PerseusClient, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            live.file.exists(tmp_path / "nowhere")
        assert harness.calls == []


class TestSync:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """Three files, two of one content, and one that the service has."""
        root = tmp_path / "data"
        for name, data in {
            "a.txt": b"a",
            "same.txt": b"a",
            "deep/er/a.txt": b"deep",
            "there.txt": b"there",
        }.items():
            made = root / name
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(data)
        return root

    def test_what_is_missing_is_sent(self, harness: PerseusServer, live: PerseusClient, directory: Path) -> None:
        there = harness.site.write("somewhere else.txt", b"there")
        done = live.file.sync_dir(directory)
        assert isinstance(done, SyncReport)
        assert sorted(done.uploaded) == ["a.txt", "deep/er/a.txt", "same.txt"]
        assert done.skipped == ["there.txt"]
        assert done.files["there.txt"].id == there
        assert done.files["a.txt"].id == done.files["same.txt"].id
        assert {name: harness.site.content(file.id) for name, file in done.files.items()} == {
            "a.txt": b"a",
            "same.txt": b"a",
            "deep/er/a.txt": b"deep",
            "there.txt": b"there",
        }
        assert harness.calls.count("put") == 2

    @pytest.mark.parametrize("reported", [0, 4096, 1 << 30])
    def test_a_file_of_a_wrong_size_is_sent_whole(
        self, harness: PerseusServer, live: PerseusClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reported: int
    ) -> None:
        (tmp_path / "cpuinfo").write_bytes(b"processor : 0")
        WrongSizes(monkeypatch).tell(tmp_path / "cpuinfo", reported)
        done = live.file.sync_dir(tmp_path)
        assert harness.site.content(done.files["cpuinfo"].id) == b"processor : 0"

    def test_a_run_that_was_ended_late_leaves_no_journal(
        self, harness: PerseusServer, live: PerseusClient, directory: Path
    ) -> None:
        """Detect a journal of content that has arrived: nothing would remove it for weeks."""
        with mock.patch.object(Journal, "clear"):  # its last act is missing
            live.file.sync_dir(directory)
        journals = state_directory() / "journals"
        there = len(list(journals.iterdir()))
        assert there == 3
        live.file.sync_dir(directory, dry_run=True)
        assert len(list(journals.iterdir())) == there
        live.file.sync_dir(directory)
        assert list(journals.iterdir()) == []

    def test_an_empty_directory_and_a_file(self, harness: PerseusServer, live: PerseusClient, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        done = live.file.sync_dir(tmp_path / "empty")
        assert (done.uploaded, done.skipped, done.files) == ([], [], {})
        (tmp_path / "a.txt").write_bytes(b"a")
        with pytest.raises(UsageError, match="not a directory"):
            live.file.sync_dir(tmp_path / "a.txt")
        assert harness.calls == []
