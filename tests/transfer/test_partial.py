"""The partial file and the side file that owns it."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import logging
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.transfer.part_file import sibling_path
from tests.support.fake_clock import FakeClock
from tests.support.sinks import DATA, ID, begun, fetched, left, mode_of, names, part_of, side_of, written


def test_it_has_its_name_only_when_it_is_complete(target: Path) -> None:
    sink, have = begun(target)
    assert have == []
    sink.write_at(b"56789", 5)
    assert names(target.parent) == ["out.bin.part", "out.bin.part.json"]
    sink.write_at(memoryview(b"01234"), 0)
    assert sink.digest("md5") == hashlib.md5(DATA).hexdigest()
    sink.commit()
    assert (names(target.parent), target.read_bytes()) == (["out.bin"], DATA)


def test_the_existing_file_is_kept_until_the_commit(target: Path) -> None:
    target.write_bytes(b"old")
    sink = written(target)
    assert target.read_bytes() == b"old"
    sink.commit()
    assert target.read_bytes() == DATA


def test_a_length_that_is_wrong_is_never_committed(target: Path) -> None:
    sink, _ = begun(target)
    sink.write_at(b"012345678", 0)
    with pytest.raises(LocalError, match="has 9 bytes, not 10"):
        sink.commit()
    assert not target.exists()
    sink.suspend()


def test_a_later_run_continues(target: Path) -> None:
    left(target, (0, b"01"), (2, b"2"), (7, b"78"))
    fetched(target, have=[(0, 3), (7, 9)])


def test_nothing_is_left_of_an_empty_one(target: Path) -> None:
    left(target)
    assert names(target.parent) == []


@pytest.mark.parametrize(("size", "identity"), [(11, ID), (10, {"object": 2}), (None, ID)])
def test_another_object_starts_from_the_beginning(target: Path, size: Any, identity: Any) -> None:
    left(target, (0, b"01234"))
    sink, have = begun(target, size, identity)
    assert (have, part_of(target).stat().st_size) == ([], 0)
    sink.suspend()


def test_restart_empties_it(target: Path) -> None:
    sink, _ = begun(target)
    sink.write_at(b"01234", 0)
    sink.restart()
    assert part_of(target).stat().st_size == 0
    sink.suspend()
    assert names(target.parent) == []


# -- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["a byte", "the tail"])
def test_damaged_bytes_are_not_built_upon(target: Path, caplog: pytest.LogCaptureFixture, how: str) -> None:
    left(target, (0, b"012"), (5, b"567"))
    with part_of(target).open("r+b") as part:
        if how == "a byte":
            part.seek(6)
            part.write(b"X")
        else:
            part.truncate(7)
    fetched(target, have=[(0, 3)])
    assert ("bytes 5 to 8" in caplog.text) == (how == "a byte")


@pytest.mark.parametrize(
    "runs",
    [None, 5, [5], [[1]], [["a", "b", "c"]], [[-1, 3, 0]], [[0, 99, 0]], [[3, 1, 0]], [[0, 3, 1.5]], "far"],
)
def test_runs_that_make_no_sense(target: Path, runs: Any) -> None:
    left(target, (0, b"012"))
    state = json.loads(side_of(target).read_text())
    side_of(target).write_text(json.dumps({**state, "runs": runs}).replace('"far"', "[[0, 1e999, 0]]"))
    fetched(target, have=[])


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
    assert (noted(), mode_of(side_of(target))) == ([[0, 6]], 0o600)
    sink.suspend()


def test_the_side_file_holds_what_it_was_given_and_no_more(target: Path) -> None:
    left(target, (0, b"01"))
    state = json.loads(side_of(target).read_text())
    assert sorted(state) == ["identity", "inode", "proof", "runs", "size", "target", "version"]
    assert (state["target"], state["proof"], state["identity"]) == ("out.bin", [0, 2, zlib.crc32(b"01")], ID)


def test_many_threads_write_one_file(target: Path) -> None:
    size, step = 400_000, 1000
    data = os.urandom(size)
    sink, _ = begun(target, size)

    def write(first: int) -> None:
        for start in range(first * 100_000, (first + 1) * 100_000, step):
            sink.write_at(data[start : start + step], start)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
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


def test_a_state_directory_is_not_needed_for_the_lock(
    target: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = target.with_name("blocker")
    blocker.write_bytes(b"")
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(blocker / "state"))
    with caplog.at_level(logging.WARNING, "smartxfer"):
        fetched(target)
    assert not caplog.text  # the lock is beside the target


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "x" * 243, "x" * 244, "é" * 125 + ".data"])
def test_long_names_have_room_for_the_suffix(tmp_path: Path, name: str) -> None:
    left(tmp_path / name, (0, b"01"))
    part, side = sorted(names(tmp_path), key=len)
    assert len(os.fsencode(part)) <= 255 - len(".json.01234567.tmp")
    assert (part[-5:], side) == (".part", f"{part}.json")
    fetched(tmp_path / name, have=[(0, 2)])
    assert names(tmp_path) == [name]


def test_long_or_odd_names_do_not_share_a_partial_file() -> None:
    given = ["x" * 250 + end for end in ("a", "b", "c.txt")] + [os.fsdecode(byte) for byte in (b"\xff", b"\xfe")]
    assert len({sibling_path(Path(name), ".part") for name in given}) == len(given)
