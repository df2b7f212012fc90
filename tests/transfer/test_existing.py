"""Existing files under names that a server chose, for every service: kept, refused, replaced, renamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.errors import BatchError, LocalError, TargetExists, UsageError
from tests.support.existing_services import SERVICES, FileSender, SmartFile, holding


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
    assert held(tmp_path) == {"a.txt": b"theirs"}
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600


def test_skip(service: Any, tmp_path: Path) -> None:
    service.hold({"a.txt": b"theirs", "b.txt": b"new"})
    (tmp_path / "a.txt").write_bytes(b"mine")
    results = {result.path.name: result for result in service.fetch(tmp_path, exists="skip")}
    assert (results["a.txt"].skipped, results["a.txt"].verified) == ("exists", None)
    assert results["b.txt"].skipped is None
    assert held(tmp_path) == {"a.txt": b"mine", "b.txt": b"new"}


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
    assert [result.skipped for result in again] == ["identical", "identical"]
    assert held(tmp_path) == expected


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
