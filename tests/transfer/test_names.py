"""Names from a server: deterministic, safe on every system, and no two the same."""

from __future__ import annotations

import doctest
import os
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartxfer.errors import UnsafeName
from smartxfer.transfer import names
from smartxfer.transfer.names import distinct_paths, safe_path


def test_the_doctests_run() -> None:
    results = doctest.testmod(names)
    assert results.attempted >= 2
    assert results.failed == 0


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.txt", "a.txt"),
        ("run 1/a.txt", "run 1/a.txt"),
        ("../x", "x"),
        ("/etc/x", "etc/x"),
        ("//host/share/x", "host/share/x"),
        ("a\\..\\b", "a/b"),
        ("C:\\x", "x"),
        ("C:x", "C_x"),
        ("a/../../b", "a/b"),
        ("a/./b", "a/b"),
        ("a//b/", "a/b"),
        ("~", "_"),
        ("~/x", "_/x"),
        ("a\x00b", "a_b"),
        ("a\nb\x7f", "a_b_"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("com1 .x", "_com1 .x"),
        ("LPT\u00b3", "_LPT\u00b3"),
        ("console", "console"),
        ("dot.", "dot"),
        ("dots and spaces. . ", "dots and spaces"),
        ("...", "_"),
        (" .. /x", "x"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("a\u200bb\ufeff", "a_b_"),
        ('<>:"|?*', "_______"),
        ("\ud800x", "_x"),
        ("e\u0301", "\u00e9"),
        (".bashrc", ".bashrc"),
    ],
)
def test_a_name_becomes_safe(name: str, path: str) -> None:
    assert safe_path(name) == PurePosixPath(path)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "///", "../..", "C:\\", "\\", " ", "..\\..", " .. "])
def test_what_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnsafeName, match="no file name"):
        safe_path(name)


def test_a_long_name_is_cut_and_keeps_its_extension() -> None:
    first, second = safe_path("\u00e9" * 300 + "1.txt"), safe_path("\u00e9" * 300 + "2.txt")
    assert first != second
    for path in (first, second):
        assert path.suffix == ".txt"
        # There is room for what is put behind it while the file is on its way.
        assert len(f"{path.name}.part.json".encode()) <= 255
        assert len(f"{path.stem} (99){path.suffix}.part.json".encode()) <= 255


def test_a_long_extension_is_cut_too() -> None:
    assert len(safe_path("a." + "x" * 400).name.encode()) <= 255


hostile = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                *("..", ".", "/", "\\", "C:", "~", "a", "b.txt", " ", "CON", "nul", "\x00", "\u202e"),
                *("e\u0301", "\u00e9", ".part", "x" * 300, "\ud800", "\n", ":", "A", ""),
            ]
        ),
        max_size=10,
    ).map("".join),
)


@given(hostile)
@settings(max_examples=500)
def test_whatever_the_name_it_stays_inside(name: str) -> None:
    try:
        path = safe_path(name)
    except UnsafeName:
        return
    assert path.parts
    assert not path.is_absolute()
    assert not PureWindowsPath(str(path)).anchor
    assert os.path.normpath(os.path.join("/target", str(path))) == f"/target/{path}"
    for part in path.parts:
        assert part not in (".", "..")
        assert 0 < len(part.encode("utf-8")) <= 255
        assert not part.endswith((".", " "))
        assert not any(ord(character) < 32 or character in '<>:"|?*\\\x7f' for character in part)
        assert unicodedata.normalize("NFC", part) == part
    assert safe_path(name) == path
    assert safe_path(str(path)) == path


@pytest.mark.parametrize(
    ("given_names", "paths"),
    [
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a (2).txt", "a (3).txt"]),
        (["a.txt", "A.TXT"], ["a.txt", "A (2).TXT"]),
        (["e\u0301", "\u00e9"], ["\u00e9", "\u00e9 (2)"]),
        (["a", "a/b"], ["a (2)", "a/b"]),
        (["a/b", "A"], ["a/b", "A (2)"]),
        (["x/a", "x/a"], ["x/a", "x/a (2)"]),
        (["a", "A", "A (2)"], ["a", "A (2)", "A (2) (2)"]),
        (["../x", "/x"], ["x", "x (2)"]),
        (["a", "a.part"], ["a", "a (2).part"]),
        (["a.part", "a"], ["a (2).part", "a"]),
        (["a.part/b", "a"], ["a.part/b", "a (2)"]),
        (["b (2).part", "b", "B"], ["b (2).part", "b", "B (3)"]),
        (["b", "B", "b (2).part"], ["b", "B (2)", "b (2) (2).part"]),
        ([], []),
    ],
)
def test_no_two_paths_are_the_same(given_names: List[str], paths: List[str]) -> None:
    assert [str(path) for path in distinct_paths(given_names)] == paths


def test_many_files_of_one_name_are_told_apart() -> None:
    paths = distinct_paths(["a.txt"] * 20_000)
    assert str(paths[-1]) == "a (20000).txt"
    assert len(set(paths)) == 20_000


names_that_meet = st.sampled_from(["a", "A", "a/b", "a (2)", "a.part", "a.part/x", "b", "B.part", "a/B"])


@given(st.lists(names_that_meet, max_size=12))
@settings(max_examples=300)
def test_files_partial_files_and_directories_never_meet(given_names: List[str]) -> None:
    paths = distinct_paths(given_names)
    assert paths == distinct_paths(given_names)
    files = [str(path).casefold() for path in paths]
    parts = [f"{file}.part" for file in files]
    directories = {str(parent).casefold() for path in paths for parent in path.parents}
    assert len(set(files)) == len(files) == len(given_names)
    assert not directories.intersection(files + parts)
    assert not set(files).intersection(parts)
