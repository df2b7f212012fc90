"""Names that want to get out of the target directory, for every service that gives files back: F28, F29."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import UnsafeName
from smartxfer.transfer.safe_paths import safe_path
from tests.support.contract.services import SERVICES
from tests.support.filesender_harness import noise
from tests.support.named_downloads import DOWNLOADS

DATA = noise(1000)
#: What a server may call a file that can be asked for, and where it is put.
HOSTILE = {
    "../x": "x",
    "../../../../x": "x",
    "a/../../b": "a/b",
    "./x": "x",
    "a/./x": "a/x",
    "..\\..\\x": "x",
    "a\\..\\b": "a/b",
    "C:\\x": "x",
    "C:x": "C:x",
    "c:/x": "x",
    "~": "_",
    "~root": "_root",
    "~/x": "_/x",
    "CON": "CON",
    "nul.txt": "nul.txt",
    "trailing.": "trailing.",
    "space ": "space ",
    "a\nb": "a_b",
    "evil\u202etxt.exe": "evil_txt.exe",
    "a:b": "a:b",
    'q">|?*': 'q">|?*',
    "x" * 300: None,
    "\u00e9" * 200 + ".txt": None,
    "e\u0301.txt": "e\u0301.txt",
    "%2e%2e%2fx": "%2e%2e%2fx",
    "..%2fx": None,
    "dir/b c.txt": "dir/b c.txt",
    "a//b": "a/b",
    "a?b#c&d%25": None,
    "a/content": "a/content",
}
#: What only some services can be asked for: others would ask for something else, and refuse.
OF_SOME = {
    "/etc/x": ("filesender", "etc/x"),
    "//server/share/x": ("filesender", "server/share/x"),
    "a\x00b": ("filesender", "a_b"),
}
NOTHING = ["\\", "   ", "C:", "...", "..\\..", "/", "a/.."]
CASES = [(way, name, place) for way, kind in DOWNLOADS.items() for name, place in HOSTILE.items() if kind.nested or "/" not in name]
CASES += [(way, name, place) for name, (way, place) in OF_SOME.items()]

each_way = pytest.mark.parametrize("way", DOWNLOADS)


@pytest.fixture
def harness(way: str, tmp_path: Path) -> Iterator[Any]:
    """A server of the service."""
    with DOWNLOADS[way].start(tmp_path) as started:
        yield started


def _below(directory: Path) -> List[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_no_service_is_left_out() -> None:
    assert {way.split("-")[0] for way in DOWNLOADS} == {one.name for one in SERVICES if "download" not in one.cannot}


@pytest.mark.parametrize(("way", "name", "place"), CASES, ids=[f"{way}-{name[:20]!a}" for way, name, _ in CASES])
def test_f28_a_hostile_name(harness: Any, tmp_path: Path, way: str, name: str, place: Any) -> None:
    """Fails if a name leaves the directory, or its place changes from run to run."""
    downloads = DOWNLOADS[way](harness, {name: DATA})
    before = set(_below(tmp_path))
    [path] = {path for _ in range(2) for path in downloads.fetch()}
    assert harness.out in path.parents
    assert path.read_bytes() == DATA
    if place is None:
        assert len(os.fsencode(path.name)) <= 255
    else:
        assert path.relative_to(harness.out).as_posix() == (place.rpartition("/")[2] if downloads.flat else place)
    inside = {f"{harness.out.name}/{found}" for found in _below(harness.out)}
    assert set(_below(tmp_path)) == before | inside, "nothing outside of the target directory"
    assert len(inside) == 1


@pytest.mark.parametrize(
    ("way", "name"),
    [(way, name) for way, kind in DOWNLOADS.items() if not kind.flat for name in NOTHING if kind.nested or "/" not in name]
    + [("filesender", name) for name in ("..", ".", "../..")],
)
def test_f28_a_name_of_nothing(harness: Any, way: str, name: str) -> None:
    downloads = DOWNLOADS[way](harness, {name: DATA})
    try:
        safe_path(name)
    except UnsafeName:
        with pytest.raises(UnsafeName, match="invalid file name"):
            downloads.fetch()
        assert harness.left() == []
    else:
        assert len(downloads.fetch()) == len(harness.left()) == 1


@pytest.mark.parametrize("way", [way for way, kind in DOWNLOADS.items() if not kind.flat])
def test_f28_twins_get_suffixes(harness: Any, way: str) -> None:
    """Fails if one of two files takes the other's place, or if the next run puts them elsewhere."""
    names = ["\u00e9.txt", "e\u0301.txt", "A.txt", "a.txt", "a.txt.part", "b:c", "b?c", "d"]
    if DOWNLOADS[way].nested:
        names += ["d/e", "../d"]
    downloads = DOWNLOADS[way](harness, {name: name.encode() for name in names})
    paths = downloads.fetch()
    assert sorted(path.read_bytes().decode() for path in paths) == sorted(names)
    assert len(set(paths)) == len(names)
    assert downloads.fetch() == paths


@pytest.mark.parametrize("way", [way for way, kind in DOWNLOADS.items() if kind.nested and not kind.flat])
@pytest.mark.parametrize("name", ["link/x", "link/deeper/x"])
def test_f29_a_link_on_the_way(harness: Any, way: str, name: str) -> None:
    """Fails if a symbolic link is followed out of the directory."""
    downloads = DOWNLOADS[way](harness, {name: DATA})
    elsewhere = harness.directory / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"theirs")
    harness.out.mkdir()
    (harness.out / "link").symlink_to(elsewhere)
    with pytest.raises(UnsafeName, match="refusing to write through it"):
        downloads.fetch()
    assert [path.name for path in elsewhere.iterdir()] == ["x"]
    assert (elsewhere / "x").read_bytes() == b"theirs"
