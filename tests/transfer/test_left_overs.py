"""Files that a killed process leaves: a later run removes them, and keeps files that only look like them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartxfer import delta
from smartxfer.delta.output_file import OutputFile
from smartxfer.transfer import file_locks
from smartxfer.transfer.temporary_files import make_temporary_file, remove_stale_temporary_files
from tests.support.delta_edits import CHANGE, NEW, OLD
from tests.support.sinks import names, raising

#: Kills itself before the system does something to a file: an audit event, words in its arguments.
KILLED = """
import os, signal, sys
event, word = sys.argv[1:3]
def audit(name, arguments):
    if name == event and word in repr(arguments):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
"""
PATCH = KILLED + """
from smartxfer import delta
delta.patch("old", "change", "new")
"""

LIKE_OURS = ".smartxfer-0123456789abcdef.part"


def killed(program: str, *words: str, directory: Path, **environment: str) -> None:
    """Run a program that has to kill itself."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=str(directory),
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Path:
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "change").write_bytes(CHANGE)
    return tmp_path


@pytest.mark.parametrize("event", ["os.rename", "os.chmod"])
def test_a_patch_that_was_killed(room: Path, event: str) -> None:
    (room / "new").write_bytes(b"existing content")
    killed(PATCH, event, "", directory=room)
    assert len(names(room)) == 4
    assert (room / "new").read_bytes() == b"existing content"
    delta.patch(room / "old", room / "change", room / "new")
    assert names(room) == ["change", "new", "old"]
    assert (room / "new").read_bytes() == NEW


def test_what_a_living_process_writes_is_left_alone(room: Path) -> None:
    with OutputFile(str(room / "one")) as one:
        one.write(b"first")
        delta.patch(room / "old", room / "change", room / "new")
        with OutputFile(str(room / "two")) as two:
            two.write(b"second")
            assert len(names(room)) == 5
    assert [(room / name).read_bytes() for name in ("new", "one", "two")] == [NEW, b"first", b"second"]
    assert names(room) == ["change", "new", "old", "one", "two"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / LIKE_OURS).mkdir()
    (tmp_path / "far" / LIKE_OURS / "new").write_bytes(b"mine")
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / LIKE_OURS.replace("0", "1")).symlink_to(tmp_path / "mine")
    os.link(str(tmp_path / "mine"), str(tmp_path / LIKE_OURS.replace("0", "2")))
    (tmp_path / ".smartxfer-notes.part").write_bytes(b"mine")
    (tmp_path / "dead").symlink_to(tmp_path / "nowhere")
    for directory in (tmp_path, tmp_path / "far"):
        before = names(directory)
        remove_stale_temporary_files(str(directory))
        assert names(directory) == before
    assert (tmp_path / "far" / LIKE_OURS / "new").read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_what_another_user_left_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LIKE_OURS).write_bytes(b"")
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: os.getuid() + 1)
        remove_stale_temporary_files(str(tmp_path))
    assert names(tmp_path) == [LIKE_OURS]
    remove_stale_temporary_files(str(tmp_path))
    assert names(tmp_path) == []


def test_one_that_is_taken_for_left_before_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = file_locks.lock_file, []

    def late(fd: int) -> Any:
        calls.append(fd)
        if len(calls) == 1:
            remove_stale_temporary_files(str(tmp_path))
        return lock(fd)

    monkeypatch.setattr(file_locks, "lock_file", late)
    path, opened = make_temporary_file(str(tmp_path), 0o600)
    opened.close()
    assert len(calls) == 3
    assert names(tmp_path) == [os.path.basename(path)]


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_locks, "lock_file", raising(OSError("no locks")))
    make_temporary_file(str(tmp_path), 0o600)[1].close()
    make_temporary_file(str(tmp_path), 0o600)[1].close()
    assert len(names(tmp_path)) == 2
