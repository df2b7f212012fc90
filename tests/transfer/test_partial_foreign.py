"""Partial files that belong to others, and disks that refuse."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import DiskFull, LocalError
from smartxfer.transfer import file_sink
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.name_rules import NameRules
from smartxfer.transfer.safe_paths import unique_paths

ID = {"object": 1}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


def names(target: Path) -> List[str]:
    return sorted(path.name for path in target.parent.iterdir())


def begun(target: Path, size: Any = 10, identity: Any = None, **settings: Any) -> Any:
    """(sink, extents that are there)."""
    sink = FileSink(target, **settings)
    return sink, sorted(sink.begin(size, identity or ID))


def left(target: Path, *pieces: Any) -> None:
    """An earlier run that wrote (offset, bytes) and stopped."""
    sink, _ = begun(target)
    for offset, data in pieces:
        sink.write_at(data, offset)
    sink.suspend()


def part_of(target: Path) -> Path:
    return target.with_name("out.bin.part")


def side_of(target: Path) -> Path:
    return target.with_name("out.bin.part.json")


# -- what belongs to others ----------------------------------------------------------------------------


def finish(target: Path) -> FileSink:
    sink, have = begun(target)
    assert have == []
    sink.write_at(b"0123456789", 0)
    return sink  # type: ignore[no-any-return]


def test_a_partial_file_of_anothers_is_never_opened(target: Path) -> None:
    part_of(target).write_bytes(b"theirs")
    before = part_of(target).stat()
    opened: List[str] = []

    class Watching(FileSystem):
        def open(self, path: Any, flags: int, mode: int = 0o666) -> Any:
            opened.append(Path(path).name)
            return super().open(path, flags, mode)

    sink, _ = begun(target, files=Watching())
    sink.write_at(b"0123456789", 0)
    sink.commit()
    assert opened == ["out.bin.2.part"]
    assert part_of(target).read_bytes() == b"theirs"
    assert part_of(target).stat().st_mtime_ns == before.st_mtime_ns
    assert names(target) == ["out.bin", "out.bin.part"]


def test_what_a_killed_run_left_of_its_notes_is_taken_over(target: Path) -> None:
    """The process was killed before it first wrote the side file, or while it wrote the side file."""
    part_of(target).touch()
    unfinished = side_of(target).with_name(side_of(target).name + ".tmp")
    unfinished.write_text('{"ver')
    sink = finish(target)
    assert names(target) == ["out.bin.part", "out.bin.part.json"]
    sink.suspend()
    sink, have = begun(target)
    assert have == [(0, 10)]
    unfinished.write_text('{"ver')
    sink.suspend()
    sink, have = begun(target)
    assert have == [(0, 10)]
    sink.commit()
    assert names(target) == ["out.bin"]


@pytest.mark.parametrize("of_another", ["link", "owner"])
def test_an_empty_partial_file_of_anothers_is_left_alone(
    target: Path, monkeypatch: pytest.MonkeyPatch, of_another: str
) -> None:
    part_of(target).touch()
    if of_another == "link":
        os.link(str(part_of(target)), str(target.with_name("theirs")))
    else:
        monkeypatch.setattr(os, "geteuid", lambda: part_of(target).stat().st_uid + 1)
    finish(target).commit()
    assert part_of(target).stat().st_size == 0
    assert target.read_bytes() == b"0123456789"


def test_a_partial_file_that_was_replaced_is_anothers(target: Path) -> None:
    left(target, (0, b"01234"))
    theirs = target.with_name("theirs")
    theirs.write_bytes(b"theirs")
    theirs.replace(part_of(target))
    finish(target).commit()
    assert part_of(target).read_bytes() == b"theirs"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_appears_when_the_part_file_is_opened_is_not_touched(target: Path, tmp_path: Path, kind: str) -> None:
    """Fails if the part file is not created exclusively: no look before it can replace that."""
    other = tmp_path / "other"
    if kind != "dangling link":
        other.write_bytes(b"theirs")

    class Racing(FileSystem):
        raced = False

        def open(self, path: Any, flags: int, mode: int = 0o666) -> Any:
            if not self.raced and Path(path) == part_of(target):
                self.raced = True
                if kind == "file":
                    part_of(target).write_bytes(b"theirs")
                else:
                    part_of(target).symlink_to(other)
            return super().open(path, flags, mode)

    racing = Racing()
    sink, _ = begun(target, files=racing)
    sink.write_at(b"0123456789", 0)
    sink.commit()
    assert racing.raced
    assert target.read_bytes() == b"0123456789"
    assert part_of(target).is_symlink() == (kind != "file")
    assert other.exists() == (kind != "dangling link")
    if other.exists():
        assert part_of(target).read_bytes() == b"theirs"


@pytest.mark.parametrize("kind", ["symlink", "dangling", "directory", "fifo"])
def test_what_is_no_file_is_not_followed(target: Path, tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "precious"
    elsewhere.write_bytes(b"precious")
    if kind == "directory":
        part_of(target).mkdir()
    elif kind == "fifo":
        os.mkfifo(str(part_of(target)))
    else:
        part_of(target).symlink_to(elsewhere if kind == "symlink" else tmp_path / "nowhere")
    finish(target).commit()
    assert target.read_bytes() == b"0123456789"
    assert elsewhere.read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_side_file_that_is_none_of_ours_is_left_alone(
    target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    side_of(target).write_text("my own notes")
    finish(target).commit()
    assert side_of(target).read_text() == "my own notes"
    side_of(target).write_text(json.dumps({"version": 99, "runs": []}))
    finish(target).commit()
    assert json.loads(side_of(target).read_text())["version"] == 99
    assert "unknown version" in caplog.text


def test_a_replaced_partial_file_does_not_get_the_final_name(target: Path) -> None:
    sink = finish(target)
    part_of(target).unlink()
    part_of(target).write_bytes(b"9876543210")
    with pytest.raises(LocalError, match="another file"):
        sink.commit()
    assert not target.exists()
    sink.suspend()


def test_a_partial_file_that_vanishes_is_no_success(target: Path) -> None:
    sink = finish(target)
    part_of(target).unlink()
    with pytest.raises(LocalError):
        sink.commit()
    assert not target.exists()
    sink.suspend()


def test_others_stand_everywhere(target: Path) -> None:
    for suffix in ["", *[f".{number}" for number in range(2, 10)]]:
        target.with_name(f"out.bin{suffix}.part").write_bytes(b"theirs")
    with pytest.raises(LocalError, match="belong to other downloads"):
        begun(target)
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
    assert caught.value.errno == errno.ENOSPC
    assert not caught.value.retryable
    assert "run again" in caught.value.hint
    sink.suspend()
    sink, have = begun(target)
    assert have == [(0, 3)]
    sink.write_at(b"3456789", 3)
    sink.commit()
    assert target.read_bytes() == b"0123456789"


class Grains:
    """Sums whole pieces of four bytes, and nothing else."""

    block_size = 4

    def update(self, checksum: int, data: Any, offset: int) -> int:
        assert offset % 4 == 0
        for at in range(0, len(data), 4):
            assert len(data[at : at + 4]) == 4 or offset + len(data) == 10
            checksum += int.from_bytes(bytes(data[at : at + 4]), "big") * (offset + at + 1)
        return checksum


def test_a_checksum_may_cover_whole_grains_only(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_sink, "BLOCK_SIZE", 6)
    monkeypatch.setattr(file_sink, "_STATE_FILE_RESERVE", 1)
    sink = FileSink(target)
    sink.checksum = Grains()
    sink.begin(10, ID)
    sink.write_at(b"01234567", 0)
    saves = iter([False, True])
    monkeypatch.setattr(sink, "_save", lambda real=sink._save: next(saves) and real())
    sink.suspend()
    sink = FileSink(target)
    sink.checksum = Grains()
    assert list(sink.begin(10, ID)) == [(0, 4)]
    sink.write_at(b"456789", 4)
    sink.suspend()
    sink = FileSink(target)
    sink.checksum = Grains()
    assert list(sink.begin(10, ID)) == [(0, 10)]
    sink.commit()
    assert target.read_bytes() == b"0123456789"


def test_bytes_of_another_program_are_not_trusted_when_space_is_freed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_sink, "_STATE_FILE_RESERVE", 2)
    sink, _ = begun(target)
    sink.write_at(b"01234567", 0)
    with open(sink._open_part.path, "r+b") as other:
        other.write(b"slip")
    saves = iter([False, True])
    monkeypatch.setattr(sink, "_save", lambda real=sink._save: next(saves) and real())
    sink.suspend()
    assert begun(target)[1] == []


def test_a_rename_that_fails_keeps_everything(target: Path) -> None:
    class Stuck(FileSystem):
        def replace(self, source: Any, goal: Any) -> None:
            if Path(goal) == target:
                raise PermissionError(errno.EACCES, "Permission denied")
            super().replace(source, goal)

    sink, _ = begun(target, files=Stuck())
    sink.write_at(b"0123456789", 0)
    with pytest.raises(LocalError, match="Permission denied"):
        sink.commit()
    sink.suspend()
    assert not target.exists()
    sink, have = begun(target)
    assert have == [(0, 10)]
    sink.commit()
    assert target.read_bytes() == b"0123456789"


def test_a_directory_in_the_way(target: Path) -> None:
    target.mkdir()
    with pytest.raises(LocalError, match="is a directory"):
        begun(target)


def test_a_parent_that_is_a_file(target: Path) -> None:
    target.write_bytes(b"x")
    with pytest.raises(LocalError, match="cannot write"):
        begun(target / "deeper")


def test_a_side_file_that_cannot_be_written_is_a_warning(
    target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class NoSide(FileSystem):
        def replace(self, source: Any, goal: Any) -> None:
            if str(goal).endswith(".json"):
                raise OSError(errno.ENOSPC, "No space left on device")
            super().replace(source, goal)

    sink, _ = begun(target, files=NoSide())
    sink.write_at(b"0123456789", 0)
    sink.commit()
    assert names(target) == ["out.bin"]
    assert "cannot save the state of the download" in caplog.text


def test_no_file_of_a_transfer_has_the_name_of_anothers_partial_file() -> None:
    found = [str(path) for path in unique_paths(["x", "x.part", "x.part.json", "X.PART"], rules=NameRules(windows=False, case_insensitive=True))]
    assert found[0] == "x"
    assert not {"x.part", "x.part.json"} & {name.lower() for name in found}
    assert len({name.lower() for name in found}) == 4
