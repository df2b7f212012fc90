"""Files that get their name once they are complete: an existing file is replaced in one step, or kept."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer.errors import DiskFull, LocalError
from smartxfer.transfer import disk
from smartxfer.transfer.atomic_file import AtomicFile
from tests.support.sinks import DATA, hooked, left, mode_of, names, raising


def begun(path: Path, **options: Any) -> AtomicFile:
    """Begin the file and write all of it."""
    file = AtomicFile(path, **options)
    file.begin(None, {})
    file.write_at(DATA[5:], 5)
    file.write_at(DATA[:5], 0)
    return file


def part_in(directory: Path) -> Path:
    [part] = directory.glob(".smartxfer-*.part")
    return part


@pytest.mark.parametrize("mode", [None, 0o600, 0o755, 0o666, 0o444, 0o4755])
def test_the_name_comes_in_one_step_and_the_mode_stays(tmp_path: Path, mode: Any) -> None:
    target, plain = tmp_path / "out", tmp_path / "plain"
    plain.touch()
    if mode is not None:
        target.write_bytes(b"old")
        target.chmod(mode)
    file = begun(target)
    if mode is not None:
        assert (target.read_bytes(), mode_of(part_in(tmp_path))) == (b"old", 0o600)
    file.commit()
    assert (target.read_bytes(), mode_of(target)) == (DATA, mode_of(plain) if mode is None else mode)
    assert names(tmp_path) == ["out", "plain"]


def test_others_cannot_write_to_it_before_it_has_its_name(tmp_path: Path) -> None:
    modes: List[int] = []
    watched = hooked(replace=lambda source, target: modes.append(mode_of(part_in(tmp_path))))
    (tmp_path / "out").touch()
    (tmp_path / "out").chmod(0o666)
    begun(tmp_path / "out", files=watched).commit()
    assert (modes, mode_of(tmp_path / "out")) == ([0o644], 0o666)


def test_what_is_left_is_gone(tmp_path: Path) -> None:
    begun(tmp_path / "far" / "out").suspend()
    assert names(tmp_path / "far") == []


def test_a_file_that_is_put_in_its_place_gets_no_name(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    file = begun(tmp_path / "out")
    part = part_in(tmp_path)
    part.unlink()
    part.write_bytes(b"evil")
    with pytest.raises(LocalError, match="was replaced by another file"):
        file.commit()
    assert (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.parametrize("late", [False, True])
def test_what_cannot_be_replaced_is_refused(
    tmp_path: Path, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if only the first check, or only the check before the replacement, refuses the target."""
    left(tmp_path / "data", (0, b"12345"))
    (tmp_path / "mounts").write_text(f"1 2 0:1 / {tmp_path}/mount\\040point rw - ext4 x y\n", encoding="ascii")
    monkeypatch.setattr(disk, "_MOUNTINFO_PATH", str(tmp_path / "mounts"))
    os.mkfifo(str(tmp_path / "pipe"))
    (tmp_path / "mount point").write_bytes(b"mounted")
    before = names(tmp_path)
    for name, reason in (
        ("data.part", "belongs to an unfinished download"),
        ("mount point", "is a mount point"),
        ("pipe", "is not a regular file"),
    ):
        path, aside = tmp_path / name, tmp_path / "aside"
        if late:
            path.rename(aside)
        file = AtomicFile(path)
        with pytest.raises(LocalError, match=reason):
            file.begin(None, {})
            assert late
            aside.rename(path)
            file.write_at(DATA, 0)
            file.commit()
        assert names(tmp_path) == before
    with pytest.raises(LocalError, match="is a directory"):
        AtomicFile(tmp_path).begin(None, {})


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    full = hooked(pwrite=raising(OSError(errno.ENOSPC, "No space left on device")))
    file = AtomicFile(tmp_path / "out", files=full)
    file.begin(None, {})
    with pytest.raises(DiskFull, match="out"):
        file.write_at(DATA, 0)
    file.suspend()
    assert names(tmp_path) == []


def test_the_kernel_copies_from_any_place_to_any_place(tmp_path: Path) -> None:
    if not hasattr(os, "copy_file_range"):
        pytest.skip("this kernel copies nothing")
    (tmp_path / "source").write_bytes(bytes(range(256)))
    file = begun(tmp_path / "out")
    with open(tmp_path / "source", "rb") as source:
        copied = file.copy_at((source.fileno(), 16), 4, 3)
        assert copied in (0, 4)  # none on some file systems
        assert file.copy_at((source.fileno(), 250), 20, len(DATA)) in (0, 6)
        assert source.tell() == 0
    file.commit()
    if copied:
        assert (tmp_path / "out").read_bytes() == b"012\x10\x11\x12\x13789\xfa\xfb\xfc\xfd\xfe\xff"
