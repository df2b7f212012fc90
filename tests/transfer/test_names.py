"""Names from a server: deterministic, safe on every system, and distinct."""

from __future__ import annotations

import doctest
import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartxfer.errors import UnsafeName
from smartxfer.transfer import name_rules, safe_paths
from smartxfer.transfer.name_rules import NameRules, detect_name_rules
from smartxfer.transfer.safe_paths import add_number, safe_path, unique_paths, unique_paths_or_errors

LINUX = NameRules(windows=False, case_insensitive=False)
MAC = NameRules(windows=False, case_insensitive=True, utf16_length=True)
WINDOWS = NameRules(windows=True, case_insensitive=True, utf16_length=True)


def test_the_doctests_run() -> None:
    results = doctest.testmod(safe_paths)
    assert results.attempted >= 2
    assert results.failed == 0


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *((name, name) for name in ("a.txt", "run 1/a.txt", "console", ".bashrc", "e\u0301", "\U0001f600", "1%41 a+b#c&d'e;f")),
        ("../x", "x"),
        ("/etc/x", "etc/x"),
        ("//host/share/x", "host/share/x"),
        ("a\\..\\b", "a/b"),
        ("C:\\x", "x"),
        ("a/../../b", "a/b"),
        ("a/./b", "a/b"),
        ("a//b/", "a/b"),
        ("~", "_"),
        ("~/x", "_/x"),
        ("a\x00b", "a_b"),
        ("a\nb\x7f", "a_b_"),
        (" .. /x", "x"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("a\u200bb\ufeff", "a_b_"),
        ("\ud800x", "_x"),
    ],
)
@pytest.mark.parametrize("rules", [LINUX, MAC, WINDOWS], ids=["linux", "mac", "windows"])
def test_a_name_becomes_safe(name: str, path: str, rules: NameRules) -> None:
    assert safe_path(name, rules=rules) == PurePosixPath(path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("C:x", "C_x"),
        ("12:30.log", "12_30.log"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("aux.txt", "_aux.txt"),
        ("com1 .x", "_com1 .x"),
        ("LPT\u00b3", "_LPT\u00b3"),
        ("dot.", "dot"),
        ("dots and spaces. . ", "dots and spaces"),
        ("a /b.", "a/b"),
        ("...", "_"),
        ('<>:"|?*', "_______"),
    ],
)
def test_a_name_changes_only_where_the_system_needs_it(name: str, path: str) -> None:
    assert safe_path(name, rules=WINDOWS) == PurePosixPath(path)
    assert safe_path(name, rules=MAC) == safe_path(name, rules=LINUX) == PurePosixPath(name)
    assert safe_path(name) == PurePosixPath(name if os.name == "posix" else path)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "///", "../..", "C:\\", "\\", " ", "..\\..", " .. "])
def test_what_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnsafeName, match="invalid file name"):
        safe_path(name)


def test_the_name_of_our_temporary_files_is_given_to_no_other() -> None:
    name = ".smartxfer-0123456789abcdef.part"
    assert str(safe_path(f"d/{name}")) == f"d/_{name}"
    assert [str(path) for path in unique_paths([name, f"_{name}"])] == [f"_{name[:-5]} (2).part", f"_{name}"]


def test_names_of_nothing_leave_the_others_alone() -> None:
    first, second, third = unique_paths_or_errors(["..", "a", "../.."])
    assert isinstance(first, UnsafeName)
    assert isinstance(third, UnsafeName)
    assert second == PurePosixPath("a")
    with pytest.raises(UnsafeName):
        unique_paths(["a", ".."])


