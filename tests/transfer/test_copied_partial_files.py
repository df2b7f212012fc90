"""Partial files of a directory that was copied, moved or restored, and errors that do not show their owner."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.transfer import download_history, part_file_state
from smartxfer.transfer import journal as journals
from smartxfer.transfer.download_history import DownloadHistory
from smartxfer.transfer.file_locks import FileLock
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.journal import Journal
from tests.support.planted_state import AS_ROOT, STRANGER

ID = {"object": 1}
DATA = b"0123456789"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def names(directory: Path) -> List[str]:
    return sorted(os.listdir(str(directory)))


class Killed(BaseException):
    pass


def killed(target: Path, data: bytes = DATA[:5], size: int = 10, **settings: Any) -> None:
    """A run whose process is killed after some bytes: its descriptors are closed, nothing is tidied up."""
    sink = FileSink(target, **settings)
    sink.begin(size, ID)
    sink.write_at(data, 0)
    sink._open_part._descriptor.close()


def finished(target: Path, identity: Any = None) -> int:
    """Run again; how many bytes were there."""
    sink = FileSink(target)
    have = list(sink.begin(10, identity or ID))
    at = have[0][1] if have else 0
    sink.write_at(DATA[at:], at)
    sink.commit()
    assert target.read_bytes() == DATA
    return at


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
    assert finished(there / "x") == 5
    assert names(there) == ["x"]


@pytest.mark.parametrize("times", [1, 12])
def test_it_is_continued_however_often_it_is_copied(out: Path, tmp_path: Path, times: int) -> None:
    killed(out / "x")
    for number in range(times):
        there = tmp_path / str(number)
        shutil.copytree(str(out), str(there))
        out = there
        sink = FileSink(out / "x")
        assert list(sink.begin(10, ID)) == [(0, 5)]
        sink.suspend()
        assert names(out) == ["x.part", "x.part.json"]
    assert finished(out / "x") == 5


@pytest.mark.parametrize("way", [copied, restored])
@pytest.mark.parametrize("change", ["object", "cut", "damaged"])
def test_what_cannot_be_continued_is_replaced(out: Path, way: Callable[[Path], Path], change: str) -> None:
    data = os.urandom(100_000)
    killed(out / "x", data, 200_000)
    there = way(out)
    if change == "cut":
        os.truncate(str(there / "x.part"), 70_000)
    elif change == "damaged":
        with (there / "x.part").open("r+b") as part:
            part.seek(90_000)
            part.write(b"damaged")
    sink = FileSink(there / "x")
    have = sink.begin(200_000, {"object": 2} if change == "object" else ID)
    assert (list(have), names(there)) == ([], ["x.part", "x.part.json"])
    sink.suspend()
    assert names(there) == []


def test_a_complete_copy_is_committed(out: Path) -> None:
    killed(out / "x", DATA)
    side = json.loads((out / "x.part.json").read_text())
    assert side["runs"] == [], "written whole by one call, so that it is not noted twice"
    sink = FileSink(out / "x")
    assert list(sink.begin(10, ID)) == []
    sink.write_at(DATA, 0)
    sink.suspend()
    there = copied(out)
    sink = FileSink(there / "x")
    assert list(sink.begin(10, ID)) == [(0, 10)]
    sink.commit()
    assert names(there) == ["x"]


@pytest.mark.parametrize("theirs", [b"theirs, of another program", b"", b"01234"[::-1] * 3])
def test_a_file_of_another_program_beside_an_old_side_file(out: Path, theirs: bytes) -> None:
    """The partial file was removed; another program made a file of that name."""
    killed(out / "x")
    shutil.copy(str(out / "x.part.json"), str(out / "kept"))
    (out / "x.part").rename(out / "filler")  # else the inode may be used again
    (out / "x.part").write_bytes(theirs)
    assert finished(out / "x") == 0
    assert names(out) == sorted(["filler", "kept", "x"] + (["x.part", "x.part.json"] if theirs else []))
    if theirs:
        assert (out / "x.part").read_bytes() == theirs


def test_the_second_partial_file_is_continued_when_the_first_name_is_free_again(out: Path) -> None:
    (out / "x.part").write_bytes(b"theirs")
    killed(out / "x")
    assert names(out) == ["x.2.part", "x.2.part.json", "x.part"]
    (out / "x.part").unlink()
    assert finished(out / "x") == 5
    assert names(out) == ["x"]


def test_a_second_set_is_removed(out: Path) -> None:
    """Left by a run that found the first name taken by another program."""
    killed(out / "x")
    (out / "x.part").rename(out / "aside")
    (out / "x.part.json").rename(out / "aside.json")
    (out / "x.part").write_bytes(b"theirs")
    killed(out / "x")
    (out / "aside").rename(out / "x.part")
    (out / "aside.json").rename(out / "x.part.json")
    assert names(out) == ["x.2.part", "x.2.part.json", "x.part", "x.part.json"]
    sink = FileSink(out / "x")
    assert list(sink.begin(10, ID)) == [(0, 5)]
    assert names(out) == ["x.part", "x.part.json"]
    sink.suspend()


def test_the_partial_file_of_a_file_with_a_number_is_not_taken(out: Path) -> None:
    """``x.2.part`` may be the second partial file of ``x``, or the first one of ``x.2``."""
    killed(out / "x.2")
    (out / "x.part").write_bytes(b"theirs")
    assert finished(out / "x") == 0
    assert finished(out / "x.2") == 5
    assert names(out) == ["x", "x.2", "x.part"]


def test_names_that_others_have_are_named(out: Path) -> None:
    for suffix in ["", *[f".{number}" for number in range(2, 10)]]:
        (out / f"x{suffix}.part").write_bytes(b"theirs")
    with pytest.raises(LocalError, match="belong to other downloads") as caught:
        FileSink(out / "x").begin(10, ID)
    assert "x.part ... x.9.part" in caught.value.summary


# -- errors that say nothing about whose a file is ------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "code"),
    [
        *(("read_private", code) for code in [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.EACCES]),
        ("open_binary", errno.EMFILE),
    ],
)
def test_a_state_file_that_cannot_be_read_is_an_error(
    out: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    killed(out / "x")
    if call == "open_binary":
        (out / "x.part.json.tmp").write_text('{"ver')
    before = {name: (out / name).read_bytes() for name in names(out)}

    def refused(*about: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(part_file_state, call, refused)
        with pytest.raises(LocalError, match=os.strerror(code)) as caught:
            FileSink(out / "x").begin(10, ID)
    assert caught.value.hint
    assert caught.value.errno == code
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    assert finished(out / "x") == 5


def test_too_few_descriptors_discard_nothing(out: Path) -> None:
    resource = pytest.importorskip("resource")
    killed(out / "x")
    before = {name: (out / name).read_bytes() for name in names(out)}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    outcomes = []
    for free in range(10):
        top = max(map(int, os.listdir("/proc/self/fd"))) + 20
        held: List[int] = []
        sink = FileSink(out / "x")
        resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
        try:
            while True:
                try:
                    held.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            for fd in held[:free]:
                os.close(fd)
            del held[:free]
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
        assert {name: (out / name).read_bytes() for name in names(out)}.keys() == before.keys(), free
        assert (out / "x.part").read_bytes() == DATA[:5], free
    assert outcomes[0] == errno.EMFILE
    assert outcomes[-1] == [(0, 5)]
    assert set(map(str, outcomes)) == {str(errno.EMFILE), "[(0, 5)]"}
    assert finished(out / "x") == 5


def test_a_disk_that_fails_while_the_partial_file_is_read_keeps_it(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(out / "x")

    def fails(*about: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(FileSink, "_compute_checksum", fails)
        with pytest.raises(LocalError, match="Input/output error"):
            FileSink(out / "x").begin(10, ID)
    assert finished(out / "x") == 5


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
def test_an_unreadable_journal_is_not_replaced(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    key = {"service": "s"}
    with Journal(key, "it") as made:
        made.update(transfer=1)

    def refused(*about: Any) -> Any:
        raise OSError(code, os.strerror(code))

    for broken in (journals.DirectoryStorage, FileLock):
        with monkeypatch.context() as context:
            if broken is FileLock:
                context.setattr("smartxfer.transfer.file_locks._open_locked", refused)
            else:
                context.setattr(journals.DirectoryStorage, "load", refused)
            with pytest.raises(LocalError, match=os.strerror(code)) as caught:
                Journal(key, "it")
            assert caught.value.hint
    with Journal(key, "it") as found:
        assert found.state == {"transfer": 1}


@pytest.mark.parametrize("where", ["open_binary", "PrivateDirectory"])
def test_a_record_that_cannot_be_read_does_not_say_that_the_file_is_another(
    out: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (out / "x").write_bytes(DATA)
    DownloadHistory(out).record_download(out / "x", 10, download_history.compute_extent_checksums(out / "x", [(0, 10)]), ID)

    def refused(*about: Any, **more: Any) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as broken:
        if where == "open_binary":
            broken.setattr(download_history, where, refused)
        else:
            broken.setattr(download_history.PrivateDirectory, "in_state_directory", refused)
        with pytest.raises(LocalError, match="Too many open files"):
            DownloadHistory(out).is_unmodified(out / "x")
        DownloadHistory(out).record_download(out / "x", 10, [], ID)  # only warns: the file exists
    assert DownloadHistory(out).is_unmodified(out / "x") or where == "open_binary"


# -- modes of what is replaced --------------------------------------------------------------------------


class Dies(FileSystem):
    """Is killed in the moment of the renaming."""

    def replace(self, source: Any, target: Any) -> None:
        if not str(target).endswith(".json"):
            raise Killed
        super().replace(source, target)


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o040, 0o444])
def test_a_mode_that_the_owner_cannot_read_does_not_stop_the_next_run(out: Path, mode: int) -> None:
    (out / "x").write_bytes(b"old")
    (out / "x").chmod(mode)
    sink = FileSink(out / "x", files=Dies())
    sink.begin(10, ID)
    sink.write_at(DATA, 0)
    sink._save()
    with pytest.raises(Killed):
        sink.commit()
    assert (out / "x.part").stat().st_mode & 0o622 == 0o600
    os.chmod(str(out / "x.part"), mode)  # as an older version left it
    sink = FileSink(out / "x")
    assert list(sink.begin(10, ID)) == [(0, 10)]
    assert (out / "x.part").stat().st_mode & 0o600 == 0o600
    sink.commit()
    assert (out / "x").stat().st_mode & 0o777 == mode
    (out / "x").chmod(0o600)
    assert (out / "x").read_bytes() == DATA
    assert names(out) == ["x"]


@AS_ROOT
def test_a_partial_file_that_was_given_to_the_owner_of_its_target_is_created_again(out: Path) -> None:
    (out / "x").write_bytes(b"old")
    os.chown(str(out / "x"), STRANGER, STRANGER)
    sink = FileSink(out / "x", files=Dies())
    sink.begin(10, ID)
    sink.write_at(DATA, 0)
    with pytest.raises(Killed):
        sink.commit()
    assert (out / "x.part").stat().st_uid == STRANGER
    assert finished(out / "x") == 0
    assert names(out) == ["x"]
    assert (out / "x").stat().st_uid == STRANGER


def test_a_copy_that_is_being_written_is_not_taken(out: Path) -> None:
    killed(out / "x")
    there = copied(out)
    first = FileSink(there / "x")
    first.begin(10, ID)
    with pytest.raises(AlreadyInProgress):
        FileSink(there / "x").begin(10, ID)
    first.suspend()
