"""Partial files of a directory that was copied, moved or restored, and errors that do not show their owner."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.transfer import download_history, part_file_state
from smartxfer.transfer import journal as journals
from smartxfer.transfer.download_history import DownloadHistory
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.journal import Journal
from tests.support import sinks
from tests.support.planted_state import AS_ROOT, STRANGER
from tests.support.sinks import DATA, ID, begun, fetched, killed, names, without_final_name, written


@pytest.fixture
def out(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


class Killed(BaseException):
    pass


def copied(out: Path) -> Path:
    """Files and times are kept, as by cp -a, rsync and a backup; no file has its inode."""
    there = out.with_name("copy")
    # The first copy takes the inodes that a removed file would leave to the second.
    shutil.copytree(str(out), str(out.with_name("other")))
    shutil.copytree(str(out), str(there))
    return there


def moved(out: Path) -> Path:
    return out.rename(out.with_name("moved"))


def restored(out: Path) -> Path:
    """The original is gone when the copy gets its name."""
    there = copied(out)
    shutil.rmtree(str(out))
    return there.rename(out)


@pytest.mark.parametrize("way", [copied, moved, restored])
def test_it_is_continued(out: Path, way: Callable[[Path], Path]) -> None:
    killed(out / "x")
    there = way(out)
    fetched(there / "x", have=[(0, 5)])
    assert names(there) == ["x"]


@pytest.mark.parametrize("times", [1, 12])
def test_it_is_continued_however_often_it_is_copied(out: Path, tmp_path: Path, times: int) -> None:
    killed(out / "x")
    for number in range(times):
        shutil.copytree(str(out), str(tmp_path / str(number)))
        out = tmp_path / str(number)
        sink, have = begun(out / "x")
        assert have == [(0, 5)]
        sink.suspend()
        assert names(out) == ["x.part", "x.part.json"]
    fetched(out / "x", have=[(0, 5)])


@pytest.mark.parametrize("way", [copied, restored])
@pytest.mark.parametrize("change", ["object", "cut", "damaged"])
def test_what_cannot_be_continued_is_replaced(out: Path, way: Callable[[Path], Path], change: str) -> None:
    killed(out / "x", os.urandom(100_000), 200_000)
    there = way(out)
    if change == "cut":
        os.truncate(str(there / "x.part"), 70_000)
    elif change == "damaged":
        with (there / "x.part").open("r+b") as part:
            part.seek(90_000)
            part.write(b"damaged")
    sink, have = begun(there / "x", 200_000, {"object": 2} if change == "object" else ID)
    assert (have, names(there)) == ([], ["x.part", "x.part.json"])
    sink.suspend()
    assert names(there) == []


def test_a_complete_copy_is_committed(out: Path) -> None:
    killed(out / "x", DATA)
    side = json.loads((out / "x.part.json").read_text())
    assert side["runs"] == [], "written whole by one call, so that it is not noted twice"
    written(out / "x").suspend()
    there = copied(out)
    fetched(there / "x", have=[(0, 10)])
    assert names(there) == ["x"]


@pytest.mark.parametrize("theirs", [b"theirs, of another program", b"", b"01234"[::-1] * 3])
def test_a_file_of_another_program_beside_an_old_side_file(out: Path, theirs: bytes) -> None:
    """The partial file was removed; another program made a file of that name."""
    killed(out / "x")
    shutil.copy(str(out / "x.part.json"), str(out / "kept"))
    (out / "x.part").rename(out / "filler")  # else the inode may be used again
    (out / "x.part").write_bytes(theirs)
    fetched(out / "x")
    assert names(out) == sorted(["filler", "kept", "x"] + (["x.part", "x.part.json"] if theirs else []))
    if theirs:
        assert (out / "x.part").read_bytes() == theirs


def test_the_second_partial_file_is_continued_when_the_first_name_is_free_again(out: Path) -> None:
    (out / "x.part").write_bytes(b"theirs")
    killed(out / "x")
    assert names(out) == ["x.2.part", "x.2.part.json", "x.part"]
    (out / "x.part").unlink()
    fetched(out / "x", have=[(0, 5)])
    assert names(out) == ["x"]


def test_a_second_set_is_removed(out: Path) -> None:
    """Left by a run that found the first name taken by another program."""
    killed(out / "x")
    for end in ("", ".json"):
        (out / f"x.part{end}").rename(out / f"aside{end}")
    (out / "x.part").write_bytes(b"theirs")
    killed(out / "x")
    for end in ("", ".json"):
        (out / f"aside{end}").rename(out / f"x.part{end}")
    assert names(out) == ["x.2.part", "x.2.part.json", "x.part", "x.part.json"]
    sink, have = begun(out / "x")
    assert (have, names(out)) == ([(0, 5)], ["x.part", "x.part.json"])
    sink.suspend()


def test_the_partial_file_of_a_file_with_a_number_is_not_taken(out: Path) -> None:
    """``x.2.part`` may be the second partial file of ``x``, or the first one of ``x.2``."""
    killed(out / "x.2")
    (out / "x.part").write_bytes(b"theirs")
    fetched(out / "x")
    fetched(out / "x.2", have=[(0, 5)])
    assert names(out) == ["x", "x.2", "x.part"]


def test_a_device_that_got_another_number_costs_nothing(out: Path) -> None:
    """Numbers of network and overlay file systems change when they are mounted again."""
    sinks.left(out / "x", (0, DATA[:2]))
    noted = json.loads((out / "x.part.json").read_text())
    noted["inode"][0] += 1
    (out / "x.part.json").write_text(json.dumps(noted))
    fetched(out / "x", have=[(0, 2)])
    assert names(out) == ["x"]


# -- errors that say nothing about whose a file is ------------------------------------------------------


def contents(directory: Path) -> Dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in names(directory)}


@pytest.mark.parametrize(
    ("owner", "call", "code"),
    [
        *((part_file_state, "read_private", getattr(errno, name)) for name in ("EMFILE", "ENFILE", "EIO", "ENOMEM", "EACCES")),
        (part_file_state, "open_binary", errno.EMFILE),
        (FileSink, "_compute_checksum", errno.EIO),
    ],
)
def test_a_file_of_an_earlier_run_that_cannot_be_read_is_an_error(
    out: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, call: str, code: int
) -> None:
    """Of the state file, of what was left of writing it, or of the partial file: nothing is discarded."""
    killed(out / "x")
    if call == "open_binary":
        (out / "x.part.json.tmp").write_text('{"ver')
    before = contents(out)
    with monkeypatch.context() as broken:
        broken.setattr(owner, call, sinks.raising(OSError(code, os.strerror(code))))
        with pytest.raises(LocalError, match=os.strerror(code)) as caught:
            begun(out / "x")
    assert caught.value.errno == code
    if owner is part_file_state:
        assert caught.value.hint
        assert contents(out) == before
    fetched(out / "x", have=[(0, 5)])


def test_too_few_descriptors_discard_nothing(out: Path) -> None:
    resource = pytest.importorskip("resource")
    killed(out / "x")
    before = names(out)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    outcomes = []
    for free in range(10):
        top = max(map(int, os.listdir("/proc/self/fd"))) + 20
        held: List[int] = []
        sink = FileSink(out / "x")
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    held.append(os.open("/dev/null", os.O_RDONLY))
            for _ in range(free):
                os.close(held.pop())
            have: Any = list(sink.begin(10, ID))
        except LocalError as error:
            have = error.errno
        finally:
            for fd in held:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        outcomes.append(have)
        if not isinstance(have, int):
            sink.suspend()
        assert (names(out), (out / "x.part").read_bytes()) == (before, DATA[:5]), free
    assert (outcomes[0], outcomes[-1]) == (errno.EMFILE, [(0, 5)])
    assert set(map(str, outcomes)) == {str(errno.EMFILE), "[(0, 5)]"}
    fetched(out / "x", have=[(0, 5)])


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("broken", ["the file", "the lock"])
def test_an_unreadable_journal_is_not_replaced(monkeypatch: pytest.MonkeyPatch, code: int, broken: str) -> None:
    key, refused = {"service": "s"}, sinks.raising(OSError(code, os.strerror(code)))
    with Journal(key, "it") as made:
        made.update(transfer=1)
    with monkeypatch.context() as context:
        if broken == "the lock":
            context.setattr("smartxfer.transfer.file_locks._open_locked", refused)
        else:
            context.setattr(journals.DirectoryStorage, "load", refused)
        with pytest.raises(LocalError, match=os.strerror(code)) as caught:
            Journal(key, "it")
    assert caught.value.hint
    with Journal(key, "it") as found:
        assert found.state == {"transfer": 1}


@pytest.mark.parametrize("where", ["open_binary", "PrivateDirectory.in_state_directory"])
def test_a_record_that_cannot_be_read_does_not_say_that_the_file_is_another(
    out: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (out / "x").write_bytes(DATA)
    DownloadHistory(out).record_download(out / "x", 10, download_history.compute_extent_checksums(out / "x", [(0, 10)]), ID)
    with monkeypatch.context() as broken:
        refused = sinks.raising(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        broken.setattr(f"smartxfer.transfer.download_history.{where}", refused)
        with pytest.raises(LocalError, match="Too many open files"):
            DownloadHistory(out).is_unmodified(out / "x")
        DownloadHistory(out).record_download(out / "x", 10, [], ID)  # only warns: the file exists
    assert DownloadHistory(out).is_unmodified(out / "x") or where == "open_binary"


# -- modes of what is replaced --------------------------------------------------------------------------


def not_root(path: Any, flags: int, *mode: int) -> None:
    """Refuse what the mode of a file does not allow its owner."""
    needed = 0o600 if flags & os.O_RDWR else 0o400
    if not flags & os.O_CREAT and sinks.mode_of(Path(str(path))) & needed != needed:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o040, 0o400, 0o444])
def test_a_mode_that_the_owner_cannot_use_does_not_stop_the_next_run(out: Path, mode: int) -> None:
    """The process was killed in the moment of the renaming."""
    (out / "x").write_bytes(b"old")
    (out / "x").chmod(mode)
    sink = written(out / "x", files=without_final_name(Killed))
    sink._save()
    with pytest.raises(Killed):
        sink.commit()
    assert sinks.mode_of(out / "x.part") & 0o622 == 0o600
    (out / "x.part").chmod(mode)  # as an older version left it
    sink, have = begun(out / "x", files=sinks.hooked(open=not_root))
    assert (have, sinks.mode_of(out / "x.part") & 0o600) == ([(0, 10)], 0o600)
    sink.commit()
    assert sinks.mode_of(out / "x") == mode
    (out / "x").chmod(0o600)
    assert ((out / "x").read_bytes(), names(out)) == (DATA, ["x"])


@AS_ROOT
def test_a_partial_file_that_was_given_to_the_owner_of_its_target_is_created_again(out: Path) -> None:
    (out / "x").write_bytes(b"old")
    os.chown(str(out / "x"), STRANGER, STRANGER)
    sink = written(out / "x", files=without_final_name(Killed))
    with pytest.raises(Killed):
        sink.commit()
    assert (out / "x.part").stat().st_uid == STRANGER
    fetched(out / "x")
    assert (names(out), (out / "x").stat().st_uid) == (["x"], STRANGER)


def test_a_copy_that_is_being_written_is_not_taken(out: Path) -> None:
    killed(out / "x")
    there = copied(out)
    first, _ = begun(there / "x")
    with pytest.raises(AlreadyInProgress):
        begun(there / "x")
    first.suspend()
