"""Partial files that belong to others, and disks that refuse."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import DiskFull, LocalError
from smartxfer.transfer import file_sink
from smartxfer.transfer.file_sink import FileSink
from tests.support import sinks
from tests.support.sinks import (
    DATA,
    begun,
    fetched,
    hooked,
    names,
    part_of,
    side_of,
    without_final_name,
    written,
)

# -- what belongs to others ----------------------------------------------------------------------------


def test_a_partial_file_of_anothers_is_never_opened(target: Path) -> None:
    part_of(target).write_bytes(b"theirs")
    before = part_of(target).stat()
    opened: List[str] = []
    fetched(target, files=hooked(open=lambda path, *flags: opened.append(Path(path).name)))
    assert (opened, part_of(target).read_bytes()) == (["out.bin.2.part"], b"theirs")
    assert part_of(target).stat().st_mtime_ns == before.st_mtime_ns
    assert names(target.parent) == ["out.bin", "out.bin.part"]


@pytest.mark.parametrize("unfinished", [b"", b'{"ver', b'{"version": 1, "inode": [1, 2]'])
def test_what_a_killed_run_left_of_its_notes_is_taken_over(target: Path, unfinished: bytes) -> None:
    """The process was killed before it first wrote the side file, or while it wrote the side file."""
    part_of(target).touch()
    temporary = target.with_name("out.bin.part.json.tmp")
    temporary.write_bytes(unfinished)
    sink = written(target)
    assert names(target.parent) == ["out.bin.part", "out.bin.part.json"]
    sink.suspend()
    sink, have = begun(target)
    assert have == [(0, 10)]
    temporary.write_bytes(unfinished)
    sink.suspend()
    fetched(target, have=[(0, 10)])
    assert names(target.parent) == ["out.bin"]


#: What has the name of the partial file before the download begins.
FOREIGN: Dict[str, Callable[[Path], Any]] = {
    "empty, with a second name": lambda part: (part.touch(), os.link(part, part.with_name("theirs"))),
    "empty, of another user": lambda part: part.touch(),
    "another file in the place of ours": lambda part: part.with_name("precious").replace(part),
    "a link": lambda part: part.symlink_to("precious"),
    "a dangling link": lambda part: part.symlink_to("nowhere"),
    "a directory": lambda part: part.mkdir(),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_partial_file_that_is_not_ours_is_left_alone(
    target: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    precious = target.with_name("precious")
    precious.write_bytes(b"precious")
    if kind == "another file in the place of ours":
        sinks.left(target, (0, b"01234"))
    FOREIGN[kind](part_of(target))
    if kind == "empty, of another user":
        monkeypatch.setattr(os, "geteuid", lambda: part_of(target).stat().st_uid + 1)
    before = os.lstat(part_of(target))
    fetched(target)
    after = os.lstat(part_of(target))
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    if precious.exists():
        assert precious.read_bytes() == b"precious"
    assert not target.with_name("nowhere").exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_appears_when_the_part_file_is_opened_is_not_touched(target: Path, kind: str) -> None:
    """Fails if the part file is not created exclusively: no look before it can replace that."""
    other, raced = target.with_name("other"), []
    if kind != "dangling link":
        other.write_bytes(b"theirs")

    def race(path: Any, *flags: int) -> None:
        if not raced and Path(path) == part_of(target):
            raced.append(part_of(target).write_bytes(b"theirs") if kind == "file" else part_of(target).symlink_to(other))

    fetched(target, files=hooked(open=race))
    assert (len(raced), part_of(target).is_symlink()) == (1, kind != "file")
    assert other.exists() == (kind != "dangling link")
    if other.exists():
        assert part_of(target).read_bytes() == b"theirs"


def test_a_side_file_that_is_none_of_ours_is_left_alone(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("my own notes", json.dumps({"version": 99, "runs": []})):
        side_of(target).write_text(text)
        fetched(target)
        assert side_of(target).read_text() == text
    assert "unknown version" in caplog.text


@pytest.mark.parametrize(("theirs", "message"), [(b"9876543210", "another file"), (None, "No such file")])
def test_a_replaced_partial_file_does_not_get_the_final_name(target: Path, theirs: Any, message: str) -> None:
    sink = written(target)
    part_of(target).unlink()
    if theirs is not None:
        part_of(target).write_bytes(theirs)
    with pytest.raises(LocalError, match=message):
        sink.commit()
    assert not target.exists()
    sink.suspend()


def test_files_of_others_have_every_name_of_a_partial_file(target: Path) -> None:
    for suffix in ["", *[f".{number}" for number in range(2, 10)]]:
        target.with_name(f"out.bin{suffix}.part").write_bytes(b"theirs")
    with pytest.raises(LocalError, match="belong to other downloads") as caught:
        begun(target)
    assert "out.bin.part ... out.bin.9.part" in caught.value.summary
    begun(target.with_name("other"))[0].suspend()


# -- the disk ------------------------------------------------------------------------------------------


class FullDisk(FileSystem):
    """Takes ``room`` bytes, and two at a time."""

    def __init__(self, room: int) -> None:
        self.room = room

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        count = min(2, len(data), self.room)
        if not count:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= count
        return super().pwrite(fd, data[:count], offset)

    def free_space(self, directory: Any) -> int:
        return 100


def test_a_full_disk_keeps_what_is_there(target: Path) -> None:
    sink, _ = begun(target, files=FullDisk(7))
    sink.write_at(b"012", 0)
    with pytest.raises(DiskFull, match="No space left") as caught:
        sink.write_at(b"3456789", 3)
    assert (caught.value.errno, caught.value.retryable) == (errno.ENOSPC, False)
    assert "run again" in caught.value.hint
    sink.suspend()
    fetched(target, have=[(0, 3)])


class Grains:
    """Sums whole pieces of four bytes, and nothing else."""

    block_size = 4

    def update(self, checksum: int, data: Any, offset: int) -> int:
        assert offset % 4 == 0
        for at in range(0, len(data), 4):
            assert len(data[at : at + 4]) == 4 or offset + len(data) == 10
            checksum += int.from_bytes(bytes(data[at : at + 4]), "big") * (offset + at + 1)
        return checksum


def first_save_fails(sink: FileSink, monkeypatch: pytest.MonkeyPatch) -> None:
    saves = iter([False, True])
    monkeypatch.setattr(sink, "_save", lambda real=sink._save: next(saves) and real())


def test_a_checksum_may_cover_whole_grains_only(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_sink, "BLOCK_SIZE", 6)
    monkeypatch.setattr(file_sink, "_STATE_FILE_RESERVE", 1)
    steps: Any = [([], b"01234567", 0), ([(0, 4)], b"456789", 4), ([(0, 10)], b"", 10)]
    for have, data, offset in steps:
        sink = FileSink(target)
        sink.checksum = Grains()
        assert list(sink.begin(10, sinks.ID)) == have
        if data:
            sink.write_at(data, offset)
            if not have:
                first_save_fails(sink, monkeypatch)
            sink.suspend()
    sink.commit()
    assert target.read_bytes() == DATA


def test_bytes_of_another_program_are_not_trusted_when_space_is_freed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sink, "_STATE_FILE_RESERVE", 2)
    sink, _ = begun(target)
    sink.write_at(b"01234567", 0)
    with open(sink._open_part.path, "r+b") as other:
        other.write(b"slip")
    first_save_fails(sink, monkeypatch)
    sink.suspend()
    assert begun(target)[1] == []


@pytest.mark.parametrize("mode", [None, 0o666])
@pytest.mark.parametrize(
    ("code", "hint"), [(errno.EACCES, ""), (errno.EBUSY, "mount its directory in place of the file")]
)
def test_a_rename_that_fails_keeps_everything(target: Path, code: int, hint: str, mode: Any) -> None:
    """Also where the file to be replaced has a mode that lets others write."""
    if mode is not None:
        target.write_bytes(b"old")
        target.chmod(mode)
    sink = written(target, files=without_final_name(OSError(code, os.strerror(code))))
    with pytest.raises(LocalError, match=os.strerror(code)) as caught:
        sink.commit()
    assert hint in caught.value.hint
    sink.suspend()
    assert (target.read_bytes() if target.exists() else None) == (b"old" if mode else None)
    assert mode is None or sinks.mode_of(part_of(target)) == 0o600
    fetched(target, have=[(0, 10)])


@pytest.mark.parametrize(("name", "message"), [("dir", "is a directory"), ("file/deeper", "cannot write")])
def test_a_target_that_cannot_be_a_file(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(LocalError, match=message):
        begun(tmp_path / name)


def test_a_side_file_that_cannot_be_written_is_a_warning(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    def replace(source: Any, goal: Any) -> None:
        if str(goal).endswith(".json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    fetched(target, files=hooked(replace=replace))
    assert names(target.parent) == ["out.bin"]
    assert "cannot save the state of the download" in caplog.text
