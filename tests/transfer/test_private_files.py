"""State files that another user planted, or may write to: refused with a warning, and not changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from smartxfer.transfer import file_locks, private_files
from smartxfer.transfer.download_history import DownloadHistory, compute_extent_checksums
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.journal import DirectoryStorage, FileLock, Journal, state_directory, write_atomic
from tests.support import planted_state as planted
from tests.support.planted_state import AS_ROOT, KEY, PLANTED, bounded, only, remembered
from tests.support.sinks import DATA, ID, fetched, left, mode_of, names, part_of


@pytest.fixture(params=PLANTED)
def plant(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def journal() -> Path:
    with Journal(KEY, "it") as made:
        made.update(transfer=666)
    return only("journals")


def test_a_planted_journal_is_not_read(
    journal: Path, plant: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    reason = plant(journal)
    assert bounded(remembered) == {}
    assert all(text in caplog.text for text in (f"nothing is resumed: {journal}", reason))


@pytest.mark.parametrize("plant", [param for param in PLANTED if param is not planted.directory], indirect=True)
def test_the_next_journal_replaces_a_planted_one_and_leaves_what_it_leads_to(
    journal: Path, plant: Callable[[Path], str]
) -> None:
    plant(journal)
    elsewhere = journal.with_name("elsewhere")
    before = elsewhere.read_bytes() if elsewhere.exists() else None
    with Journal(KEY, "it") as made:
        made.update(mine=1)
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
    assert all(text in caplog.text for text in (f"cannot lock it: {lock}", reason))
    if lock.with_name("elsewhere").exists():
        assert lock.with_name("elsewhere").read_bytes() == b"precious"


def test_a_journal_without_a_trustworthy_lock_is_left_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    planted.writable_by_all(only("locks"))
    with Journal(KEY, "it") as made:
        made.update(mine=1)
        made.clear()
    assert journal.read_bytes() == before


def test_a_lock_keeps_what_is_in_its_file() -> None:
    FileLock("name", "it").release()
    only("locks").write_bytes(b"precious")
    FileLock("name", "it").release()
    assert only("locks").read_bytes() == b"precious"


def test_a_planted_record_of_written_files_is_not_read(
    tmp_path: Path, plant: Callable[[Path], str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    DownloadHistory(tmp_path).record_download(path, 10, private_sums(path), ID)
    assert DownloadHistory(tmp_path).is_unmodified(path, ID)
    record = only("written")
    reason = plant(record)
    before = os.lstat(str(record)).st_size
    assert bounded(lambda: DownloadHistory(tmp_path).is_unmodified(path, ID)) is False
    assert all(text in caplog.text for text in (str(record), reason))
    bounded(lambda: DownloadHistory(tmp_path).record_download(path, 10, private_sums(path), ID) or True)
    assert os.lstat(str(record)).st_size == before
    assert "cannot record the download" in caplog.text


def private_sums(path: Path) -> Any:
    return compute_extent_checksums(path, [(0, path.stat().st_size)])


@pytest.mark.parametrize(
    "sums",
    [
        *[None, 5, [5], [[0, 10]], [["0", "10", 0]], [[0, 1e999, 0]], [[0, 10**30, 0]], [[-5, 5, 0]]],
        *[[[10, 0, 0], [0, 20, 0]], [[0.0, 10.0, 0.0]], [[True, 10, 0]]],
    ],
)
def test_a_damaged_record_of_written_files_holds_nothing(tmp_path: Path, sums: Any) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    written = DownloadHistory(tmp_path)
    written.record_download(path, 10, private_sums(path), ID)
    assert written.is_unmodified(path, ID)
    known = written._load_records()[path.name]
    known["sums"] = sums
    assert written.is_unmodified(path, ID) is False
    known.update(sums=[list(one) for one in private_sums(path)], size="10")
    assert written.is_unmodified(path, ID) is False


def test_a_planted_id_names_no_partial_file(tmp_path: Path, plant: Callable[[Path], str]) -> None:
    file_locks.get_host_id(tmp_path)
    plant(tmp_path / "id")

    def tagged() -> Any:
        with pytest.raises(OSError, match=f"^{tmp_path / 'id'}") as caught:
            file_locks.get_host_id(tmp_path)
        return caught.value

    assert bounded(tagged)


# -- directories ----------------------------------------------------------------------------------------


def group_writable(path: Path) -> str:
    path.chmod(0o770)
    return "other users can write"


def of_a_stranger(path: Path) -> str:
    planted.to_stranger(path)
    return "belongs to another user"


def link_of_a_stranger(path: Path) -> str:
    path.rename(path.with_name("behind"))
    path.symlink_to(path.with_name("behind"))
    planted.to_stranger(path)
    return "symbolic link"


DIRECTORIES = [group_writable, *(pytest.param(way, marks=AS_ROOT) for way in (of_a_stranger, link_of_a_stranger))]


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
        made.update(mine=1)
        made.clear()
    assert journal.read_bytes() == before
    assert f"{path}: it" in caplog.text or f"{path}: other" in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize(("name", "state"), [pytest.param("journals", {}, marks=AS_ROOT), ("", {"transfer": 666})])
def test_a_link_of_the_same_user_is_followed_in_place_of_the_state_directory_only(
    journal: Path, name: str, state: Any
) -> None:
    link = state_directory() / name
    link.rename(link.with_name("behind"))
    link.symlink_to(link.with_name("behind"))
    assert remembered() == state


def test_directories_are_made_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "new" / "deep" / "state"))
    before = os.umask(0)
    try:
        with Journal(KEY, "it") as made:
            made.update(a=1)
        DownloadHistory(tmp_path).record_download(tmp_path / "x", 0, [], ID)
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


# -- temporary files ------------------------------------------------------------------------------------


def test_a_planted_temporary_file_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "state.tmp").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "state", "new")
    assert ((tmp_path / "state").read_text(), (tmp_path / "target").read_text()) == ("new", "kept")
    (tmp_path / "state.tmp").mkdir()  # what cannot be removed keeps its name
    write_atomic(tmp_path / "state", "newer")
    assert ((tmp_path / "state").read_text(), names(tmp_path)) == ("newer", ["state", "state.tmp", "target"])


# -- partial files in a directory that others may write to ------------------------------------------------


@pytest.fixture
def target(tmp_path: Path) -> Path:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    return shared / "out.bin"


def broken(target: Path) -> None:
    left(target, (0, DATA[:4]))


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_planted_partial_file_is_not_resumed(
    target: Path, plant: Callable[[Path], str], suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken(target)
    path = target.with_name(target.name + suffix)
    reason = plant(path)
    if suffix == ".part" and plant in (planted.hard_link, planted.symbolic_link, planted.fifo, planted.directory):
        reason = ""  # one that has its final name already, or another file than the side file names
    left = os.lstat(str(path))
    sink = FileSink(target)
    assert bounded(lambda: list(sink.begin(len(DATA), ID))) == []
    sink.write_at(b"abcdefghij", 0)
    assert not target.exists()
    sink.commit()
    assert (target.read_bytes(), os.lstat(str(target)).st_uid) == (b"abcdefghij", os.geteuid())
    if reason:
        assert f"{path}: " in caplog.text
        assert reason in caplog.text
    if plant is planted.by_a_stranger:
        assert os.lstat(str(path)).st_ino == left.st_ino


@AS_ROOT
def test_a_complete_set_of_a_stranger_is_not_taken_over(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The side file of another user names a partial file of that user, which would become the target."""
    broken(target)
    for suffix in (".part", ".part.json"):
        planted.by_a_stranger(target.with_name(target.name + suffix))
    fetched(target)
    assert target.stat().st_uid == os.geteuid()
    assert "belongs to another user" in caplog.text


@pytest.mark.parametrize(
    ("umask", "existing", "part", "mode"), [(0o002, None, 0o644, 0o664), (0o022, 0o666, 0o600, 0o666)]
)
def test_what_others_may_write_to_is_resumed_and_keeps_its_mode(
    target: Path, umask: int, existing: Optional[int], part: int, mode: int
) -> None:
    """With the umask of a group, or if the existing file has such a mode."""
    if existing is not None:
        target.write_bytes(b"old")
        target.chmod(existing)
    before = os.umask(umask)
    try:
        broken(target)
        assert mode_of(part_of(target)) == part
        fetched(target, have=[(0, 4)])
    finally:
        os.umask(before)
    assert mode_of(target) == mode


def test_a_file_system_without_modes_resumes(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On such a file system every file has mode 0777, and chmod has no effect."""
    broken(target)
    for suffix in (".part", ".part.json"):
        target.with_name(target.name + suffix).chmod(0o777)
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: None)
    fetched(target, have=[(0, 4)])
