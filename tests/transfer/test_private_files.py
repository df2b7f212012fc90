"""State files that another user planted, or may write to: refused with a warning, and left as they are."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest

from smartxfer.errors import InProgress
from smartxfer.transfer import locking, private_files
from smartxfer.transfer.journal import DirectoryStorage, Journal, Lock, state_directory, write_whole
from smartxfer.transfer.partial import FileSink
from smartxfer.transfer.private_files import PrivateDirectory
from smartxfer.transfer.written import Written

KEY = {"service": "s", "origin": "http://h"}
ID = {"object": 1}
DATA = b"0123456789"
STRANGER = 12345
AS_ROOT = pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="gives files to another user")


def to_stranger(path: Path) -> None:
    os.chown(str(path), STRANGER, STRANGER, follow_symlinks=False)


# -- what is planted in the place of a file: each returns the reason ------------------------------------


def by_a_stranger(path: Path) -> str:
    to_stranger(path)
    path.chmod(0o666)
    return "belongs to another user"


def writable_by_all(path: Path) -> str:
    path.chmod(0o666)
    return "other users can write"


def writable_by_group(path: Path) -> str:
    path.chmod(0o620)
    return "other users can write"


def symbolic_link(path: Path) -> str:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    return "symbolic link"


def hard_link(path: Path) -> str:
    os.link(str(path), str(path.with_name("elsewhere")))
    return "second name"


def fifo(path: Path) -> str:
    path.unlink()
    os.mkfifo(str(path))
    return "not a regular file"


def directory(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "not a regular file"


PLANTED = [
    pytest.param(by_a_stranger, marks=AS_ROOT),
    writable_by_all,
    writable_by_group,
    symbolic_link,
    hard_link,
    fifo,
    directory,
]


@pytest.fixture(params=PLANTED)
def plant(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    found: Callable[[Path], str] = request.param
    return found


def bounded(act: Callable[[], Any]) -> Any:
    """The result of something that could wait for ever."""
    results: List[Any] = []
    thread = threading.Thread(target=lambda: results.append(act()), daemon=True)
    thread.start()
    thread.join(20)
    assert results, "it waits, or failed"
    return results[0]


def remembered() -> Dict[str, Any]:
    with Journal(KEY, "it") as journal:
        return dict(journal.state)


def only(name: str) -> Path:
    (path,) = (state_directory() / name).iterdir()
    return path


@pytest.fixture
def journal() -> Path:
    with Journal(KEY, "it") as made:
        made.note(transfer=666)
    return only("journals")


def test_a_planted_journal_is_not_read(
    journal: Path, plant: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    reason = plant(journal)
    assert bounded(remembered) == {}
    assert f"nothing is resumed: {journal}" in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize("plant", [param for param in PLANTED if param is not directory], indirect=True)
def test_the_next_journal_replaces_a_planted_one_and_leaves_what_it_leads_to(
    journal: Path, plant: Callable[[Path], str]
) -> None:
    plant(journal)
    elsewhere = journal.with_name("elsewhere")
    before = elsewhere.read_bytes() if elsewhere.exists() else None
    with Journal(KEY, "it") as made:
        made.note(mine=1)
    assert remembered() == {"mine": 1}
    found = os.lstat(str(journal))
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o600)
    if before is not None:
        assert elsewhere.read_bytes() == before


def test_a_planted_lock_is_not_opened(
    journal: Path, plant: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    lock = only("locks")
    lock.write_bytes(b"precious")
    reason = plant(lock)
    assert bounded(remembered) == {}  # without its lock a journal is not used
    assert f"no lock for it: {lock}" in caplog.text
    assert reason in caplog.text
    if lock.with_name("elsewhere").exists():
        assert lock.with_name("elsewhere").read_bytes() == b"precious"


def test_a_journal_without_a_trustworthy_lock_is_left_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    writable_by_all(only("locks"))
    with Journal(KEY, "it") as made:
        made.note(mine=1)
        made.forget()
    assert journal.read_bytes() == before


def test_a_lock_keeps_what_is_in_its_file() -> None:
    Lock("name", "it").release()
    only("locks").write_bytes(b"precious")
    Lock("name", "it").release()
    assert only("locks").read_bytes() == b"precious"


def test_a_planted_record_of_written_files_is_not_read(
    tmp_path: Path, plant: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    Written(tmp_path).note(path, 10, private_sums(path), ID)
    assert Written(tmp_path).holds(path, ID)
    record = only("written")
    reason = plant(record)
    before = os.lstat(str(record)).st_size
    assert bounded(lambda: Written(tmp_path).holds(path, ID)) is False
    assert str(record) in caplog.text
    assert reason in caplog.text
    bounded(lambda: Written(tmp_path).note(path, 10, private_sums(path), ID) or True)
    assert os.lstat(str(record)).st_size == before
    assert "cannot remember" in caplog.text


def private_sums(path: Path) -> Any:
    from smartxfer.transfer.written import sums_of

    return sums_of(path, [(0, path.stat().st_size)])


@pytest.mark.parametrize(
    "sums",
    [
        None,
        5,
        [5],
        [[0, 10]],
        [["0", "10", 0]],
        [[0, 1e999, 0]],
        [[0, 10**30, 0]],
        [[-5, 5, 0]],
        [[10, 0, 0], [0, 20, 0]],
        [[0.0, 10.0, 0.0]],
        [[True, 10, 0]],
    ],
)
def test_a_damaged_record_of_written_files_holds_nothing(tmp_path: Path, sums: Any) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    written = Written(tmp_path)
    written.note(path, 10, private_sums(path), ID)
    assert written.holds(path, ID)
    known = written._records()[path.name]
    known["sums"] = sums
    assert written.holds(path, ID) is False
    known.update(sums=[list(one) for one in private_sums(path)], size="10")
    assert written.holds(path, ID) is False


def test_a_planted_id_names_no_partial_file(tmp_path: Path, plant: Callable[[Path], str]) -> None:
    locking.host_tag(tmp_path)
    plant(tmp_path / "id")

    def tagged() -> str:
        try:
            return locking.host_tag(tmp_path)
        except OSError as error:
            return f"refused: {error}"

    assert bounded(tagged).startswith(f"refused: {tmp_path / 'id'}")


# -- directories ----------------------------------------------------------------------------------------


def group_writable(path: Path) -> str:
    path.chmod(0o770)
    return "other users can write"


def of_a_stranger(path: Path) -> str:
    to_stranger(path)
    return "belongs to another user"


def link_of_a_stranger(path: Path) -> str:
    path.rename(path.with_name("behind"))
    path.symlink_to(path.with_name("behind"))
    to_stranger(path)
    return "symbolic link"


DIRECTORIES = [
    group_writable,
    pytest.param(of_a_stranger, marks=AS_ROOT),
    pytest.param(link_of_a_stranger, marks=AS_ROOT),
]


@pytest.mark.parametrize("name", ["", "journals", "locks"])
@pytest.mark.parametrize("change", DIRECTORIES)
def test_nothing_in_a_directory_of_others_is_read_or_written(
    journal: Path, change: Callable[[Path], str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = state_directory() / name
    reason = change(path)
    before = journal.read_bytes()
    with Journal(KEY, "it") as made:
        assert made.state == {}
        made.note(mine=1)
        made.forget()
    assert journal.read_bytes() == before
    assert f"{path}: it" in caplog.text or f"{path}: other" in caplog.text
    assert reason in caplog.text


@AS_ROOT
def test_a_link_in_the_state_directory_is_not_followed_even_an_own_one(journal: Path) -> None:
    journal.parent.rename(journal.parent.with_name("behind"))
    journal.parent.symlink_to(journal.parent.with_name("behind"))
    assert remembered() == {}


def test_a_state_directory_may_be_a_link_of_the_same_user(journal: Path) -> None:
    state_directory().rename(state_directory().with_name("behind"))
    state_directory().symlink_to(state_directory().with_name("behind"))
    assert remembered() == {"transfer": 666}


def test_directories_are_made_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "new" / "deep" / "state"))
    before = os.umask(0)
    try:
        with Journal(KEY, "it") as made:
            made.note(a=1)
        Written(tmp_path).note(tmp_path / "x", 0, [], ID)
    finally:
        os.umask(before)
    made_here = sorted((tmp_path / "new").rglob("*"))
    assert len(made_here) == 8
    for path in (tmp_path / "new", *made_here):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert remembered() == {"a": 1}


def test_a_directory_that_the_caller_names_is_checked_too(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path / "own")
    storage.save("key", "{}")
    assert storage.load("key") == "{}"
    (tmp_path / "own").chmod(0o777)
    for act in (lambda: storage.load("key"), lambda: storage.save("key", ""), lambda: storage.remove("key")):
        with pytest.raises(private_files.NotPrivate, match=str(tmp_path / "own")):
            act()
    assert (tmp_path / "own" / "key.json").read_text() == "{}"


def test_expired_locks_and_journals_are_removed_by_name_alone(journal: Path) -> None:
    target = journal.with_name("target")
    target.write_text("kept")
    old = journal.with_name("old.json")
    old.symlink_to(target)
    os.utime(old, (1, 1), follow_symlinks=False)
    other = only("locks").with_name("other.lock")
    other.write_text("")
    os.utime(other, (1, 1))
    DirectoryStorage().remove("none")
    assert not os.path.lexists(str(old))
    assert not other.exists()
    assert target.read_text() == "kept"


# -- temporary files ------------------------------------------------------------------------------------


def test_a_planted_temporary_file_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "state.tmp").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "state", "new")
    assert (tmp_path / "state").read_text() == "new"
    assert (tmp_path / "target").read_text() == "kept"
    (tmp_path / "state.tmp").mkdir()  # what cannot be removed keeps its name
    write_whole(tmp_path / "state", "newer")
    assert (tmp_path / "state").read_text() == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.tmp", "target"]


# -- partial files, in a directory that others may share ------------------------------------------------


@pytest.fixture
def target(tmp_path: Path) -> Path:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    return shared / "out.bin"


def broken(target: Path) -> None:
    sink = FileSink(target)
    sink.begin(len(DATA), ID)
    sink.write_at(DATA[:4], 0)
    sink.leave()


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_planted_partial_file_is_not_resumed(
    target: Path, plant: Callable[[Path], str], suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken(target)
    planted = target.with_name(target.name + suffix)
    reason = plant(planted)
    if plant is hard_link and suffix == ".part":
        reason = ""  # an own file that got its final name: made anew without a word
    if suffix == ".part" and plant in (symbolic_link, fifo, directory):
        reason = ""  # another file than the one that the side file names
    left = os.lstat(str(planted))
    sink = FileSink(target)
    assert bounded(lambda: list(sink.begin(len(DATA), ID))) == []
    sink.write_at(b"abcdefghij", 0)
    assert target.parent.joinpath("out.bin").exists() is False
    sink.commit()
    assert target.read_bytes() == b"abcdefghij"
    assert os.lstat(str(target)).st_uid == os.geteuid()
    if reason:
        assert f"{planted}: " in caplog.text
        assert reason in caplog.text
    if plant is by_a_stranger:
        assert os.lstat(str(planted)).st_ino == left.st_ino


@AS_ROOT
def test_a_complete_set_of_a_stranger_is_not_taken_over(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The stranger's side file names the stranger's partial file, which would become the target."""
    broken(target)
    for suffix in (".part", ".part.json"):
        by_a_stranger(target.with_name(target.name + suffix))
    sink = FileSink(target)
    assert list(sink.begin(len(DATA), ID)) == []
    sink.write_at(DATA, 0)
    sink.commit()
    assert target.read_bytes() == DATA
    assert target.stat().st_uid == os.geteuid()
    assert "belongs to another user" in caplog.text