def test_a_long_name_is_cut_and_keeps_its_extension() -> None:
    first, second = safe_path("\u00e9" * 300 + "1.txt"), safe_path("\u00e9" * 300 + "2.txt")
    assert first != second
    for path in (first, second):
        assert path.suffix == ".txt"
        # There is room for what is put behind it while the file is on its way.
        assert len(f"{path.name}.part.json".encode()) <= 255
        assert len(f"{path.stem} (99){path.suffix}.part.json".encode()) <= 255


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".txt", "\u00e9" * 127 + "x", "." + "x" * 254])
def test_a_name_of_255_bytes_stays(name: str) -> None:
    assert str(safe_path(name, rules=LINUX)) == name
    assert str(safe_path(f"d/{name}", rules=LINUX)) == f"d/{name}"
    assert len(safe_path(name + "y", rules=LINUX).name.encode()) <= 255
    [_, second] = unique_paths([name, name], rules=LINUX)
    assert len(second.name.encode()) <= 255
    assert " (2)" in second.name


def test_systems_that_count_units() -> None:
    name = "\u00e9" * 255
    assert str(safe_path(name, rules=MAC)) == name
    assert str(safe_path("\U0001f600" * 127, rules=WINDOWS)) == "\U0001f600" * 127
    assert str(safe_path("\U0001f600" * 128, rules=WINDOWS)) != "\U0001f600" * 128
    assert str(safe_path(name, rules=LINUX)) != name


PIECES = [
    *("..", ".", "/", "\\", "C:", "~", "a", "b.txt", " ", "CON", "nul", "\x00", "\u202e"),
    *("e\u0301", "\u00e9", ".part", "x" * 300, "\ud800", "\n", ":", "A", ""),
]
hostile = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=10).map("".join))


@given(hostile, st.sampled_from([LINUX, MAC, WINDOWS]))
@settings(max_examples=500)
def test_whatever_the_name_it_stays_inside(name: str, rules: NameRules) -> None:
    try:
        path = safe_path(name, rules=rules)
    except UnsafeName:
        return
    assert path.parts
    assert not path.is_absolute()
    assert not rules.windows or not PureWindowsPath(str(path)).anchor
    assert os.path.normpath(os.path.join("/target", str(path))) == f"/target/{path}"
    for part in path.parts:
        assert part not in (".", "..")
        assert 0 < (len(part.encode("utf-16-le")) // 2 if rules.utf16_length else len(part.encode("utf-8"))) <= 255
        assert not any(ord(character) < 32 or character in "\\\x7f" for character in part)
        if rules.windows:
            assert not part.endswith((".", " "))
            assert not any(character in '<>:"|?*' for character in part)
    assert (safe_path(name, rules=rules), safe_path(str(path), rules=rules)) == (path, path)


@pytest.mark.parametrize(
    ("given_names", "paths"),
    [
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a (2).txt", "a (3).txt"]),
        (["a", "a/b"], ["a (2)", "a/b"]),
        (["x/a", "x/a"], ["x/a", "x/a (2)"]),
        (["../x", "/x"], ["x", "x (2)"]),
        (["a", "a.part"], ["a", "a (2).part"]),
        (["a.part", "a"], ["a (2).part", "a"]),
        (["a.part/b", "a"], ["a.part/b", "a (2)"]),
        (["a\nb", "a_b"], ["a_b (2)", "a_b"]),
        (["../x", "x"], ["x (2)", "x"]),
        ([], []),
    ],
)
@pytest.mark.parametrize("rules", [LINUX, MAC, WINDOWS], ids=["linux", "mac", "windows"])
def test_no_two_paths_are_the_same(given_names: List[str], paths: List[str], rules: NameRules) -> None:
    assert [str(path) for path in unique_paths(given_names, rules=rules)] == paths


@pytest.mark.parametrize(
    ("given_names", "paths"),
    [
        (["a.txt", "A.TXT"], ["a.txt", "A (2).TXT"]),
        (["e\u0301", "\u00e9"], ["e\u0301", "\u00e9 (2)"]),
        (["a/b", "A"], ["a/b", "A (2)"]),
        (["a", "A", "A (2)"], ["a", "A (2)", "A (2) (2)"]),
        (["b (2).part", "b", "B"], ["b (2).part", "b", "B (3)"]),
        (["b", "B", "b (2).part"], ["b", "B (2)", "b (2) (2).part"]),
    ],
)
def test_names_that_some_systems_take_for_the_same(given_names: List[str], paths: List[str]) -> None:
    assert [str(path) for path in unique_paths(given_names, rules=MAC)] == paths
    assert [str(path) for path in unique_paths(given_names, rules=WINDOWS)] == paths
    assert [str(path) for path in unique_paths(given_names, rules=LINUX)] == given_names


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "cygwin", "freebsd13"])
def test_the_platform_has_its_rules(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    expected = {"darwin": MAC, "win32": WINDOWS, "cygwin": WINDOWS}.get(platform, LINUX)
    assert NameRules.for_platform() == expected


def test_a_trial_tells_what_the_directory_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    odd = ["12:30.log"]
    assert (detect_name_rules(tmp_path, odd), detect_name_rules(tmp_path, ["a", "A"])) == (LINUX, LINUX)
    assert detect_name_rules(None, odd) == detect_name_rules(tmp_path / "missing", odd) == LINUX
    lstat = os.lstat
    with monkeypatch.context() as ignoring:  # a file system that ignores case
        ignoring.setattr(
            os, "lstat", lambda path: lstat(os.path.join(os.path.dirname(path), os.path.basename(path).lower()))
        )
        assert detect_name_rules(tmp_path, ["a", "A"]) == NameRules(windows=False, case_insensitive=True)
        assert detect_name_rules(tmp_path, ["a", "b"]) == LINUX  # it does not matter

    def refused(path: str, mode: int, mark: str) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(name_rules, "make_temporary_file", refused)
    assert detect_name_rules(tmp_path, odd) == NameRules(windows=True, case_insensitive=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a\nb", "d\n/x", "a\u202eb", "~x", "a\\b", "x.part", "x" * 250 + ".part"])
def test_a_file_of_the_user_keeps_its_name(tmp_path: Path, name: str) -> None:
    def chosen(hidden: bool, rules: NameRules) -> str:
        return str(unique_paths([name, name.replace(".part", "")], hidden, tmp_path, rules)[0])

    assert chosen(True, LINUX) != name
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"mine")
    assert chosen(True, LINUX) == name
    assert chosen(False, LINUX) != name  # a stranger's name
    assert chosen(True, WINDOWS) != name


def test_no_link_leads_to_a_file_that_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "far\n").mkdir()
    (tmp_path / "far\n" / "x").write_bytes(b"mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d\n").symlink_to(tmp_path / "far\n")
    (tmp_path / "out" / "l\n").symlink_to(tmp_path / "far\n" / "x")
    found = unique_paths(["d\n/x", "l\n", "../far\n/x"], directory=tmp_path / "out", rules=LINUX)
    assert [str(path) for path in found] == ["d_/x", "l_", "far_/x"]


