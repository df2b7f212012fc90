from __future__ import annotations

import concurrent.futures
import errno
import io
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer.directories import Directory
from smartxfer.errors import LocalError, SourceChanged, UsageError
from smartxfer.transfer import source as source_module
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.source import OpenFileSource, PathSource, open_source

DATA = bytes(range(256)) * 40


def whole(source: Source, block: int = 1000) -> bytes:
    """All bytes, read from back to front."""
    found = bytearray(source.size)
    for start in reversed(range(0, source.size, block)):
        view = memoryview(found)[start : start + block]
        at = 0
        while at < len(view):
            count = source.read_at(view[at:], start + at)
            assert count
            at += count
    return bytes(found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "reads.fastq"
    made.write_bytes(DATA)
    return made


def pieces() -> Iterator[bytes]:
    for start in range(0, len(DATA), 700):
        yield DATA[start : start + 700]


KINDS: Dict[str, Callable[[Path], Any]] = {
    "Path": lambda path: path,
    "str": str,
    "bytes": lambda path: DATA,
    "bytearray": lambda path: bytearray(DATA),
    "memoryview": lambda path: memoryview(DATA),
    "BytesIO": lambda path: io.BytesIO(DATA),
    "generator": lambda path: pieces(),
    "list": lambda path: list(pieces()),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=list(KINDS))
def test_every_kind_gives_the_same_bytes(path: Path, make: Any) -> None:
    source = open_source(make(path))
    assert (source.size, whole(source)) == (len(DATA), DATA)
    assert source.read_at(memoryview(bytearray(10)), len(DATA)) == 0
    source.check_unchanged()
    source.close()


def test_names(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent))
    things: Any = (["~/reads.fastq"], [path, "other"], [b"x"], [b"x", "y"])
    found = [open_source(*thing) for thing in things]
    assert [source.name for source in found] == ["reads.fastq", "other", "data", "y"]
    for source in found:
        source.close()
    with path.open("rb") as file, tempfile.TemporaryFile() as unnamed:
        assert (open_source(file).name, open_source(unnamed).name) == ("reads.fastq", "data")


def test_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for thing in (tmp_path / "empty", b"", bytearray(), io.BytesIO(), iter(())):
        source = open_source(thing)
        assert (source.size, source.read_at(memoryview(bytearray(1)), 0)) == (0, 0)
        source.check_unchanged()
        source.close()


def test_an_open_file_is_sent_from_its_position_and_not_closed(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(100)
        source = open_source(file)
        assert (source.size, whole(source)) == (len(DATA) - 100, DATA[100:])
        source.close()
        assert not file.closed


def test_several_threads_read_one_open_file(path: Path) -> None:
    with path.open("rb") as file:
        source = open_source(file)
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda number: whole(source, 333) == DATA, range(80)))
    assert results == [True] * 80


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, DATA)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        source = open_source(stream, "piped")
    assert (whole(source), source.name) == (DATA, "piped")
    source.close()


@pytest.mark.parametrize("size", [8 * 1024 * 1024, 8 * 1024 * 1024 + 1])
def test_past_eight_mebibytes_a_stream_goes_to_the_disk(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    spools = []
    real = source_module.create_anonymous_file
    monkeypatch.setattr(source_module, "create_anonymous_file", lambda: spools.append(real()) or spools[-1])
    block = bytes(1024 * 1024)
    source = open_source(block[: min(len(block), size - at)] for at in range(0, size, len(block)))
    assert (source.size, len(spools)) == (size, size > 8 * 1024 * 1024)
    source.close()
    assert all(spool.closed for spool in spools)


@pytest.mark.parametrize("good", [0, 1])
def test_a_full_disk_leaves_no_temporary_file_open(monkeypatch: pytest.MonkeyPatch, good: int) -> None:
    """Though the error is kept: the write that fails is of what was in memory, or of the next piece."""
    spools: List[Any] = []

    class Full(io.BytesIO):
        writes = 0

        def write(self, data: Any) -> int:
            self.writes += 1
            if self.writes > good:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr(source_module, "SPOOL_LIMIT", 10)
    monkeypatch.setattr(source_module, "create_anonymous_file", lambda: spools.append(Full()) or spools[-1])
    with pytest.raises(LocalError, match="the temporary file for a stream"):
        open_source(iter([bytes(8), bytes(8)]))
    assert [spool.closed for spool in spools] == [True]


def test_a_stream_that_breaks_is_never_sent_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "SPOOL_LIMIT", 10)

    def broken() -> Iterator[bytes]:
        yield bytes(100)
        raise OSError("the tape broke")

    with pytest.raises(OSError, match="tape"):
        open_source(broken())


