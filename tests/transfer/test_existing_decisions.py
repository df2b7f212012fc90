"""Decisions about existing files in rare states: the server cannot be asked, the run breaks, the name is a folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import IntegrityError, NetworkError, TargetExists
from smartxfer.transfer.directory_download import RemoteFile, download_to_directory
from smartxfer.transfer.download import DownloadSpec
from smartxfer.transfer.download_history import DownloadHistory
from smartxfer.transfer.existing_files import ExistingFilePolicy, Exists
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.result import FileResult
from tests.support.jobs import operation
from tests.support.sinks import ID, fetched, hooked, names, raising

DATA = b"same"
DIGEST = ("md5", hashlib.md5(DATA).hexdigest())


def sink_of(path: Path, exists: Exists = None, files: Optional[FileSystem] = None, **known: Any) -> FileSink:
    """A sink under a name that a server chose."""
    sink = FileSink(path, follow=False, **({} if files is None else {"files": files}))
    sink.existing_file_policy = ExistingFilePolicy(exists, DownloadHistory(path.parent), **known)
    return sink


@pytest.mark.parametrize("exists", [None, "replace", "rename", "newer"])
def test_a_server_that_cannot_be_asked_says_nothing_about_a_file(tmp_path: Path, exists: Exists) -> None:
    """An identical file is neither refused, nor fetched again under another name."""
    doubt = raising(NetworkError("connection reset"))
    (tmp_path / "a").write_bytes(DATA)
    with pytest.raises(NetworkError, match="connection reset"):
        sink_of(tmp_path / "a", exists, fetch_digest=doubt, mtime_range=(0.0, 0.0)).begin(len(DATA), ID)
    assert names(tmp_path) == ["a"]


def test_a_name_that_was_taken_for_a_moment_allows_no_replacement(tmp_path: Path) -> None:
    guard = ExistingFilePolicy(None, DownloadHistory(tmp_path))
    guard.find_retained_file(tmp_path / "a", 3, ID)
    put: List[bool] = []
    refused = raising(FileExistsError(errno.EEXIST, "File exists"))
    with pytest.raises(TargetExists):
        guard.rename_or_retain(tmp_path / "part", tmp_path / "a", lambda path, new: put.append(new) or refused())
    assert put == [True]


def test_rename_goes_past_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    sink = sink_of(tmp_path / "a", "rename")
    sink.begin(len(DATA), ID)
    sink.write_at(DATA, 0)
    sink.commit()
    assert (sink.path, sink.path.read_bytes()) == (tmp_path / "a (2)", DATA)
    assert names(tmp_path) == ["a", "a (2)"]


# -- what a broken run leaves --------------------------------------------------------------------------


class Body:
    """The whole of an object."""

    is_full_object, start, size, end = True, 0, len(DATA), len(DATA)

    def __init__(self) -> None:
        self.read = iter([DATA, b""]).__next__


def wanted(name: str, damaged: bool = False) -> RemoteFile:
    """A file of a service that publishes no digest."""

    @contextlib.contextmanager
    def source(start: int, stop: Optional[int]) -> Iterator[Any]:
        if damaged:
            raise IntegrityError("damaged")
        yield Body()

    def describe(sink: Any) -> DownloadSpec:
        return DownloadSpec(name=name, sink=sink, identity={"name": name}, open_range=source, size=4)

    return RemoteFile(name, name, 4, describe)


def run(directory: Path, exists: Exists) -> List[FileResult]:
    """A run that breaks at the second of two files."""
    files = [wanted("a.txt"), wanted("b.txt", damaged=True)]
    with operation() as doing:
        return download_to_directory(directory, files, {"service": "none"}, doing, 1, 1, exists=exists)


def test_a_kept_file_is_not_remembered_under_the_name_of_another(tmp_path: Path) -> None:
    """The copy with a number was identical; the next run does not take the user's file for it."""
    mine = tmp_path / "a.txt"
    mine.write_bytes(b"mine")
    (tmp_path / "a (2).txt").write_bytes(DATA)
    assert [result.skipped for result in run(tmp_path, "rename")] == ["identical", None]
    again = run(tmp_path, "rename")[0]
    assert (again.path, again.skipped) == (tmp_path / "a (2).txt", "identical")
    replaced = run(tmp_path, "replace")[0]
    assert (replaced.path, replaced.skipped, mine.read_bytes()) == (mine, None, DATA)


