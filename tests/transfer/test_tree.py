from __future__ import annotations

import errno
import io
import logging
import os
from pathlib import Path
from typing import List

import pytest

from smartxfer.errors import LocalError, UsageError
from smartxfer.transfer.local_files import collect_files
from tests.support.sinks import raising


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "run"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "b.txt").write_bytes(b"bb")
    (root / "a.txt").write_bytes(b"a")
    (root / "deep" / "er" / "ü.txt").write_bytes(b"ccc")
    return root


def names(found: List) -> List[str]:
    return [item.name for item in found]


def test_a_directory_means_its_files(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = collect_files([tree])
    assert names(items) == ["run/a.txt", "run/b.txt", "run/deep/er/ü.txt"]
    assert [item.size for item in items] == [1, 2, 3]
    assert items[0].path == tree / "a.txt"
    assert items[0].mtime_ns == (tree / "a.txt").stat().st_mtime_ns
    monkeypatch.chdir(tree)
    assert names(collect_files(["."])) == names(items)
    assert names(collect_files(["deep/.."])) == names(items)
    assert names(collect_files([("other", tree)])) == ["other/a.txt", "other/b.txt", "other/deep/er/ü.txt"]


def test_a_single_thing_need_not_be_a_list(tree: Path) -> None:
    assert names(collect_files(str(tree / "a.txt"))) == ["a.txt"]
    assert names(collect_files(tree / "a.txt")) == ["a.txt"]
    for data in (b"12", bytearray(b"12"), memoryview(b"12"), io.BytesIO(b"12")):
        (item,) = collect_files(data)  # type: ignore[arg-type]
        assert (item.name, item.size, item.path) == ("data", 2, None)


def test_other_names_and_bytes(tree: Path) -> None:
    items = collect_files([("x", tree / "a.txt"), ("y", b"12345"), tree / "b.txt"])
    assert names(items) == ["x", "y", "b.txt"]
    for item in items:
        source = item.open()
        assert (source.name, source.size) == (item.name, item.size)
        source.close()


def test_nothing_and_twice_the_same(tree: Path) -> None:
    (tree / "empty").mkdir()
    for nothing in ([], [tree / "empty"]):
        with pytest.raises(UsageError, match="no files"):
            collect_files(nothing)
    with pytest.raises(UsageError, match=r"two files are named 'a\.txt'"):
        collect_files([tree / "a.txt", tree / "a.txt"])
    with pytest.raises(FileNotFoundError):
        collect_files([tree / "missing"])


@pytest.mark.parametrize(
    ("follow", "found", "skipped"), [(False, [], ["loop", "up", "dangling", "out"]), (True, ["run/out/shared"], ["loop", "up", "dangling"])]
)
def test_symbolic_links(
    tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, follow: bool, found: List[str], skipped: List[str]
) -> None:
    """Skipped with a warning, or followed unless they lead to nothing or back."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "shared").write_bytes(b"s")
    (tree / "loop").symlink_to(tree)
    (tree / "deep" / "up").symlink_to(tree / "deep")
    (tree / "dangling").symlink_to(tmp_path / "nowhere")
    (tree / "out").symlink_to(tmp_path / "outside")
    if not follow:
        (tree / "device").symlink_to("/dev/zero")
        skipped = [*skipped, "device"]
    with caplog.at_level(logging.WARNING, "smartxfer"):
        items = collect_files([tree], follow_symlinks=follow)
    assert names(items) == ["run/a.txt", "run/b.txt", "run/deep/er/ü.txt", *found]
    assert sorted(Path(message.split(" is ")[0]).name for message in caplog.messages) == sorted(skipped)


def test_devices_and_pipes_are_refused(tree: Path) -> None:
    os.mkfifo(str(tree / "fifo"))
    with pytest.raises(UsageError, match="fifo is not a regular file"):
        collect_files([tree])
    (tree / "fifo").unlink()
    (tree / "device").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="not a regular file"):
        collect_files([tree], follow_symlinks=True)
    with pytest.raises(UsageError, match="not a regular file"):
        collect_files(["/dev/null"])


def test_a_directory_that_cannot_be_read_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = Path.iterdir, raising(PermissionError(errno.EACCES, "Permission denied"))
    iterdir = lambda path: refused() if path.name == "er" else real(path)  # noqa: E731
    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(LocalError, match=r"cannot read .*/run/deep/er: Permission denied"):
        collect_files([tree])
