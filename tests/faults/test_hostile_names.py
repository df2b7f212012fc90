"""Names that want to get out of the target directory: F28, F29."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, List

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smartxfer.directories import lstat
from smartxfer.errors import UnsafeName
from smartxfer.transfer.name_rules import NameRules
from smartxfer.transfer.safe_paths import unique_paths
from tests.support.amounts import amount
from tests.support.filesender_harness import noise
from tests.support.named_downloads import publish

DATA = noise(1000)


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def liberal(make_harness: Any) -> Any:
    """A site that takes any name."""
    return make_harness(any_name=True, ban_extension="", max_transfer_files=100)


def test_f28_such_a_file_under_a_name_of_the_callers(liberal: Any) -> None:
    token = publish(liberal, {"..": DATA})
    client = liberal.client()
    [file] = client.list_files(token)
    result = client.download_file(token, file.id, liberal.out, file_name="good.bin")
    assert result.path == liberal.out / "good.bin"
    assert result.path.read_bytes() == DATA


_ANY = st.text(st.characters(blacklist_categories=()), max_size=300)
_NASTY = st.lists(
    st.one_of(
        _ANY,
        st.sampled_from(["..", ".", "/", "\\", "C:", "CON", "~", "\x00", " ", "\u202e", "a", "A", "e\u0301"]),
    ),
    max_size=6,
)


@settings(max_examples=amount(400, 2000))
@given(st.lists(_NASTY.map("/".join), min_size=1, max_size=4), st.booleans())
@example(["../a", "a", "A", "a/b"], True)
def test_f28_whatever_the_names(names: List[str], windows: bool) -> None:
    rules = NameRules(windows=windows, case_insensitive=windows)
    try:
        paths = unique_paths(names, rules=rules)
    except UnsafeName:
        return
    assert unique_paths(names, rules=rules) == paths
    assert len({str(path).casefold() if windows else str(path) for path in paths}) == len(names)
    for path in paths:
        assert not path.is_absolute()
        assert path.parts
        for part in path.parts:
            assert part not in ("..", ".", "")
            assert len(os.fsencode(part)) <= 255
            assert not set(part) & set("/\\\x00\n\x7f\u202e")
            if windows:
                assert not set(part) & set(':<>"|?*')
                assert part == part.rstrip(". ")
            assert not part.startswith("~")


def _elsewhere(harness: Any) -> Path:
    elsewhere = Path(harness.directory) / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"theirs")
    harness.out.mkdir()
    return elsewhere


def test_f29_a_link_in_the_place_of_the_file(harness: Any) -> None:
    """The link itself is replaced; what it leads to stays what it is."""
    transfer = harness.published(DATA, "x")
    elsewhere = _elsewhere(harness)
    (harness.out / "x").symlink_to(elsewhere / "x")
    harness.client().download_files(transfer.token, harness.out, exists="replace")
    assert not (harness.out / "x").is_symlink()
    assert (harness.out / "x").read_bytes() == DATA
    assert (elsewhere / "x").read_bytes() == b"theirs"


@pytest.mark.parametrize("owned", [False, True], ids=["alone", "with a side file"])
def test_f29_a_link_in_the_place_of_the_partial_file(harness: Any, owned: bool) -> None:
    transfer = harness.published(DATA, "x")
    elsewhere = _elsewhere(harness)
    (harness.out / "x.part").symlink_to(elsewhere / "x")
    if owned:
        found = (elsewhere / "x").stat()
        note = {"version": 1, "inode": [found.st_dev, found.st_ino], "identity": {}, "size": 1000, "runs": []}
        (harness.out / "x.part.json").write_text(json.dumps(note), encoding="utf-8")
    harness.client().download_files(transfer.token, harness.out)
    assert (harness.out / "x").read_bytes() == DATA
    assert (elsewhere / "x").read_bytes() == b"theirs"
    assert (harness.out / "x.part").is_symlink()


def test_f29_a_link_put_there_between_look_and_open(harness: Any) -> None:
    """O_NOFOLLOW and O_EXCL, not the look beforehand, are what keeps us out."""
    transfer = harness.published(DATA, "x")
    elsewhere = _elsewhere(harness)
    put: List[None] = []

    def look(entry: Any) -> Any:
        if str(entry) == str(harness.out / "x.part") and not put:
            put.append(os.symlink(elsewhere / "x", entry))
            raise FileNotFoundError(entry)
        return lstat(entry)

    with pytest.MonkeyPatch.context() as race:
        race.setattr("smartxfer.transfer.part_file_state.lstat", look)
        [result] = harness.client().download_files(transfer.token, harness.out)
    assert put
    assert (harness.out / "x.part").is_symlink(), "another name was taken for the partial file"
    assert (result.path.read_bytes(), result.path.is_symlink()) == (DATA, False)
    assert (elsewhere / "x").read_bytes() == b"theirs"


def test_f29_folders_are_made_inside(harness: Any) -> None:
    transfer = harness.published(DATA, "a/b/c.bin")
    elsewhere = _elsewhere(harness)
    os.symlink(elsewhere, harness.directory / "way")
    [result] = harness.client().download_files(transfer.token, harness.directory / "way")
    assert (elsewhere / "a/b/c.bin").read_bytes() == DATA, "a target that is a link is the caller's choice"
    assert result.ok