def test_with_a_group_umask_a_transfer_resumes_and_the_file_gets_its_usual_mode(target: Path) -> None:
    before = os.umask(0o002)
    try:
        broken(target)
        part = target.with_name("out.bin.part")
        assert stat.S_IMODE(part.stat().st_mode) == 0o644
        sink = FileSink(target)
        assert list(sink.begin(len(DATA), ID)) == [(0, 4)]
        sink.write_at(DATA[4:], 4)
        sink.commit()
    finally:
        os.umask(before)
    assert target.read_bytes() == DATA
    assert stat.S_IMODE(target.stat().st_mode) == 0o664


def test_a_replaced_file_keeps_a_mode_that_lets_others_write(target: Path) -> None:
    target.write_bytes(b"old")
    target.chmod(0o666)
    broken(target)
    sink = FileSink(target)
    assert list(sink.begin(len(DATA), ID)) == [(0, 4)]
    sink.write_at(DATA[4:], 4)
    sink.commit()
    assert target.read_bytes() == DATA
    assert stat.S_IMODE(target.stat().st_mode) == 0o666


def test_what_could_not_replace_a_file_of_such_a_mode_is_resumed(target: Path) -> None:
    from smartxfer.seams import Files

    class Refusing(Files):
        def replace(self, source: Any, goal: Any) -> None:
            if Path(goal) == target:
                raise PermissionError(13, "no")
            super().replace(source, goal)

    target.write_bytes(b"old")
    target.chmod(0o666)
    sink = FileSink(target, files=Refusing())
    sink.begin(len(DATA), ID)
    sink.write_at(DATA, 0)
    with pytest.raises(OSError, match="no"):
        sink.commit()
    assert stat.S_IMODE(target.with_name("out.bin.part").stat().st_mode) == 0o600
    sink = FileSink(target)
    assert list(sink.begin(len(DATA), ID)) == [(0, len(DATA))]
    sink.commit()
    assert target.read_bytes() == DATA