UNSENDABLE: Dict[str, Callable[[Path], Any]] = {
    "StringIO": lambda tmp: io.StringIO("text"),
    "text file": lambda tmp: (tmp / "file").open("w+"),
    "text wrapper": lambda tmp: tempfile.NamedTemporaryFile("w+"),
    "for writing": lambda tmp: (tmp / "file").open("wb"),
    "strings": lambda tmp: ["text"],
    "ints": lambda tmp: [1],
    "int": lambda tmp: 5,
    "None": lambda tmp: None,
    "directory": lambda tmp: tmp,
    "device": lambda tmp: Path("/dev/null"),
}


@pytest.mark.parametrize("make", UNSENDABLE.values(), ids=list(UNSENDABLE))
def test_what_cannot_be_sent(tmp_path: Path, make: Any) -> None:
    thing = make(tmp_path)
    with pytest.raises(UsageError):
        open_source(thing)
    if hasattr(thing, "close"):
        thing.close()


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "fifo"))
    with pytest.raises(UsageError, match="not a regular file") as caught:
        open_source(tmp_path / "fifo")
    assert "open" in caught.value.hint


def test_a_missing_file_is_the_built_in_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "missing")


def append(path: Path) -> None:
    before = path.stat()
    with path.open("ab") as file:
        file.write(b"more")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # only its size shows it


def replace(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def rewrite(path: Path) -> None:
    before = path.stat()
    path.write_bytes(bytes(len(DATA)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [append, replace, rewrite, Path.unlink, lambda path: os.truncate(path, 5)])
def test_a_change_is_noticed(path: Path, change: Any) -> None:
    source = PathSource(path)
    source.check_unchanged()
    change(path)
    with pytest.raises(SourceChanged) as caught:
        source.check_unchanged()
    assert "run again" in caught.value.hint
    source.close()
    source.close()  # twice does no harm


@pytest.mark.parametrize(("change", "what"), [(append, "the size of .*"), (rewrite, "^reads.fastq")])
def test_an_open_file_that_changes_is_noticed(path: Path, change: Any, what: str) -> None:
    with path.open("rb") as file:
        source = OpenFileSource(file)
        change(path)
        with pytest.raises(SourceChanged, match=f"{what} changed while it was being read"):
            source.check_unchanged()


def test_two_threads_are_in_one_open_file_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "preadv"):
        pytest.skip("this system reads at one place at a time")
    met = threading.Barrier(2)
    real = os.preadv

    def preadv(*given: Any) -> int:
        met.wait(30)
        return real(*given)

    with path.open("rb") as file:
        file.seek(100)
        source = OpenFileSource(file)
        monkeypatch.setattr(os, "preadv", preadv)
        rooms = [bytearray(50), bytearray(50)]
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            list(threads.map(source.read_at, map(memoryview, rooms), (0, 1000)))
        assert [bytes(room) for room in rooms] == [DATA[100:150], DATA[1100:1150]]
        assert source.descriptor_at(7) == (file.fileno(), 107)


def test_an_open_file_that_was_closed_gives_no_other_files_bytes(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other" * 1000)
    file = path.open("rb")
    source = OpenFileSource(file)
    number = file.fileno()
    file.close()
    with (tmp_path / "other").open("rb") as other:
        assert other.fileno() == number
        with pytest.raises(ValueError, match="closed"):
            source.read_at(memoryview(bytearray(10)), 0)


def test_a_wrapper_without_seekable_is_not_copied() -> None:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(DATA)
        file.seek(56)
        bare = _Bare(file)
        source = open_source(bare)  # type: ignore[arg-type]
        assert whole(source) == DATA[56:]
        assert source.descriptor_at(0) is None  # type: ignore[attr-defined]
        source.close()
        assert not file.closed


class _Bare:
    """As ``SpooledTemporaryFile`` is before Python 3.11: ``seek`` returns nothing, ``seekable`` is missing."""

    def __init__(self, file: Any) -> None:
        self.read, self.tell, self._file = file.read, file.tell, file

    def seek(self, *given: int) -> None:
        self._file.seek(*given)


def test_a_name_in_an_open_directory(path: Path) -> None:
    with Directory(path.parent) as directory:
        source = open_source(directory.entry(path.name))
        assert (source.name, whole(source)) == (path.name, DATA)
        path.parent.rename(path.parent.with_name("moved"))
        source.check_unchanged()
        (path.parent.with_name("moved") / path.name).unlink()
        with pytest.raises(SourceChanged, match="removed"):
            source.check_unchanged()
        source.close()
