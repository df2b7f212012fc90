"""Applying deltas in place and into open files; a failed call leaves no files."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path
from typing import Any, List

import pytest

from smartxfer import delta
from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.delta import output_file
from smartxfer.errors import DeltaError, DiskFull, LocalError, SourceChanged, UsageError
from tests.support.delta_edits import CHANGE, NEW, OLD
from tests.support.sinks import mode_of, names, raising


@pytest.fixture(name="room")
def _room(tmp_path: Path) -> Path:
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "change").write_bytes(CHANGE)
    return tmp_path


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_paths_of_any_kind(kind: Any, room: Path) -> None:
    old, change, new = (kind(str(room / name)) for name in ("old", "change", "new"))
    with pytest.raises(UsageError) if kind is os.fsencode else contextlib.nullcontext():
        assert (delta.patch(old, change, new), (room / "new").read_bytes()) == (len(NEW), NEW)
    assert names(room) == (["change", "old"] if kind is os.fsencode else ["change", "new", "old"])


def test_open_files(room: Path) -> None:
    with open(room / "old", "rb") as old, open(room / "change", "rb") as change, open(
        room / "new", "wb"
    ) as new:
        old.seek(5)  # the basis is the whole file, whatever its position
        new.write(b"before ")
        assert ((delta.patch(old, change, new), change.tell()), old.tell()) == ((len(NEW), len(CHANGE)), 5)
    assert (room / "new").read_bytes() == b"before " + NEW


def test_files_in_memory() -> None:
    new = io.BytesIO()
    change = io.BytesIO(b"skipped" + CHANGE)
    change.seek(7)
    assert (delta.patch(io.BytesIO(OLD), change, new), new.getvalue()) == (len(NEW), NEW)


def test_a_gzip_file_is_read_through_itself(room: Path) -> None:
    """The descriptor of a gzip file gives the compressed bytes."""
    import gzip

    with gzip.open(room / "old.gz", "wb") as file:
        file.write(OLD)
    with gzip.open(room / "old.gz", "rb") as old:
        delta.patch(old, room / "change", room / "new")  # type: ignore[arg-type]
    assert (room / "new").read_bytes() == NEW


def test_in_place(room: Path) -> None:
    os.chmod(room / "old", 0o640)
    assert delta.patch(room / "old", room / "change", room / "old") == len(NEW)
    assert ((room / "old").read_bytes(), mode_of(room / "old")) == (NEW, 0o640)
    assert names(room) == ["change", "old"]


def test_the_mode_and_owner_of_what_was_there_are_kept_and_a_new_file_has_the_usual_ones(room: Path) -> None:
    there = room / "there"
    there.write_bytes(b"other")
    if os.geteuid() == 0:
        os.chown(there, 12345, 23456)
    there.chmod(0o604)
    before = there.stat()
    delta.patch(room / "old", room / "change", there)
    after = there.stat()
    assert there.read_bytes() == NEW
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    delta.patch(room / "old", room / "change", room / "new")
    assert (room / "new").stat().st_mode == (room / "old").stat().st_mode


def test_a_symbolic_link_stays_one(room: Path) -> None:
    (room / "link").symlink_to("old")
    delta.patch(room / "link", room / "change", room / "link")
    assert (room / "link").is_symlink()
    assert (room / "old").read_bytes() == NEW


def test_without_the_kernel_the_file_is_the_same(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    assert delta.patch(room / "old", room / "change", room / "new") == len(NEW)
    assert (room / "new").read_bytes() == NEW


@pytest.mark.parametrize("how", ["refuses", "gives nothing", "stops half way"])
def test_a_kernel_that_does_not_copy(how: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: List[int] = []

    def copy(source: int, into: int, count: int, offset: int, at: int) -> int:
        calls.append(count)
        if how == "stops half way" and len(calls) == 1:
            return os.pwrite(into, os.pread(source, 1000, offset), at)
        if how == "gives nothing":
            return 0
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "copy_file_range", copy, raising=False)
    monkeypatch.setattr(output_file, "_MIN_DIRECT_SIZE", 1)
    assert delta.patch(room / "old", room / "change", room / "new") == len(NEW)
    assert (room / "new").read_bytes() == NEW
    assert calls


def in_place_fails(room: Path, error: Any, **attributes: Any) -> Any:
    """A patch in place raises the error, and leaves the file as it was; return what was raised."""
    with pytest.raises(error, **attributes) as caught:
        delta.patch(room / "old", room / "change", room / "old")
    assert ((room / "old").read_bytes(), names(room)) == (OLD, ["change", "old"])
    return caught.value


def test_a_full_disk_leaves_what_was_there(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = raising(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(os, "copy_file_range", full, raising=False)
    monkeypatch.setattr(output_file, "_MIN_DIRECT_SIZE", 1)
    in_place_fails(room, DiskFull)


def test_a_rename_that_fails_leaves_what_was_there(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = raising(PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr(SYSTEM_FILESYSTEM, "replace", refused)
    assert in_place_fails(room, LocalError, match="cannot write").errno == errno.EACCES


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_nothing(failure: Any, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> None:
        assert len(names(room)) == 3  # the temporary file is there
        raise failure

    monkeypatch.setattr(output_file.OutputFile, "copy", stop)
    in_place_fails(room, failure)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    path.with_name("other").write_bytes(OLD)
    path.with_name("other").replace(path)


@pytest.mark.parametrize(
    ("change", "message"), [(append, ""), (lambda path: os.truncate(path, 300), "truncated"), (replace, "")]
)
def test_a_file_that_changes_during_the_call(room: Path, change: Any, message: str) -> None:
    class Slow(io.BytesIO):
        def read(self, most: Any = -1) -> bytes:
            change(room / "old")
            return super().read(most)

    with pytest.raises(SourceChanged) as caught:
        delta.patch(room / "old", Slow(CHANGE), room / "new")
    assert message in str(caught.value)
    assert names(room) == ["change", "old"]


def test_an_error_of_the_callers_stream_comes_out_as_it_is(room: Path) -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, view: Any) -> int:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        delta.patch(room / "old", Broken(), room / "old")  # type: ignore[arg-type]
    assert (room / "old").read_bytes() == OLD


def test_another_size_than_promised(room: Path) -> None:
    with pytest.raises(DeltaError):
        delta.patch(room / "old", room / "change", room / "new", size=len(NEW) - 1)
    assert names(room) == ["change", "old"]
    assert delta.patch(room / "old", room / "change", room / "new", size=len(NEW)) == len(NEW)


def test_an_empty_basis_and_an_empty_new_file(room: Path) -> None:
    (room / "empty").write_bytes(b"")
    assert delta.patch(room / "empty", io.BytesIO(b"rs\x026\x03new\x00"), room / "new") == 3
    assert delta.patch(room / "old", io.BytesIO(b"rs\x026\x00"), room / "old") == 0
    assert (room / "old").read_bytes() == b""


def test_missing_files(room: Path) -> None:
    for old, change in (("none", "change"), ("old", "none")):
        with pytest.raises(FileNotFoundError):
            delta.patch(room / old, room / change, room / "new")
    assert names(room) == ["change", "old"]


def test_what_cannot_be(room: Path) -> None:
    (room / "folder").mkdir()
    both = io.BytesIO(OLD)
    with open(room / "old", "r+b") as file, open(room / "old", "rb") as reading:
        for old, change, new, error, message in (
            (room / "old", room / "change", room / "folder", LocalError, "is a directory"),
            (room / "folder", room / "change", room / "new", UsageError, "not a regular file"),
            (room / "old", room / "change", room / "change", UsageError, "both input and output"),
            (room / "old", room / "change", file, UsageError, "both input and output"),
            (file, room / "change", file, UsageError, "both input and output"),
            (both, room / "change", both, UsageError, "both input and output"),
            (room / "old", room / "change", reading, UsageError, "not open for writing"),
        ):
            with pytest.raises(error, match=message):
                delta.patch(old, change, new)
    assert (names(room), (room / "old").read_bytes()) == (["change", "folder", "old"], OLD)


def test_a_device_gets_the_bytes_in_order(room: Path) -> None:
    assert delta.patch(room / "old", room / "change", "/dev/null") == len(NEW)
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader:
        assert delta.patch(room / "old", room / "change", f"/dev/fd/{write_end}") == len(NEW)
        os.close(write_end)
        assert reader.read() == NEW


def test_a_directory_that_is_missing_is_made(room: Path) -> None:
    assert delta.patch(room / "old", room / "change", room / "far" / "off" / "new") == len(NEW)
    assert (room / "far" / "off" / "new").read_bytes() == NEW
    with pytest.raises(FileNotFoundError):
        delta.patch(room / "none", room / "change", room / "nowhere" / "new")
    assert names(room) == ["change", "far", "old"]


def test_a_writer_without_flush_is_enough(room: Path) -> None:
    class Plain(bytearray):
        write = bytearray.extend

    plain: Any = Plain()
    assert (delta.patch(room / "old", room / "change", plain), plain) == (len(NEW), NEW)


def test_a_pipe_as_basis_is_refused_and_as_delta_is_read(room: Path) -> None:
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as source:
        with open(write_end, "wb") as sink:
            sink.write(CHANGE)
        with pytest.raises(UsageError, match="cannot seek"):
            delta.patch(source, room / "change", room / "new")
        assert delta.patch(room / "old", source, room / "new") == len(NEW)
    assert (room / "new").read_bytes() == NEW


def test_a_pipe_by_name_does_not_hang(room: Path) -> None:
    os.mkfifo(room / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        delta.patch(room / "old", room / "pipe", room / "new")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_text_and_other_things_are_refused(place: int, room: Path) -> None:
    with open(room / "text", "w+", encoding="ascii") as text:
        for wrong in (text, io.StringIO(), None, 3):
            arguments: List[Any] = [room / "old", room / "change", room / "new"]
            arguments[place] = wrong
            with pytest.raises(UsageError):
                delta.patch(*arguments)
    assert names(room) == ["change", "old", "text"]
