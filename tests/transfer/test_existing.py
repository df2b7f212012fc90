"""Existing files under names that a server chose, for every service: kept, refused, replaced, renamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from smartxfer.errors import BatchError, LocalError, TargetExists, UsageError
from smartxfer.smartfile import SyncClient
from smartxfer.transfer.download_history import DownloadHistory, compute_extent_checksums
from tests.support.existing_services import NRP, SERVICES, FileSender, SmartFile, Synchronised, holding
from tests.support.planted_state import only
from tests.support.sinks import begun, left, mode_of, names, part_of


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Iterator[Any]:
    with holding(request.param, {}) as made:
        yield made


def held(directory: Path) -> Dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def fetches(service: Any) -> int:
    return int(service.site.count(service.fetch_calls))


def test_a_file_of_the_user_is_never_replaced_unasked(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"theirs", "b.txt": b"other", "c.txt": b"same", "new": b"new"})
    mine = {"a.txt": b"my own notes", "b.txt": b"OTHER", "c.txt": b"same"}
    for name, data in mine.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BatchError) as caught:
        service.fetch(tmp_path)
    by_name = {Path(str(result.path or result.name)).name: result for result in caught.value.results}
    for name in ("a.txt", "b.txt"):
        error = by_name[name].error
        assert isinstance(error, TargetExists)
        assert isinstance(error, FileExistsError)
        assert error.path == tmp_path / name
        assert 'exists="replace"' in error.hint
    assert (by_name["c.txt"].ok, by_name["c.txt"].skipped) == (True, "identical")
    assert (by_name["new"].ok, by_name["new"].skipped) == (True, None)
    found = {name: data for name, data in held(tmp_path).items() if ".part" not in name}
    assert found == {**mine, "new": b"new"}


def test_one_file_raises_the_error_itself(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"theirs"})
    (tmp_path / "a.txt").write_bytes(b"my own notes")
    before = fetches(service)
    with pytest.raises(TargetExists, match=r"a\.txt exists and has other content"):
        service.fetch(tmp_path)
    assert fetches(service) == before  # another size: known without a byte of it
    assert held(tmp_path) == {"a.txt": b"my own notes"}


def test_a_second_run_fetches_nothing_and_is_done(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"1", "b.bin": os.urandom(200_000)})
    service.fetch(tmp_path)
    before, times = fetches(service), {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    results = service.fetch(tmp_path)
    assert [result.skipped for result in results] == ["identical", "identical"]
    assert all(result.ok and result.verified for result in results)
    assert fetches(service) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def test_a_nightly_mirror_replaces_what_the_last_run_wrote(service: Any, tmp_path: Path) -> None:
    for night in (b"first", b"second night", b"third!", b"fourth"):
        service.hold({"a.txt": night, "b.txt": night[::-1]})
        results = service.fetch(tmp_path)
        assert [result.skipped for result in results] == [None, None]
        assert held(tmp_path) == {"a.txt": night, "b.txt": night[::-1]}


@pytest.mark.parametrize("edited", [b"edited", b"first night, edited"])
def test_a_mirror_does_not_replace_what_was_edited_since(service: Any, tmp_path: Path, edited: bytes) -> None:
    service.hold({"a.txt": b"first!"})
    service.fetch(tmp_path)
    before = os.stat(str(tmp_path / "a.txt"))
    (tmp_path / "a.txt").write_bytes(edited)
    os.utime(str(tmp_path / "a.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
    service.hold({"a.txt": b"second"})
    with pytest.raises(TargetExists):
        service.fetch(tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == edited


def test_another_state_directory_knows_nothing_and_asks(
    service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.hold({"a.txt": b"first"})
    service.fetch(tmp_path / "out")
    service.hold({"a.txt": b"second"})
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "other"))
    with pytest.raises(TargetExists):
        service.fetch(tmp_path / "out")
    assert held(tmp_path / "out") == {"a.txt": b"first"}


@pytest.mark.parametrize("mine", [b"my own notes", b"MY OWN"])
def test_replace(service: Any, tmp_path: Path, mine: bytes) -> None:
    service.hold({"a.txt": b"theirs"})
    (tmp_path / "a.txt").write_bytes(mine)
    (tmp_path / "a.txt").chmod(0o600)
    [result] = service.fetch(tmp_path, exists="replace")
    assert (result.path, result.skipped) == (tmp_path / "a.txt", None)
    assert (held(tmp_path), (tmp_path / "a.txt").stat().st_mode & 0o777) == ({"a.txt": b"theirs"}, 0o600)


def test_skip(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"theirs", "b.txt": b"new"})
    (tmp_path / "a.txt").write_bytes(b"mine")
    results = {result.path.name: result for result in service.fetch(tmp_path, exists="skip")}
    assert (results["a.txt"].skipped, results["a.txt"].verified) == ("exists", None)
    assert (results["b.txt"].skipped, held(tmp_path)) == (None, {"a.txt": b"mine", "b.txt": b"new"})


@pytest.mark.parametrize("mine", [b"my own notes", b"MY OWN"])
def test_rename(service: Any, tmp_path: Path, mine: bytes) -> None:
    service.hold({"a.txt": b"theirs", "a (2).txt": b"second"})
    (tmp_path / "a.txt").write_bytes(mine)
    (tmp_path / "a.txt").chmod(0o600)
    expected = {"a.txt": mine, "a (2).txt": b"second", "a (3).txt": b"theirs"}
    results = service.fetch(tmp_path, exists="rename")
    assert sorted(result.path.name for result in results) == ["a (2).txt", "a (3).txt"]
    assert held(tmp_path) == expected
    (tmp_path / "plain").touch()
    assert (tmp_path / "a (3).txt").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").unlink()
    again = service.fetch(tmp_path, exists="rename")
    assert ([result.skipped for result in again], held(tmp_path)) == (["identical", "identical"], expected)


def test_newer(service: Any, tmp_path: Path) -> None:
    service.hold({"old": b"theirs", "new": b"theirs", "near": b"theirs"})
    for name, years in (("old", -10), ("new", 10)):
        (tmp_path / name).write_bytes(b"mine")
        moment = (tmp_path / name).stat().st_mtime + years * 365 * 86400
        os.utime(str(tmp_path / name), (moment, moment))
    if isinstance(service, FileSender):
        before = fetches(service)
        with pytest.raises(UsageError, match="does not publish"):
            service.fetch(tmp_path, exists="newer")
        assert fetches(service) == before
        return
    results = {result.path.name: result for result in service.fetch(tmp_path, exists="newer")}
    skipped = {name: result.skipped for name, result in results.items()}
    assert skipped == {"old": None, "new": "older", "near": None}
    assert held(tmp_path) == {"old": b"theirs", "new": b"mine", "near": b"theirs"}
    (tmp_path / "near").write_bytes(b"edited")
    if isinstance(service, SmartFile):  # its times have no zone
        with pytest.raises(BatchError, match="whether the server.s file is newer"):
            service.fetch(tmp_path, exists="newer")
    else:
        assert all(result.ok for result in service.fetch(tmp_path, exists="newer"))
    assert (tmp_path / "near").read_bytes() == b"edited"


def test_a_word_that_means_nothing_is_refused_before_anything_is_asked(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"1"})
    service.site.listener.clear_log()
    with pytest.raises(UsageError, match="exists must be"):
        service.fetch(tmp_path, exists="overwrite")
    assert fetches(service) == 0


@pytest.mark.parametrize("exists", [None, "replace", "rename"])
def test_links_and_pipes_under_a_name_of_the_server(service: Any, tmp_path: Path, exists: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (out / "link").symlink_to(tmp_path / "precious")
    (out / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(str(out / "pipe"))
    service.hold({"link": b"theirs", "dangling": b"theirs", "pipe": b"theirs"})
    try:
        results = service.fetch(out, exists=exists)
    except BatchError as error:
        results = list(error.results)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()
    assert (out / "pipe").is_fifo()
    assert [result.ok for result in results].count(False) == {None: 3, "replace": 1, "rename": 0}[exists]
    assert all(isinstance(result.error, LocalError) for result in results if not result.ok)


def test_a_link_whose_target_has_the_content_is_kept(service: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "moved").write_bytes(b"theirs")
    (tmp_path / "out" / "a.txt").symlink_to(tmp_path / "moved")
    service.hold({"a.txt": b"theirs"})
    [result] = service.fetch(tmp_path / "out")
    assert result.skipped == "identical"
    assert (tmp_path / "out" / "a.txt").is_symlink()


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
    assert (got.read_bytes(), one(inside, exists="skip"), got.read_bytes()) == (mine, got, mine)
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
    assert (target.read_bytes(), names(tmp_path)) == (b"whole", ["a.bin"])


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