def test_a_file_system_without_modes_resumes(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file shows mode 0777 there, whatever chmod says."""
    broken(target)
    for suffix in (".part", ".part.json"):
        target.with_name(target.name + suffix).chmod(0o777)
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: None)
    sink = FileSink(target)
    assert list(sink.begin(len(DATA), ID)) == [(0, 4)]
    sink.leave()


# -- other systems and other users ----------------------------------------------------------------------


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
    monkeypatch.setattr(locking, "AVAILABLE", False)
    monkeypatch.setattr(locking, "_fcntl", None)
    monkeypatch.setattr(locking, "_msvcrt", Msvcrt())
    monkeypatch.setattr(private_files, "_BY_DESCRIPTOR", False)
    held = Lock("name", "it")
    assert held.held
    with pytest.raises(InProgress, match="it is being transferred"):
        Lock("name", "it")
    held.release()
    Lock("name", "it").release()
    with Journal(KEY, "it") as made:
        made.note(a=1)
    assert remembered() == {"a": 1}
    monkeypatch.setattr(locking, "_msvcrt", None)
    assert not Lock("name", "it").held


_PROGRAM = """
import logging, os, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
from smartxfer.transfer.journal import Journal
with Journal({"service": "s", "origin": "http://h"}, "it") as journal:
    print("uid", os.geteuid(), "state", journal.state)
    if len(sys.argv) > 1:
        journal.note(transfer=666)
"""


def as_user(uid: int, state: Path, *arguments: str) -> Optional[str]:
    """What the program prints when another user runs it; None where that user cannot run it."""
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-B"]
    environment = {**os.environ, "SMARTXFER_STATE_DIR": str(state), "HOME": "/nonexistent"}
    probe = subprocess.run(
        [*command, "-c", "import smartxfer.transfer.journal"], env=environment, capture_output=True, check=False
    )
    if probe.returncode:
        return None
    done = subprocess.run(
        [*command, "-c", _PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.fixture
def open_place() -> Any:
    """A directory that every user reaches and may write to."""
    import shutil
    import tempfile

    made = Path(tempfile.mkdtemp(prefix="smartxfer-users-", dir="/tmp"))
    made.chmod(0o1777)
    yield made
    shutil.rmtree(str(made))


@AS_ROOT
def test_another_user_plants_a_journal_and_a_lock_before_the_first_run(
    open_place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The stranger makes the state directory in a place that all may write to."""
    state = open_place / "state"
    told = as_user(STRANGER, state, "write")
    if told is None:
        pytest.skip("another user cannot run this Python")
    assert f"uid {STRANGER}" in told
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
    assert remembered() == {}
    assert victim.read_bytes() == b"precious"


@AS_ROOT
def test_a_client_of_another_user_refuses_what_a_third_one_planted(open_place: Path) -> None:
    state = open_place / "state"
    state.mkdir()
    to_stranger(state)
    told = as_user(STRANGER, state, "write")
    if told is None:
        pytest.skip("another user cannot run this Python")
    assert "state {}" in told
    assert "state {'transfer': 666}" in str(as_user(STRANGER, state))
    (journal,) = (state / "journals").iterdir()
    (lock,) = (state / "locks").iterdir()
    os.chown(str(journal), STRANGER + 1, -1)
    journal.chmod(0o666)
    told = str(as_user(STRANGER, state))
    assert "state {}" in told
    assert f"{journal}: it belongs to another user (uid {STRANGER + 1})" in told
    to_stranger(journal)
    journal.chmod(0o600)
    victim = open_place / "victim"
    victim.write_bytes(b"precious")
    to_stranger(victim)
    lock.unlink()
    lock.symlink_to(victim)
    told = str(as_user(STRANGER, state))
    assert "state {}" in told
    assert f"{lock}: it is a symbolic link" in told
    assert victim.read_bytes() == b"precious"


def test_a_descriptor_is_not_left_open() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("counts descriptors by /proc")
    remembered()
    before = count()
    with Journal(KEY, "it") as made:
        made.note(a=1)
    writable_by_all(only("journals"))
    remembered()
    writable_by_all(only("locks"))
    remembered()
    state_directory().chmod(0o770)
    remembered()
    with pytest.raises(private_files.NotPrivate):
        PrivateDirectory.of_state("journals")
    assert count() == before


def test_the_warning_of_a_refused_directory_comes_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    remembered()
    state_directory().chmod(0o770)
    with caplog.at_level(logging.WARNING, "smartxfer"):
        remembered()
    assert "chmod go-w" in caplog.text
