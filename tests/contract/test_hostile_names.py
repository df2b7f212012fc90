"""Names of a server: none is outside of the target directory, and none replaces another."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any, Callable, List

import pytest

#: What a server may call a file, and where it is put.
HOSTILE = {
    "../../evil.txt": "evil.txt", "/etc/passwd": "etc/passwd", "a\\..\\b.txt": "a/b.txt",
    "C:\\x.txt": "x.txt", "a/../../b.txt": "a/b.txt", "CON": "CON", "dots...": "dots...",
    "new\nline": "new_line", "~": "_", "rtl\u202egnp.exe": "rtl_gnp.exe",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_inside(
    service: Any, out: Path, left_behind: Callable[[], List[str]], name: str
) -> None:
    handle = service.plant({name: b"harmless"})
    before = sorted(path.name for path in out.parent.iterdir())
    if name in service.impossible:
        # No request can ask for it: the listing itself is refused, or nothing is found.
        kind, words = service.refusal
        with service.client() as client, pytest.raises(kind, match=words):
            service.download(client, handle, out)
        assert left_behind() == []
        assert sorted(path.name for path in out.parent.iterdir() if path != out) == before
        return
    with service.client() as client:
        [result] = service.download(client, handle, out)
    assert left_behind() == [HOSTILE[name]]
    assert (out / HOSTILE[name]).read_bytes() == b"harmless"
    assert result.path == out / HOSTILE[name]
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([*before, "out"])


def test_a_long_name_is_cut(service: Any, out: Path, left_behind: Callable[[], List[str]]) -> None:
    name = "ä" * 200 + ".fastq"
    with service.client() as client:
        service.download(client, service.plant({name: b"1"}), out)
    [found] = left_behind()
    assert found.endswith(".fastq")
    assert len(found.encode("utf-8")) <= 255


def test_colliding_names_get_distinct_files(
    service: Any, out: Path, left_behind: Callable[[], List[str]]
) -> None:
    files = {
        "a.txt": b"1",
        "A.txt": b"2",
        "é.txt": b"3",
        unicodedata.normalize("NFD", "é.txt"): b"4",
        "dir": b"5",
        "dir/x": b"6",
        "../a.txt": b"7",
        "dir.part": b"8",
        "a.txt.part": b"9",
    }
    files = {name: data for name, data in files.items() if name not in service.impossible}
    with service.client() as client:
        results = service.download(client, service.plant(files), out)
    # Each result tells where its own file went.
    shown = {service.shown(name): data for name, data in files.items()}
    assert {result.name: result.path.read_bytes() for result in results} == shown
    places = [result.path.relative_to(out).as_posix() for result in results]
    assert left_behind() == sorted(places)
    assert len(set(places)) == len(files)
    # Case and composition make a difference here.
    assert {"a.txt", "A.txt", "é.txt", unicodedata.normalize("NFD", "é.txt")} <= set(places)
    assert sum(" (2)" in place for place in places) >= (2 if service.impossible else 3)


def test_no_link_in_the_target_is_followed(service: Any, out: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir()
    (out / "link").symlink_to(elsewhere)
    with service.client() as client, pytest.raises(OSError, match="refusing to write through it"):
        service.download(client, service.plant({"link/x": b"1"}), out)
    assert list(elsewhere.iterdir()) == []


def test_decomposed_accents_are_sent_composed(service: Any, tmp_path: Path) -> None:
    path = tmp_path / unicodedata.normalize("NFD", "été.txt")
    path.write_bytes(b"1")
    with service.client() as client:
        service.upload(client, [path])
    composed = "accents composed" not in service.cannot
    assert list(service.stored()) == ["été.txt" if composed else path.name]
