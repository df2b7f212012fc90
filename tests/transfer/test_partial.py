"""The partial file and the side file that owns it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import zlib
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.part_file import sibling_path
from tests.support.fake_clock import FakeClock

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


def test_it_has_its_name_only_when_it_is_complete(target: Path) -> None:
    sink, have = begun(target)
    assert have == []
    sink.write_at(b"56789", 5)
    assert names(target) == ["out.bin.part", "out.bin.part.json"]
    sink.write_at(memoryview(b"01234"), 0)
    assert sink.digest("md5") == hashlib.md5(b"0123456789").hexdigest()
    sink.commit()
    assert names(target) == ["out.bin"]
    assert target.read_bytes() == b"0123456789"


def test_the_existing_file_is_kept_until_the_commit(target: Path) -> None:
    target.write_bytes(b"old")
    sink, _ = begun(target)
    sink.write_at(b"0123456789", 0)
    assert target.read_bytes() == b"old"
    sink.commit()
    assert target.read_bytes() == b"0123456789"


def test_a_length_that_is_wrong_is_never_committed(target: Path) -> None:
    sink, _ = begun(target)
    sink.write_at(b"012345678", 0)
    with pytest.raises(LocalError, match="has 9 bytes, not 10"):
        sink.commit()
    assert not target.exists()
    sink.suspend()


def test_a_later_run_goes_on(target: Path) -> None:
    left(target, (0, b"01"), (2, b"2"), (7, b"78"))
    sink, have = begun(target)
    assert have == [(0, 3), (7, 9)]
    sink.write_at(b"3456", 3)
    sink.write_at(b"9", 9)
    sink.commit()
    assert target.read_bytes() == b"0123456789"


def test_nothing_is_left_of_an_empty_one(target: Path) -> None:
    left(target)
    assert names(target) == []


@pytest.mark.parametrize(("size", "identity"), [(11, ID), (10, {"object": 2}), (None, ID)])
def test_another_object_starts_from_the_beginning(target: Path, size: Any, identity: Any) -> None:
    left(target, (0, b"01234"))
    sink, have = begun(target, size, identity)
    assert have == []
    assert (target.parent / "out.bin.part").stat().st_size == 0
    sink.suspend()


def test_restart_empties_it(target: Path) -> None:
    sink, _ = begun(target)
    sink.write_at(b"01234", 0)
    sink.restart()
    assert (target.parent / "out.bin.part").stat().st_size == 0
    sink.suspend()
    assert names(target) == []


# -- damage --------------------------------------------------------------------------------------------


def part_of(target: Path) -> Path:
    return target.with_name("out.bin.part")


def side_of(target: Path) -> Path:
    return target.with_name("out.bin.part.json")


def test_damaged_bytes_are_not_built_upon(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    left(target, (0, b"012"), (5, b"567"))
    with part_of(target).open("r+b") as part:
        part.seek(6)
        part.write(b"X")
    sink, have = begun(target)
    assert have == [(0, 3)]
    assert "bytes 5 to 8" in caplog.text
    sink.suspend()


def test_a_tail_that_was_lost_is_not_built_upon(target: Path) -> None:
    left(target, (0, b"012"), (5, b"567"))
    os.truncate(part_of(target), 7)
    sink, have = begun(target)
    assert have == [(0, 3)]
    sink.suspend()


@pytest.mark.parametrize(
    "runs",
    [None, 5, [5], [[1]], [["a", "b", "c"]], [[-1, 3, 0]], [[0, 99, 0]], [[3, 1, 0]], [[0, 3, 1.5]], "far"],
)
def test_runs_that_make_no_sense(target: Path, runs: Any) -> None:
    left(target, (0, b"012"))
    state = json.loads(side_of(target).read_text())
    side_of(target).write_text(json.dumps({**state, "runs": runs}).replace('"far"', "[[0, 1e999, 0]]"))
    sink, have = begun(target)
    assert have == []
    sink.suspend()


# -- more ----------------------------------------------------------------------------------------------


def test_it_is_noted_now_and_then_what_is_there(target: Path) -> None:
    clock = FakeClock()
    sink, _ = begun(target, clock=clock)
    noted = lambda: [run[:2] for run in json.loads(side_of(target).read_text())["runs"]]  # noqa: E731
    sink.write_at(b"01", 0)
    assert noted() == [[0, 2]], "a copy is recognised by its first bytes"
    sink.write_at(b"23", 2)
    assert noted() == [[0, 2]]
    clock.advance(1.0)
    sink.write_at(b"45", 4)
    assert noted() == [[0, 6]]
    assert (side_of(target).stat().st_mode & 0o777) == 0o600
    sink.suspend()


def test_the_side_file_holds_what_it_was_given_and_no_more(target: Path) -> None:
    left(target, (0, b"01"))
    state = json.loads(side_of(target).read_text())
    assert sorted(state) == ["identity", "inode", "proof", "runs", "size", "target", "version"]
    assert (state["target"], state["proof"]) == ("out.bin", [0, 2, zlib.crc32(b"01")])
    assert state["identity"] == ID


def test_many_threads_write_one_file(target: Path) -> None:
    size, step = 400_000, 1000
    data = os.urandom(size)
    sink, _ = begun(target, size)

    def write(first: int) -> None:
        for start in range(first * 100_000, (first + 1) * 100_000, step):
            sink.write_at(data[start : start + step], start)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    sink.suspend()
    sink, have = begun(target, size)
    assert sum(stop - start for start, stop in have) == size
    sink.commit()
    assert target.read_bytes() == data


def test_only_one_at_a_time(target: Path) -> None:
    sink, _ = begun(target)
    with pytest.raises(AlreadyInProgress):
        begun(target)
    sink.suspend()
    begun(target)[0].suspend()


def finish(target: Path) -> FileSink:
    sink, have = begun(target)
    assert have == []
    sink.write_at(b"0123456789", 0)
    return sink  # type: ignore[no-any-return]


def test_a_state_directory_is_not_needed_for_the_lock(
    target: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = target.with_name("blocker")
    blocker.write_bytes(b"")
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(blocker / "state"))
    with caplog.at_level(logging.WARNING, "smartxfer"):
        finish(target).commit()
    assert target.read_bytes() == b"0123456789"
    assert not caplog.text  # the lock is beside the target


@pytest.mark.parametrize("stem", ["x" * 255, "ü" * 127, "x" * 243, "x" * 244])
def test_long_names_have_room_for_the_suffix(tmp_path: Path, stem: str) -> None:
    target = tmp_path / stem
    left(target, (0, b"01"))
    assert len(names(target)) == 2
    assert all(len(os.fsencode(name)) <= 255 for name in names(target))
    sink, have = begun(target)
    assert have == [(0, 2)]
    sink.write_at(b"23456789", 2)
    sink.commit()
    assert names(target) == [stem]


def test_long_or_odd_names_do_not_share_a_partial_file() -> None:
    assert sibling_path(Path("x" * 250 + "1"), ".part") != sibling_path(Path("x" * 250 + "2"), ".part")
    odd = [os.fsdecode(b"\xff"), os.fsdecode(b"\xfe")]
    assert sibling_path(Path(odd[0]), ".part") != sibling_path(Path(odd[1]), ".part")