def test_a_kept_file_with_other_content_is_not_remembered_as_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ExistingFilePolicy.find_retained_file

    def appears(self: ExistingFilePolicy, path: Path, *about: Any) -> Any:
        found = before(self, path, *about)
        if path.name == "a.txt":
            Path(path).write_bytes(b"mine")  # while the download runs
        return found

    with monkeypatch.context() as during:
        during.setattr(ExistingFilePolicy, "find_retained_file", appears)
        assert run(tmp_path, "skip")[0].skipped == "exists"
    again = run(tmp_path, "skip")[0]
    assert (again.skipped, again.verified) == ("exists", None)
    assert (tmp_path / "a.txt").read_bytes() == b"mine"


def planted_side_file(directory: Path, *runs: List[int]) -> None:
    """Of a partial file that is gone: the process was killed before it removed the side file."""
    side = {"version": 1, "inode": [1, 2], "identity": ID, "size": len(DATA), "runs": list(runs)}
    (directory / "a.part.json").write_text(json.dumps(side))


def test_a_side_file_without_its_partial_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    planted_side_file(tmp_path)
    sink = sink_of(tmp_path / "a", digest=DIGEST)
    sink.begin(len(DATA), ID)
    assert sink.retained_file is not None
    assert names(tmp_path) == ["a"]


def test_a_side_file_of_an_earlier_partial_file_does_not_block_the_next(tmp_path: Path) -> None:
    """Killed between the last rename and the removal of the side file, then after it made the next file."""
    (tmp_path / "a.part").touch()
    planted_side_file(tmp_path, [0, 4, 1])
    sink = sink_of(tmp_path / "a")
    assert (list(sink.begin(len(DATA), ID)), names(tmp_path)) == ([], ["a.part", "a.part.json"])
    noted = json.loads((tmp_path / "a.part.json").read_text())
    assert noted["inode"][1] == (tmp_path / "a.part").stat().st_ino
    sink.write_at(DATA, 0)
    sink.commit()
    assert names(tmp_path) == ["a"]


def test_an_identical_file_in_a_read_only_directory_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "a.part").write_bytes(b"of the user")
    sink = sink_of(tmp_path / "a", files=hooked(open=raising(PermissionError(errno.EACCES, "Permission denied"))), digest=DIGEST)
    sink.begin(len(DATA), ID)
    assert sink.retained_file is not None
    assert names(tmp_path) == ["a", "a.part"]


# -- names ---------------------------------------------------------------------------------------------


def test_a_file_of_the_user_is_not_removed_for_the_notes(tmp_path: Path) -> None:
    for mine in ("a.part.json.tmp", "b.part.json.tmp"):
        (tmp_path / mine).write_bytes(b"mine")
    os.mkfifo(str(tmp_path / "c.part.json.tmp"))
    before = names(tmp_path)
    for name in ("a", "b", "c"):
        fetched(tmp_path / name, data=DATA)
    assert names(tmp_path) == sorted([*before, "a", "b", "c"])
    assert (tmp_path / "a.part.json.tmp").read_bytes() == b"mine"


def test_the_notes_about_one_file_do_not_remove_another(tmp_path: Path) -> None:
    sinks: List[Any] = []

    def kept(name: str) -> RemoteFile:
        file = wanted(name)
        return RemoteFile(name, name, 4, lambda sink: sinks.append(sink) or file.make_spec(sink))

    files = [kept(name) for name in ("a", "a.part.json.tmp", "a.part.json")]
    with operation() as doing:
        results = download_to_directory(tmp_path, files, {"service": "none"}, doing, 1, 1)
    assert all(result.ok for result in results)
    notes = {f"a.part.json{end}" for end in ("", ".tmp")}
    assert not notes.intersection(sink.path.name for sink in sinks)
    assert len(names(tmp_path)) == 3
