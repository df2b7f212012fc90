"""Partial files in a directory that others may write to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Callable

import pytest

from smartxfer._system import FileSystem
from smartxfer.transfer.file_sink import FileSink
from tests.support.planted_state import (
    AS_ROOT,
    DATA,
    ID,
    PLANTED,
    bounded,
    by_a_stranger,
    directory,
    fifo,
    hard_link,
    symbolic_link,
)


@pytest.fixture(params=PLANTED)
def plant(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    found: Callable[[Path], str] = request.param
    return found


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
    sink.suspend()


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_planted_partial_file_is_not_resumed(
    target: Path, plant: Callable[[Path], str], suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken(target)
    planted = target.with_name(target.name + suffix)
    reason = plant(planted)
    if plant is hard_link and suffix == ".part":
        reason = ""  # an own file that already has its final name is created again without a message
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
    """The side file of another user names a partial file of that user, which would become the target."""
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
    class Refusing(FileSystem):
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
    """On such a file system every file has mode 0777, and chmod has no effect."""
    broken(target)
    for suffix in (".part", ".part.json"):
        target.with_name(target.name + suffix).chmod(0o777)
    monkeypatch.setattr(os, "fchmod", lambda fd, mode: None)
    sink = FileSink(target)
    assert list(sink.begin(len(DATA), ID)) == [(0, 4)]
    sink.suspend()
