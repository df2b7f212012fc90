from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from smartxfer.errors import AlreadyInProgress
from smartxfer.transfer.journal import DirectoryStorage, FileLock, Journal, state_directory, write_atomic
from tests.support.fake_clock import FakeClock
from tests.support.sinks import hooked, raising

KEY = {"service": "s", "origin": "http://h", "account": "me", "recipients": ["a"]}


class Memory(Dict[str, str]):
    """A storage of the caller's own."""

    saves = 0
    load = dict.get

    def save(self, key: str, text: str) -> None:
        self.saves += 1
        self[key] = text

    def remove(self, key: str) -> None:
        self.pop(key, None)


def files() -> List[Path]:
    return sorted((state_directory() / "journals").glob("*"))


def test_a_later_run_remembers() -> None:
    with Journal(KEY, "it") as journal:
        assert journal.state == {}
        journal.update(transfer={"id": 5})
        journal.append("acknowledged", "a", 0)
        journal.append("acknowledged", "a", 1)
        journal.append("acknowledged", "b", 0)
    with Journal(dict(reversed(list(KEY.items()))), "it") as journal:  # the order says nothing
        assert journal.state == {"transfer": {"id": 5}, "acknowledged": {"a": [0, 1], "b": [0]}}
        journal.remove_entry("acknowledged", "a")
    with Journal(KEY, "it") as journal:
        assert journal.state["acknowledged"] == {"b": [0]}
        journal.clear()
    assert files() == []
    with Journal(KEY, "it") as journal:
        assert journal.state == {}


@pytest.mark.parametrize(
    "change", [{"service": "t"}, {"origin": "https://h"}, {"account": "x"}, {"recipients": []}]
)
def test_another_request_remembers_nothing(change: Dict[str, Any]) -> None:
    with Journal(KEY, "it") as journal:
        journal.update(a=1)
    with Journal({**KEY, **change}, "it") as journal:
        assert journal.state == {}


def test_only_its_owner_can_read_it() -> None:
    with Journal(KEY, "it") as journal:
        journal.update(token="t")
        (path,) = files()
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert "http" not in path.name


def test_one_process_at_a_time() -> None:
    with Journal(KEY, "the upload"):
        with pytest.raises(AlreadyInProgress, match="the upload") as caught:
            Journal(KEY, "the upload")
        assert "wait" in caught.value.hint
        code = f"from smartxfer.transfer.journal import Journal\nJournal({KEY!r}, 'x')"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "AlreadyInProgress" in done.stderr
    Journal(KEY, "the upload").close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"version": 99, "state": {"a": 1}}', "unknown version"),
        (b'{"state": {"a": 1}}', "unknown version"),
        (b"[]", "unknown version"),
        *((text, "cannot read") for text in (b"{", b"", b"[" * 5_000, b"\xff\xfe")),
    ],
    ids=["a later version", "no version", "a list", "cut short", "empty", "too deep", "no text"],
)
def test_what_cannot_be_understood_is_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture, text: bytes, why: str
) -> None:
    with Journal(KEY, "it") as journal:
        journal.update(a=1)
    files()[0].write_bytes(text)
    with caplog.at_level(logging.WARNING, "smartxfer"), Journal(KEY, "it") as journal:
        assert journal.state == {}
        journal.update(b=2)
    assert why in caplog.text
    with Journal(KEY, "it") as journal:
        assert journal.state == {"b": 2}


def test_an_unwritable_directory_costs_the_resume_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blocker").write_bytes(b"")
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "blocker" / "state"))
    with Journal(KEY, "it") as journal:
        journal.update(a=1)
        journal.append("b", "c", 1)
        assert journal.state == {"a": 1, "b": {"c": [1]}}
        journal.save()
        journal.clear()
    assert "cannot write a journal" in caplog.text
    assert "cannot lock" in caplog.text


def test_it_is_saved_soon_not_at_every_part() -> None:
    clock, storage = FakeClock(), Memory()
    with Journal(KEY, "it", storage=storage, clock=clock) as journal:
        journal.update(transfer=1)
        before = storage.saves
        for number in range(100):
            journal.append("acknowledged", "a", number)
        assert storage.saves == before
        clock.advance(0.5)
        journal.append("acknowledged", "a", 100)
        assert storage.saves == before + 1
        journal.append("acknowledged", "a", 101)
    (text,) = storage.values()
    assert json.loads(text)["state"]["acknowledged"]["a"] == list(range(102))


def test_expired_journals_and_locks_are_removed_by_name_alone() -> None:
    storage, directory = DirectoryStorage(), state_directory() / "journals"
    for name in ("old", "new", "mine"):
        storage.save(name, "{}")
    (directory / "old.json.tmp").write_text("left by a killed process")
    target = state_directory() / "target"
    target.write_text("kept")
    (directory / "link.json").symlink_to(target)
    FileLock("name", "it").release()
    [lock] = (state_directory() / "locks").iterdir()
    before = time.time() - 22 * 24 * 3600
    for path in (lock, *(directory / name for name in ("old.json", "old.json.tmp", "link.json"))):
        os.utime(path, (before, before), follow_symlinks=False)
    storage.remove("mine")
    assert [path.name for path in files()] == ["new.json"]
    assert (lock.exists(), target.read_text()) == (False, "kept")
    storage.remove("mine")  # twice does no harm


def test_a_small_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, "one")
    with pytest.raises(OSError, match="no"):
        write_atomic(path, "two", hooked(replace=raising(OSError("no"))))
    assert (path.read_text(), [found.name for found in tmp_path.iterdir()]) == ("one", ["state.json"])


def test_the_state_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTXFER_STATE_DIR", "~/elsewhere")
    assert state_directory() == Path.home() / "elsewhere"
    monkeypatch.delenv("SMARTXFER_STATE_DIR")
    assert state_directory().name == "smartxfer"


def test_a_lock_can_be_taken_again() -> None:
    lock = FileLock("name", "it")
    lock.release()
    lock.release()
    FileLock("name", "it").release()