def test_a_number_fits_into_a_name() -> None:
    for name in ("\u00e9" * 120 + ".tar", "x" * 255, "." + "x" * 254, "a." + "x" * 253):
        assert len(add_number(name, 9999).encode()) <= 255
        assert "(9999)" in add_number(name, 9999)


def test_many_files_of_one_name_get_distinct_paths() -> None:
    paths = unique_paths(["a.txt"] * 20_000)
    assert (str(paths[-1]), len(set(paths))) == ("a (20000).txt", 20_000)


names_that_meet = st.sampled_from(
    ["a", "A", "a/b", "a (2)", "a.part", "a.part.json", "a.part/x", "b", "B.part", "b.PART.json", "a/B"]
)


@given(st.lists(names_that_meet, max_size=12))
@settings(max_examples=300)
def test_files_partial_files_and_directories_never_meet(given_names: List[str]) -> None:
    paths = unique_paths(given_names, rules=MAC)
    assert paths == unique_paths(given_names, rules=MAC)
    files = [str(path).casefold() for path in paths]
    parts = [f"{file}{suffix}" for file in files for suffix in (".part", ".part.json")]
    directories = {str(parent).casefold() for path in paths for parent in path.parents}
    assert len(set(files)) == len(files) == len(given_names)
    assert not directories.intersection(files + parts)
    assert not set(files).intersection(parts)
