"""``include=`` and ``exclude=``: patterns, and the files of a tree that they select."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.transfer.local_files import collect_directory_files, collect_files, list_directories
from smartxfer.transfer.selection import Selection

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
def tree(tmp_path: Path) -> Path:
    for name in ("a.csv", "b.txt", "run/c.csv", "run/raw/d.csv", "tmp/e.csv", "tmp/deep/f.csv"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "tree" / "empty").mkdir()
    return tmp_path / "tree"


def test_the_files_below_a_directory(tree: Path) -> None:
    assert [item.name for item in collect_directory_files(tree)] == [
        "a.csv", "b.txt", "run/c.csv", "run/raw/d.csv", "tmp/deep/f.csv", "tmp/e.csv",
    ]  # fmt: skip
    chosen = Selection("*.csv", ["tmp", "run/raw/**"])
    assert [item.name for item in collect_directory_files(str(tree), selection=chosen)] == ["a.csv", "run/c.csv"]
    assert list_directories(tree, selection=Selection(exclude="tmp")) == ["empty", "run", "run/raw"]
    assert [item.name for item in collect_files([tree], selection=chosen)] == ["tree/a.csv", "tree/run/c.csv"]
    with pytest.raises(UsageError, match="is not a directory"):
        collect_directory_files(tree / "a.csv")


def test_a_directory_that_is_excluded_is_not_even_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: opened.append(path.name) or real(path))
    assert len(collect_directory_files(tree, selection=Selection("*.csv", "tmp"))) == 3
    assert opened == ["tree", "empty", "run", "raw"]
