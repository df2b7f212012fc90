"""Partial files in a directory that others may write to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Optional

import pytest

from smartxfer.transfer.file_sink import FileSink
from tests.support.planted_state import (
    AS_ROOT,
    PLANTED,
    bounded,
    by_a_stranger,
    directory,
    fifo,
    hard_link,
    symbolic_link,
)
from tests.support.sinks import DATA, ID, fetched, left, mode_of, part_of


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
    planted = target.with_name(target.name + suffix)
    reason = plant(planted)
    if suffix == ".part" and plant in (hard_link, symbolic_link, fifo, directory):
        reason = ""  # one that has its final name already, or another file than the side file names
    left = os.lstat(str(planted))
    sink = FileSink(target)
    assert bounded(lambda: list(sink.begin(len(DATA), ID))) == []
    sink.write_at(b"abcdefghij", 0)
    assert not target.exists()
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
