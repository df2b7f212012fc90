"""Directories that are opened once: their files are opened by descriptor, and no link is followed."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath
from typing import Any, List

import pytest

from smartxfer import directories
from smartxfer._system import FileSystem
from smartxfer.directories import Directory, lstat, open_entry
from smartxfer.errors import LocalError, UnsafeName
from smartxfer.transfer.directory_download import open_target_directory
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.temporary_files import make_temporary_file, remove_stale_temporary_files
from tests.support.sinks import DATA, ID, descriptors, fetched, hooked, names, raising, written


@pytest.fixture(params=[True, False], ids=["descriptors", "checks"])
def by_descriptor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Systems with and without descriptors of directories."""
    monkeypatch.setattr(directories, "SUPPORTS_DIR_FD", request.param)
    return bool(request.param)


pytestmark = pytest.mark.usefixtures("by_descriptor")


def below(tmp_path: Path, relative: str) -> Path:
    with Directory(tmp_path) as root, root.open_descendant(PurePosixPath(relative), create=True) as found:
        return found.path


def test_folders_are_made_below_the_directory(tmp_path: Path) -> None:
    assert below(tmp_path, "a/b") == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").is_dir()
    assert (below(tmp_path, "a/b"), below(tmp_path, ".")) == (tmp_path / "a" / "b", tmp_path)


@pytest.mark.parametrize("where", ["outside", "inside", "nowhere"])
def test_no_symbolic_link_is_followed(tmp_path: Path, where: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "real").mkdir()
    targets = {"outside": elsewhere, "inside": out / "real", "nowhere": tmp_path / "nothing"}
    (out / "link").symlink_to(targets[where])
    before = descriptors()
    for relative in ("link", "link/deep"):
        with pytest.raises(UnsafeName, match="refusing to write through it"):
            below(out, relative)
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "nothing").exists()
    assert descriptors() == before


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert below(tmp_path / "link", "a") == tmp_path / "link" / "a"
    assert (tmp_path / "real" / "a").is_dir()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(UnsafeName):
        below(tmp_path, "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x"])
def test_a_path_that_is_not_below_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafeName):
        below(tmp_path, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_an_entry_is_a_single_name(tmp_path: Path, name: str) -> None:
    with Directory(tmp_path) as root, pytest.raises(UnsafeName):
        root.entry(name)


def test_a_path_that_no_program_could_open_is_not_made(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 200] * 30, "f")
    with open_target_directory(tmp_path) as root, pytest.raises(LocalError, match="cannot write") as caught:
        FileSink(deep, follow=False, root=root).begin(10, ID)
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize(
    ("path", "reason"), [("out", "exists and is not a directory"), ("out/deeper", "Not a directory")]
)
def test_a_target_that_cannot_be_a_directory(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(LocalError, match=f"cannot write .*{reason}"):
        open_target_directory(tmp_path / path)


def test_a_tree_holds_no_descriptors(tmp_path: Path) -> None:
    with Directory(tmp_path) as root:
        before = descriptors()
        sinks = [FileSink(tmp_path / f"{number}/x", follow=False, root=root) for number in range(50)]
        assert descriptors() == before
        for sink in sinks:
            sink.begin(10, ID)
            sink.write_at(DATA, 0)
            sink.commit()
            assert descriptors() == before
    assert len(list(tmp_path.glob("*/x"))) == 50


def test_a_path_that_leads_up_from_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    fetched(tmp_path / "link" / ".." / "one", follow=False)
    with open_target_directory(tmp_path / "link" / ".." / "out") as root:
        fetched(root.path / "a" / "two", follow=False, root=root)
    assert (tmp_path / "far" / "one").read_bytes() == DATA
    assert (tmp_path / "far" / "out" / "a" / "two").read_bytes() == DATA
    assert os.listdir(tmp_path / "far" / "out" / "a") == ["two"]


def test_the_working_directory_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_target_directory(Path("out")) as root, root.open_descendant(PurePosixPath("a"), create=True) as inner:
        monkeypatch.chdir(tmp_path / "elsewhere")
        inner.verify_not_moved()
        for path in (root.path / "a" / "one", root.path / "two"):
            written(path, follow=False, root=root).commit()
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["a", "one", "two"]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_directory_that_cannot_be_searched_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "lstat", raising(PermissionError(errno.EACCES, "Permission denied", "x")))
    before = descriptors()
    with pytest.raises(PermissionError):
        open_entry(tmp_path / "x", follow=True)
    assert descriptors() == before


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root reads every directory")
def test_a_directory_that_can_be_written_to_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o300)
    with Directory(tmp_path) as root:
        root.open_descendant(PurePosixPath("a/b"), create=True).close()


