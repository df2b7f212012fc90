"""The files of a directory, and the patterns of ``include=`` and ``exclude=`` that select them."""

from __future__ import annotations

import errno
import fnmatch
import io
import logging
import os
from pathlib import Path
from typing import Any, List, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import LocalError, UsageError
from smartxfer.transfer.local_files import collect_directory_files, collect_files, list_directories
from smartxfer.transfer.selection import Selection
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
    assert ([item.size for item in items], items[0].path) == ([1, 2, 3], tree / "a.txt")
    assert items[0].mtime_ns == (tree / "a.txt").stat().st_mtime_ns
    monkeypatch.chdir(tree)
    assert (names(collect_files(["."])), names(collect_files(["deep/.."]))) == (names(items), names(items))
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


# -- selections -------------------------------------------------------------------------------------------


CASES = [
    ("*.csv", ["a.csv", "d/b.csv", "x.csv/inner"], ["a.csv.gz", "csv", "d/b.CSV"]),
    ("tmp", ["tmp", "tmp/a", "d/tmp/a/b"], ["tmpa", "d/atmp", "a/tmp.txt"]),
    ("/run/*.txt", ["run/a.txt"], ["run/d/a.txt", "x/run/a.txt"]),
    ("/a.csv", ["a.csv", "a.csv/b"], ["d/a.csv"]),
    ("run/*", ["run/a", "run/a/b"], ["run", "x/run/a"]),
    ("run/**", ["run/a", "run/a/b"], ["run", "x/run/a"]),
    ("**/raw/*.bin", ["raw/a.bin", "d/raw/a.bin", "d/e/raw/a.bin"], ["raw/d/a.bin", "draw/a.bin"]),
    ("d/**/z", ["d/z", "d/a/z", "d/a/b/z"], ["dz", "z", "d/az"]),
    ("build/", ["build/a", "build", "x/build/a"], ["builds/a"]),
    ("?.txt", ["a.txt", "d/b.txt"], ["ab.txt", ".txt"]),
    ("[ab]*", ["a1", "d/b"], ["c1", "d"]),
    ("[!ab].x", ["c.x", "d/-.x"], ["a.x", "d/b.x"]),
    ("[]-]", ["]", "-"], ["a"]),
    ("a[b", ["a[b"], ["ab"]),
    ("a.b+(c)", ["a.b+(c)"], ["axb+(c)", "a.bb(c)"]),
    ("d[/]a", [], ["d/a"]),
    ("été*", ["été.txt"], ["ete.txt"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "these", "not_these"), CASES, ids=[case[0] for case in CASES])
def test_a_pattern(pattern: str, these: Sequence[str], not_these: Sequence[str]) -> None:
    include, exclude = Selection(include=pattern), Selection(exclude=[pattern])
    for path in these:
        assert include.includes(path), path
        assert not exclude.includes(path), path
    for path in not_these:
        assert not include.includes(path), path
        assert exclude.includes(path), path


@pytest.mark.parametrize("wrong", [[], "", "/", b"*.csv", [b"a"], [1], 5, ["a", ""], "[z-a]"])
def test_what_is_no_pattern(wrong: Any) -> None:
    for name in ("include", "exclude"):
        with pytest.raises(UsageError):
            Selection(**{name: wrong})


NAMES = st.text(st.sampled_from("ab.*?[]!-"), min_size=1, max_size=4)
PATHS = st.lists(st.text(st.sampled_from("ab.-!"), min_size=1, max_size=3), min_size=1, max_size=4)
PATTERNS = st.lists(st.one_of(st.just("**"), NAMES.filter(lambda name: "**" not in name)), min_size=1, max_size=3)


@given(PATTERNS, PATHS)
def test_names_match_as_fnmatch_has_it_and_directories_stand_for_what_is_in_them(pattern: Any, path: Any) -> None:
    try:
        selection = Selection(include="/".join(pattern))
    except UsageError:
        return  # a range that runs backwards
    starts = range(len(path)) if len(pattern) == 1 else range(1)
    expected = any(_leads(pattern, path[start:]) for start in starts)
    assert selection.includes("/".join(path)) is expected


def _leads(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Compare name by name: whether a pattern names the path or a directory above it."""
    if not pattern:
        return True
    if not path:
        return False
    if pattern[0] == "**":
        return len(pattern) == 1 or any(_leads(pattern[1:], path[start:]) for start in range(len(path)))
    return fnmatch.fnmatchcase(path[0], pattern[0]) and _leads(pattern[1:], path[1:])


@pytest.fixture
def csv_tree(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "run/c.csv", "run/raw/d.csv", "tmp/e.csv", "tmp/deep/f.csv"):
        path = tmp_path / "csv_tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "csv_tree" / "empty").mkdir()
    return tmp_path / "csv_tree"


def test_the_files_below_a_directory(csv_tree: Path) -> None:
    assert [item.name for item in collect_directory_files(csv_tree)] == [
        "a.csv", "b.txt", "run/c.csv", "run/raw/d.csv", "tmp/deep/f.csv", "tmp/e.csv",
    ]  # fmt: skip
    chosen = Selection("*.csv", ["tmp", "run/raw/**"])
    assert [item.name for item in collect_directory_files(str(csv_tree), selection=chosen)] == ["a.csv", "run/c.csv"]
    assert list_directories(csv_tree, selection=Selection(exclude="tmp")) == ["empty", "run", "run/raw"]
    assert [item.name for item in collect_files([csv_tree], selection=chosen)] == ["csv_tree/a.csv", "csv_tree/run/c.csv"]
    with pytest.raises(UsageError, match="is not a directory"):
        collect_directory_files(csv_tree / "a.csv")


def test_a_directory_that_is_excluded_is_not_even_opened(csv_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: opened.append(path.name) or real(path))
    assert len(collect_directory_files(csv_tree, selection=Selection("*.csv", "tmp"))) == 3
    assert opened == ["csv_tree", "empty", "run", "raw"]
