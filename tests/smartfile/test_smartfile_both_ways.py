"""A tree that is sent and fetched in turn, with odd names: no extra copies and no lost edits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Set

import pytest

from smartxfer.smartfile import BasicClient, SyncClient
from tests.support.amounts import amount

LONG = "x" * 251 + ".txt"
#: Names that some system changes, refuses, hides or takes for another.
AWKWARD = [
    "wrfout_12:00:00", "12:30.log", "con.txt", "NUL", "aux", "COM1.dat", "trailing.", "trailing ", "dots...",
    "u\u0308mlaut", "\u00fcmlaut", "Makefile", "makefile", "stra\u00dfe", "STRASSE", LONG, "\u00e9" * 127,
    ".hidden", "..dots", "~tilde", "~", "-dash", "--help", "new\nline", "tab\there", "escape\x1b[31m",
    "\U0001f600", "left\u202eright", "zero\u200bwidth", "100%41", "a+b", "a b", "#hash", "query?x=1", "a&b=c",
    "quote\"s'", "semi;colon", "star*", "<angle>", "pipe|", "back\\slash", "x", "x.part", "x.part.json",
    "x (2)", "dir:1/in:side", "dir\n/in\nside", "dir\n/plain", "Dir/a", "dir/A", "$(touch x)", "`x`",
]  # fmt: skip
#: A name of blanks: refused where the server has it, and left as it is where the user has it.
BLANK = "\u00a0"
#: Names that no request can carry.
UNSENDABLE = [os.fsdecode(b"latin1-\xfc"), "new\nline", "back\\slash", "dir\n/in\nside"]


def contents(root: Path) -> Dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def made(root: Path, count: int) -> None:
    for number, name in enumerate([*AWKWARD, BLANK, *UNSENDABLE[:1], *(f"d{at % 20}/plain {at}" for at in range(count))]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"first of %d" % number)


class Trees:
    """``upload_tree`` and ``download_tree`` of a client."""

    def __init__(self, client: BasicClient) -> None:
        self._client = client

    def up(self, root: Path) -> List[Any]:
        return self._client.upload_tree(root, "/t")  # type: ignore[return-value]

    def down(self, root: Path, **options: Any) -> List[Any]:
        return self._client.download_tree("/t", root, checksum="md5", **{"exists": "replace", **options})


class Synchronised(Trees):
    """Those of a SyncClient."""

    def up(self, root: Path) -> List[Any]:
        return SyncClient(self._client).upload_tree(root, "/t")  # type: ignore[return-value]

    def down(self, root: Path, **options: Any) -> List[Any]:
        options = {"exists": "replace", **options}
        return SyncClient(self._client).download_tree(root, "/t", **options)  # type: ignore[return-value]


BOTH = pytest.mark.parametrize("way", [Trees, Synchronised])


def skipped(results: List[Any], reason: str) -> Set[str]:
    return {str(result.path.name) for result in results if result.skipped == reason}


def four_cycles(harness: Any, way: Callable[..., Trees], root: Path, count: int) -> None:
    """The user's tree is edited, goes up, and comes down; nothing else happens to it."""
    made(root, count)
    trees = way(harness.client(max_workers=8))
    for cycle in range(4):
        assert skipped(trees.up(root), "name") == {Path(name).name for name in UNSENDABLE}
        before = contents(root)
        held = {path[len("/t/") :]: harness.site.read(path) for path in harness.site.files()}
        assert held == {name: data for name, data in before.items() if name not in UNSENDABLE}
        trees.down(root)
        assert contents(root) == before
        for name in [*AWKWARD[cycle::4], "d1/plain 1"]:
            (root / name).write_bytes(b"edit %d of %s" % (cycle, os.fsencode(name)))


@BOTH
def test_a_tree_of_the_users(harness: Any, tmp_path: Path, way: Any) -> None:
    four_cycles(harness, way, tmp_path / "tree", 40)


@pytest.mark.slow
@BOTH
def test_a_large_tree_of_the_users(harness: Any, tmp_path: Path, way: Any) -> None:
    four_cycles(harness, way, tmp_path / "tree", amount(140, 2000) - len(AWKWARD))


@BOTH
def test_a_tree_of_the_servers(harness: Any, tmp_path: Path, way: Any, caplog: Any) -> None:
    """A file with another local name is not sent back as a second file, and an edit of it is kept."""
    there = {f"/t/{name}": b"first of " + name.encode() for name in AWKWARD}
    for path, data in there.items():
        harness.site.write(path, data)
    harness.site.mkdir("/t/empty\n")
    trees, root = way(harness.client(max_workers=8)), tmp_path / "tree"
    trees.down(root)
    first = contents(root)
    assert len(first) == len(AWKWARD)
    same = {name for name in AWKWARD if name in first}
    assert {"12:30.log", "con.txt", "trailing.", "trailing ", "u\u0308mlaut", "Makefile", "makefile", LONG} <= same
    assert "back\\slash" not in same
    for cycle in range(4):
        edited = dict.fromkeys(sorted(same)[cycle::4], b"edit %d" % cycle)
        for name, data in edited.items():
            (root / name).write_bytes(data)
            there[f"/t/{name}"] = data
        (root / "new_line").write_bytes(b"my edit")
        before = contents(root)
        caplog.clear()
        results = trees.up(root)
        assert {path: harness.site.read(path) for path in harness.site.files()} == there
        assert "/t/empty\n" in harness.site.directories()
        renamed = {path.name for path in root.rglob("*") if path.is_file() and str(path.relative_to(root)) not in same}
        assert skipped(results, "renamed") == renamed
        assert "new_line is skipped, although it was changed" in caplog.text
        trees.down(root, exists="skip")
        assert contents(root) == before


@BOTH
@pytest.mark.parametrize("again", [False, True], ids=["fetched", "there already"])
def test_a_single_file_that_gets_another_name(
    harness: Any, live: BasicClient, tmp_path: Path, way: Any, again: bool
) -> None:
    harness.site.write("/t/new\nline", b"first")
    if again:
        (tmp_path / "new_line").write_bytes(b"first")
    if way is Trees:
        live.download("/t/new\nline", tmp_path, checksum="md5")
    else:
        SyncClient(live).download(tmp_path, "/t/new\nline")
    assert os.listdir(tmp_path) == ["new_line"]
    assert skipped(way(live).up(tmp_path), "renamed") == {"new_line"}
    # A name that the caller chose is sent.
    live.download("/t/new\nline", tmp_path / "mine", checksum="md5")
    way(live).up(tmp_path)
    assert set(harness.site.files()) == {"/t/new\nline", "/t/mine"}