# -- a directory is replaced while it is open -----------------------------------------------------------


def swap(directory: Path, elsewhere: Path) -> None:
    """Put a symbolic link in the place of a directory, which gets another name."""
    elsewhere.mkdir(exist_ok=True)
    directory.rename(directory.with_name(directory.name + ".moved"))
    directory.symlink_to(elsewhere)


def swapping(directory: Path, elsewhere: Path, at: int, calls: List[str]) -> FileSystem:
    """Return a file system that swaps the directory before the given call, by number, and notes the calls."""

    def before(name: str) -> None:
        if len(calls) == at:
            swap(directory, elsewhere)
        calls.append(name)

    operations = ("open", "pwrite", "replace", "copy_owner_and_mode")
    return hooked(**{name: lambda *given, name=name: before(name) for name in operations})


@pytest.mark.parametrize("at", range(8))
def test_nothing_is_written_through_a_link_that_is_put_in_its_place(
    tmp_path: Path, at: int, by_descriptor: bool
) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "a").mkdir(parents=True)
    (out / "a" / "x").write_bytes(b"old")
    calls: List[str] = []
    files = swapping(out / "a", elsewhere, at, calls)
    before = descriptors()
    with open_target_directory(out) as root:
        sink = FileSink(out / "a" / "x", follow=False, root=root, files=files)
        outcome: Any = None
        try:
            sink.begin(10, ID)
            sink.write_at(DATA[:5], 0)
            sink.write_at(DATA[5:], 5)
            sink.commit()
        except LocalError as error:
            outcome = error
            sink.suspend()
    swapped = len(calls) > at
    assert swapped == elsewhere.exists() == (at < 7), "the calls of one download"
    if swapped:
        assert list(elsewhere.iterdir()) == []
        if by_descriptor and calls[-1] == "replace" and outcome is None:
            assert (out / "a.moved" / "x").read_bytes() == DATA, "swapped in the very moment of the renaming"
        else:
            assert "moved or replaced" in str(outcome) or isinstance(outcome, UnsafeName)
            assert (out / "a.moved" / "x").read_bytes() == b"old"
    else:
        assert (outcome, (out / "a" / "x").read_bytes()) == (None, DATA)
    assert descriptors() == before


def test_a_temporary_file_goes_into_the_directory_that_was_opened(tmp_path: Path, by_descriptor: bool) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    theirs = elsewhere / f".smartxfer-{'0' * 16}.part"
    theirs.write_bytes(b"theirs")
    with Directory(tmp_path) as root, root.open_child("out") as directory:
        swap(out, elsewhere)
        if not by_descriptor:
            for act in (directory.list_names, directory.create_anonymous_file, lambda: make_temporary_file(directory, 0o600)):
                with pytest.raises(LocalError, match="moved or replaced"):
                    act()
            return
        remove_stale_temporary_files(directory)
        entry, opened = make_temporary_file(directory, 0o600)
        opened.close()
        with directory.create_anonymous_file() as file:
            file.write(DATA)
            assert directory.list_names() == [entry.name]
            assert os.fstat(file.fileno()).st_dev == directory.stat().st_dev
        assert names(out.with_name("out.moved")) == [entry.name]
    assert names(elsewhere) == [theirs.name]


def test_a_file_system_without_nameless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_ANONYMOUS_FILE_FLAGS", os.O_RDONLY | os.O_DIRECTORY | os.O_CREAT)  # refused
    with Directory(tmp_path) as directory, directory.create_anonymous_file() as file:
        file.write(DATA)
        file.seek(0)
        assert (file.read(), directory.list_names()) == (DATA, [])


def test_a_link_in_the_place_of_the_file_is_followed_for_the_caller_only(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "x")
    for follow, path in ((True, tmp_path / "real" / "x"), (False, tmp_path / "link")):
        entry = open_entry(tmp_path / "link", follow=follow)
        with entry.directory:
            assert (entry.path, lstat(entry).st_ino) == (path, os.lstat(str(path)).st_ino)
