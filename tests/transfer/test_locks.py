"""The lock of a target is in the same directory, for all users and containers; file systems without locks."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.transfer import file_locks
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.journal import FileLock, Journal
from tests.support.sinks import DATA, ID, begun, fetched, held_by_a_process, names, raising, written


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "out.bin"


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Continue with the state directory of another user or container."""
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / name))


def test_another_state_directory_does_not_open_the_partial_file(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = begun(target)
    first.write_at(DATA[:4], 0)
    elsewhere(monkeypatch, tmp_path, "other")
    with pytest.raises(AlreadyInProgress, match="another process") as caught:
        begun(target, identity={"object": 2})
    assert "wait" in caught.value.hint
    assert names(target.parent) == ["out.bin.part", "out.bin.part.json"]
    first.write_at(DATA[4:], 4)
    first.commit()
    assert (target.read_bytes(), names(target.parent)) == (DATA, ["out.bin"])


def test_the_lock_ends_with_its_process_and_another_state_directory_resumes(
    target: Path, tmp_path: Path
) -> None:
    with held_by_a_process([sys.executable], target, tmp_path / "other"), pytest.raises(AlreadyInProgress):
        begun(target)
    fetched(target, have=[(0, 5)])


def test_a_target_that_two_names_lead_to_has_one_lock(target: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "there").symlink_to(target.parent)
    first, _ = begun(tmp_path / "link")
    for name in (target, tmp_path / "there" / "out.bin"):
        with pytest.raises(AlreadyInProgress):
            begun(name)
    first.suspend()


def test_a_partial_file_that_is_finished_while_it_is_looked_at(target: Path) -> None:
    """Between the check and the lock, the other process gives the partial file its final name."""
    first = written(target)

    class Late(FileSystem):
        def open(self, path: Any, flags: int, mode: int = 0o666) -> Any:
            fd = super().open(path, flags, mode)
            if not target.exists() and first._open_part.fd >= 0:
                first.commit()
            return fd

    second, have = begun(target, identity={"object": 2}, files=Late())
    assert have == []
    second.write_at(b"9876543210", 0)
    assert target.read_bytes() == DATA
    second.commit()
    assert (target.read_bytes(), names(target.parent)) == (b"9876543210", ["out.bin"])


def test_a_side_file_of_a_newer_partial_file_is_left(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process begins between the renaming of the partial file and the removal of its side file."""
    seconds: List[FileSink] = []

    class Between(FileSystem):
        def replace(self, source: Any, goal: Any) -> None:
            super().replace(source, goal)
            if Path(goal) == target and not seconds:
                seconds.append(begun(target)[0])

    fetched(target, files=Between())
    assert names(target.parent) == ["out.bin", "out.bin.part", "out.bin.part.json"]
    seconds[0].suspend()
    assert names(target.parent) == ["out.bin"]


# -- file systems without locks ------------------------------------------------------------------------


def no_locks(monkeypatch: pytest.MonkeyPatch, below: Path, code: int = errno.ENOLCK) -> None:
    """Have files below ``below`` take no locks."""
    real = file_locks.lock_file

    def lock(fd: int) -> bool:
        if os.readlink(f"/proc/self/fd/{fd}").startswith(str(below)):
            raise OSError(code, os.strerror(code))
        return real(fd)

    monkeypatch.setattr(file_locks, "lock_file", lock)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_each_state_directory_has_a_partial_file_of_its_own(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    no_locks(monkeypatch, target.parent, code)
    elsewhere(monkeypatch, tmp_path, "first")
    first, _ = begun(target)
    assert "cannot lock" in caplog.text
    with pytest.raises(AlreadyInProgress):
        begun(target)
    elsewhere(monkeypatch, tmp_path, "second")
    second = written(target, data=b"x" * 10)
    assert first._open_part.path != second._open_part.path
    first.write_at(DATA[:4], 0)
    first.suspend()
    elsewhere(monkeypatch, tmp_path, "first")
    fetched(target, have=[(0, 4)])
    second.commit()
    assert (target.read_bytes(), names(target.parent)) == (b"x" * 10, ["out.bin"])


def test_without_any_locks_a_partial_file_is_used_once(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    no_locks(monkeypatch, tmp_path)
    elsewhere(monkeypatch, tmp_path, "first")
    first, second = written(target), written(target, data=b"x" * 10)
    assert first._open_part.path != second._open_part.path
    assert "cannot be resumed" in caplog.text
    second.suspend()
    first.commit()
    assert (target.read_bytes(), names(target.parent)) == (DATA, ["out.bin"])


def test_two_hosts_with_one_state_directory_are_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = file_locks.get_host_id(tmp_path)
    assert here == file_locks.get_host_id(tmp_path)
    monkeypatch.setattr(file_locks.socket, "gethostname", lambda: "other")
    assert file_locks.get_host_id(tmp_path) != here


@pytest.mark.parametrize("left", ["", "short"])
def test_the_name_of_a_state_directory_that_a_killed_process_left_unfinished(tmp_path: Path, left: str) -> None:
    """Fails if every later run on a file system without locks starts from the beginning."""
    (tmp_path / "id").write_text(left)
    (tmp_path / "id").chmod(0o600)
    made = file_locks.get_host_id(tmp_path)
    assert (made, len((tmp_path / "id").read_text())) == (file_locks.get_host_id(tmp_path), 32)


def test_a_journal_without_locks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere(monkeypatch, tmp_path, "state")
    no_locks(monkeypatch, tmp_path)
    with caplog.at_level(logging.WARNING, "smartxfer"), Journal({"a": 1}, "it") as journal:
        journal.update(x=1)
    assert "cannot lock it" in caplog.text
    with Journal({"a": 1}, "it") as journal:
        assert journal.state == {"x": 1}


def test_an_expired_lock_file_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(monkeypatch, tmp_path, "state")
    path = tmp_path / "state" / "locks" / "name.lock"
    real, removed = file_locks.lock_file, []

    def lock(fd: int) -> bool:
        if not removed:
            removed.append(path.unlink())
        return real(fd)

    monkeypatch.setattr(file_locks, "lock_file", lock)
    held = FileLock("name", "it")
    assert held.held
    with pytest.raises(AlreadyInProgress):
        FileLock("name", "it")
    held.release()
    FileLock("name", "it").release()


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="mounts a file system")
def test_a_read_only_file_system_is_an_error_at_once(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\n"
        "from smartxfer.transfer.file_sink import FileSink\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro', 'none', sys.argv[1]], check=True)\n"
        "try:\n    FileSink(sys.argv[1] + '/x').begin(1, {})\n"
        "except OSError as error:\n    print(type(error).__name__, error.errno)\n"
    )
    command = ["unshare", "-m", sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip("nothing can be mounted here")
    assert done.stdout.split() == [LocalError.__name__, str(errno.EROFS)]


# -- a second Ctrl-C, while a run that was broken off saves its state -------------------------------------


@pytest.mark.parametrize("kind", ["partial file", "journal"])
def test_a_second_ctrl_c_leaves_no_lock(target: Path, kind: str) -> None:
    held: Any = begun(target)[0] if kind == "partial file" else Journal(ID, "x")
    if kind == "partial file":
        held.write_at(DATA[:4], 0)
        held._save = raising(KeyboardInterrupt)
    else:
        held.update_lazily(a=1)
        held.update_lazily(b=2)
        held.save = raising(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        held.suspend() if kind == "partial file" else held.close()
    begun(target)[0].suspend()
    Journal(ID, "x").close()
