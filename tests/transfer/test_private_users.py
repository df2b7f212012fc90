"""State files on other systems, and of other users that run at the same time."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Optional

import pytest

from smartxfer import directories
from smartxfer.errors import AlreadyInProgress
from smartxfer.transfer import file_locks
from smartxfer.transfer.journal import FileLock, Journal, state_directory
from smartxfer.transfer.private_files import NotPrivate, PrivateDirectory
from tests.support.planted_state import AS_ROOT, KEY, STRANGER, only, remembered, to_stranger, writable_by_all
from tests.support.sinks import begun, descriptors, fetched, held_by_a_process


class Msvcrt:
    """Locks as the Windows module has them, by the means of this system."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def locking(self, fd: int, mode: int, count: int) -> None:
        import fcntl

        assert (os.lseek(fd, 0, os.SEEK_CUR), count) == (0, 1)
        try:
            fcntl.flock(fd, fcntl.LOCK_UN if mode == self.LK_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None


def test_locks_without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_locks, "HAS_FLOCK", False)
    monkeypatch.setattr(file_locks, "_fcntl", None)
    monkeypatch.setattr(file_locks, "_msvcrt", Msvcrt())
    monkeypatch.setattr(directories, "SUPPORTS_DIR_FD", False)
    held = FileLock("name", "it")
    assert held.held
    with pytest.raises(AlreadyInProgress, match="it is being transferred"):
        FileLock("name", "it")
    held.release()
    FileLock("name", "it").release()
    with Journal(KEY, "it") as made:
        made.update(a=1)
    assert remembered() == {"a": 1}
    monkeypatch.setattr(file_locks, "_msvcrt", None)
    assert not FileLock("name", "it").held


_PROGRAM = """
import logging, os, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
from smartxfer.transfer.journal import Journal
with Journal({"service": "s", "origin": "http://h"}, "it") as journal:
    print("uid", os.geteuid(), "state", journal.state)
    if len(sys.argv) > 1:
        journal.update(transfer=666)
"""


def command_of(uid: int) -> List[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-B"]


def as_user(uid: int, state: Path, *arguments: str) -> Optional[str]:
    """Return the output of the program for another user; None if that user cannot run it."""
    environment = {**os.environ, "SMARTXFER_STATE_DIR": str(state), "HOME": "/nonexistent"}

    def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*command_of(uid), "-c", program, *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    if run("import smartxfer.transfer.journal").returncode:
        return None
    done = run(_PROGRAM, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def open_place() -> Any:
    """A directory that every user reaches and may write to."""
    made = Path(tempfile.mkdtemp(prefix="smartxfer-users-", dir="/tmp"))
    made.chmod(0o1777)
    yield made
    shutil.rmtree(str(made))


@AS_ROOT
def test_another_user_plants_a_journal_and_a_lock_before_the_first_run(
    open_place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another user creates the state directory in a directory that all users may write to."""
    state = open_place / "state"
    output = as_user(STRANGER, state, "write")
    if output is None:
        pytest.skip("another user cannot run this Python")
    assert f"uid {STRANGER}" in output
    for path in state.rglob("*"):
        path.chmod(0o777)
    state.chmod(0o777)
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(state))
    assert remembered() == {}
    assert f"{state}: it belongs to another user (uid {STRANGER})" in caplog.text
    victim = open_place / "victim"
    victim.write_bytes(b"precious")
    (lock,) = (state / "locks").iterdir()
    lock.unlink()
    lock.symlink_to(victim)
    assert (remembered(), victim.read_bytes()) == ({}, b"precious")


@AS_ROOT
def test_a_client_of_another_user_refuses_what_a_third_one_planted(open_place: Path) -> None:
    state = open_place / "state"
    state.mkdir()
    to_stranger(state)
    output = as_user(STRANGER, state, "write")
    if output is None:
        pytest.skip("another user cannot run this Python")
    assert "state {}" in output
    assert "state {'transfer': 666}" in str(as_user(STRANGER, state))
    (journal,) = (state / "journals").iterdir()
    (lock,) = (state / "locks").iterdir()
    os.chown(str(journal), STRANGER + 1, -1)
    journal.chmod(0o666)
    output = str(as_user(STRANGER, state))
    assert "state {}" in output
    assert f"{journal}: it belongs to another user (uid {STRANGER + 1})" in output
    to_stranger(journal)
    journal.chmod(0o600)
    victim = open_place / "victim"
    victim.write_bytes(b"precious")
    to_stranger(victim)
    lock.unlink()
    lock.symlink_to(victim)
    output = str(as_user(STRANGER, state))
    assert "state {}" in output
    assert f"{lock}: it is a symbolic link" in output
    assert victim.read_bytes() == b"precious"


@AS_ROOT
def test_two_users_in_one_directory(open_place: Path) -> None:
    """While the other user writes, its lock is respected; its state is not used."""
    if as_user(STRANGER, open_place / "state") is None:
        pytest.skip("another user cannot run this Python")
    target = open_place / "out.bin"
    with held_by_a_process(command_of(STRANGER), target, open_place / "state"):
        with pytest.raises(AlreadyInProgress, match="another user's process"):
            begun(target)
    fetched(target)
    assert (target.stat().st_uid, (open_place / "out.bin.part").stat().st_uid) == (0, STRANGER)


def test_a_refused_directory_leaves_no_descriptor_and_a_warning_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    remembered()
    before = descriptors()
    with Journal(KEY, "it") as made:
        made.update(a=1)
    for name in ("journals", "locks"):
        writable_by_all(only(name))
        remembered()
    state_directory().chmod(0o770)
    with caplog.at_level(logging.WARNING, "smartxfer"):
        remembered()
    assert "chmod go-w" in caplog.text
    with pytest.raises(NotPrivate):
        PrivateDirectory.in_state_directory("journals")
    assert descriptors() == before
