"""Existing files: calls for one file, changes during a download, the download history, hidden names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from smartxfer.errors import TargetExists
from smartxfer.smartfile import SyncClient
from smartxfer.transfer.download_history import DownloadHistory, compute_extent_checksums
from tests.support.existing_services import NRP, FileSender, SmartFile, Synchronised, holding
from tests.support.planted_state import only
from tests.support.sinks import begun, left, mode_of, names, part_of

# -- one file ------------------------------------------------------------------------------------------

One = Callable[..., Any]


@pytest.fixture(params=["filesender", "filesender archive", "smartfile", "synchronised", "nrp"])
def one(request: pytest.FixtureRequest) -> Iterator[One]:
    """``one(where, exists=...)``: fetch a file of 6 bytes, ``a.txt``, by the call for a single file."""
    kind = request.param
    service = {"smartfile": SmartFile, "synchronised": Synchronised, "nrp": NRP}.get(kind, FileSender)
    with holding(service, {"a.txt": b"theirs"}) as made:
        client = made.client

        def fetch(where: Any, **options: Any) -> Any:
            if kind == "filesender":
                name = None if str(where).endswith("/") else Path(where).name
                folder = where if name is None else Path(where).parent
                file = client.list_files(made.token)[0]
                return client.download_file(made.token, file.id, folder, file_name=name, **options).path
            if kind == "filesender archive":
                return client.download_archive(made.token, where, **options).path
            if kind == "smartfile":
                return client.download("/d/a.txt", where, **options).path
            if kind == "synchronised":
                return SyncClient(client).download(where, "/d/a.txt", **options).path
            return client.files.download(made.draft, "a.txt", where, **options)

        yield fetch


@pytest.mark.parametrize("mine", [b"my own notes", b"MY OWN"])
def test_a_directory_guards_and_an_explicit_name_replaces(one: One, tmp_path: Path, mine: bytes) -> None:
    inside = f"{tmp_path}/in/"
    got = one(inside)
    theirs = got.read_bytes()
    assert one(inside) == got  # identical
    got.write_bytes(mine)
    got.chmod(0o600)
    with pytest.raises(TargetExists):
        one(inside)
    assert got.read_bytes() == mine
    assert (one(inside, exists="skip"), got.read_bytes()) == (got, mine)
    other = one(inside, exists="rename")
    assert (other != got, other.read_bytes(), got.read_bytes()) == (True, theirs, mine)
    assert (one(got), got.read_bytes(), mode_of(got)) == (got, theirs, 0o600)
    got.write_bytes(mine)
    assert (one(got, exists="skip"), got.read_bytes()) == (got, mine)
    assert (one(inside, exists="replace"), got.read_bytes()) == (got, theirs)


# -- between two looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_a_file_that_appears_or_changes_while_it_is_fetched_is_kept(tmp_path: Path, there: bool) -> None:
    """Another program writes to the name between the first check and the end."""
    def progress(event: Any) -> None:
        if event.done and event.state != "done":
            (tmp_path / "a.bin").write_bytes(b"written meanwhile")

    with holding(SmartFile, {"a.bin": os.urandom(3_000_000)}) as service:
        if there:
            service.fetch(tmp_path)
            service.hold({"a.bin": os.urandom(3_000_001)})
        with pytest.raises(TargetExists):
            service.fetch(tmp_path, progress=progress)
        assert (tmp_path / "a.bin").read_bytes() == b"written meanwhile"
        [result] = service.fetch(tmp_path, exists="replace")
        assert result.resumed == result.bytes  # it had been fetched
    assert names(tmp_path) == ["a.bin"]


def test_a_run_that_was_killed_at_its_end_leaves_a_whole_file(tmp_path: Path) -> None:
    """Killed when the file had its name and the partial file had not lost its own."""
    target = tmp_path / "a.bin"
    left(target, (0, b"whole"))
    os.link(part_of(target), target)
    sink, have = begun(target, 6, {"another": "object"})
    assert have == []
    sink.suspend()
    assert target.read_bytes() == b"whole"
    assert names(tmp_path) == ["a.bin"]


# -- what is remembered --------------------------------------------------------------------------------


def test_what_was_written_is_remembered_line_by_line(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"12345678")
    written = DownloadHistory(tmp_path)
    assert not written.is_unmodified(target)
    sums = compute_extent_checksums(target, [(0, 3), (3, 8)])
    written.record_download(target, 8, sums, {"object": 1})
    log = only("written")
    assert mode_of(log) == 0o600
    log.write_bytes(log.read_bytes() + b'{"version": 1, "name": "x", "si')
    fresh = DownloadHistory(tmp_path)
    assert [fresh.is_unmodified(target, *identity) for identity in ([], [{"object": 1}])] == [True, True]
    assert not fresh.is_unmodified(target, {"object": 2})
    for other in (b"12345679", b"123456789"):
        target.write_bytes(other)
        assert not fresh.is_unmodified(target)


def test_the_memory_does_not_grow_with_every_night(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    for _ in range(10):
        written = DownloadHistory(tmp_path)
        for _ in range(100):
            written.record_download(tmp_path / "x", 0, [], {})
    assert len(only("written").read_text().splitlines()) < 400
    assert DownloadHistory(tmp_path).is_unmodified(tmp_path / "x")


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n", '{"version": 1, "name": "x"}\n', "\x00\xff\n", '{"version":2}\n'])
def test_a_memory_that_makes_no_sense_is_no_permission(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_bytes(b"12345678")
    DownloadHistory(tmp_path).record_download(tmp_path / "x", 8, [(0, 8, 1)], {})
    only("written").write_text(text)
    assert not DownloadHistory(tmp_path).is_unmodified(tmp_path / "x")


# -- hidden names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True])
def test_leading_dots_of_a_strangers_names(tmp_path: Path, hidden: bool) -> None:
    hostile = [".bashrc", ".ssh/authorized_keys", "a/.b/..c", "..d", "_bashrc", "e.txt"]
    with holding(FileSender, {name: name.encode() for name in hostile}) as service:
        results = service.fetch(tmp_path, hidden=hidden)
    got = {result.name: str(result.path.relative_to(tmp_path)) for result in results}
    shown = ["_bashrc", "_ssh/authorized_keys", "a/_b/_.c", "_.d", "_bashrc (2)", "e.txt"]
    assert got == dict(zip(hostile, hostile if hidden else shown))
    assert all(result.path.read_bytes().decode() == result.name for result in results)


def test_a_name_of_the_callers_keeps_its_dot(tmp_path: Path) -> None:
    with holding(FileSender, {".profile": b"1"}) as service:
        [file] = service.client.list_files(service.token)
        for options, name in (({}, "_profile"), ({"file_name": ".profile"}, ".profile")):
            result = service.client.download_file(service.token, file.id, tmp_path, **options)
            assert result.path == tmp_path / name


@pytest.mark.parametrize("kind", [SmartFile, NRP])
def test_the_other_services_keep_the_dots_of_your_own_files(tmp_path: Path, kind: Any) -> None:
    with holding(kind, {".bashrc": b"1"}) as service:
        [result] = service.fetch(tmp_path)
    assert result.path.name == ".bashrc"
