"""Targets of all kinds: files, streams, and open descriptors that cannot be undone or waited for."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.errors import Cancelled, DeadlineExceeded, LocalError, UsageError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.transfer import device_sink
from smartxfer.transfer.sink import FileSink, MemorySink, StreamSink, open_sink
from smartxfer.transport.attempt import Attempt
from tests.support.raw_server import RawServer, answering, ranged


def test_what_a_caller_may_give(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    targets = {
        tmp_path / "a": tmp_path / "a",
        str(tmp_path / "dir"): tmp_path / "dir" / "name",
        f"{tmp_path}/new/": tmp_path / "new" / "name",
        "~/b": Path.home() / "b",
    }
    for given, path in targets.items():
        sink: Any = open_sink(given, "name")
        assert (type(sink), sink.path) == (FileSink, path)
    memory = MemorySink()
    assert open_sink(memory, "name") is memory
    assert isinstance(open_sink(io.BytesIO(), "name"), StreamSink)


@pytest.mark.parametrize("named_by", ["caller", "server"])
def test_a_link_is_followed_only_where_the_caller_named_it(tmp_path: Path, named_by: str) -> None:
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "dir"
    elsewhere.write_bytes(b"before")
    directory.mkdir()
    (directory / "name").symlink_to(elsewhere)
    sink: Any = open_sink(directory / "name" if named_by == "caller" else directory, "name")
    sink.begin(5, {})
    sink.write_at(b"after", 0)
    sink.commit()
    assert (directory / "name").read_bytes() == b"after"
    assert (directory / "name").is_symlink() == (named_by == "caller")
    assert elsewhere.read_bytes() == (b"after" if named_by == "caller" else b"before")


@pytest.mark.parametrize(
    "make", [io.StringIO, lambda: tempfile.NamedTemporaryFile("w+"), lambda: 5, lambda: None]
)
def test_what_takes_no_bytes(make: Any) -> None:
    thing = make()
    with pytest.raises(UsageError):
        open_sink(thing, "name")
    if hasattr(thing, "close"):
        thing.close()


def test_memory() -> None:
    sink = MemorySink()
    assert list(sink.begin(6, {})) == []
    sink.write_at(b"456", 3)
    sink.write_at(memoryview(b"123"), 0)
    assert (sink.data, sink.digest("md5")) == (b"123456", hashlib.md5(b"123456").hexdigest())
    sink.commit()
    sink.restart()
    assert sink.data == b""
    sink.write_at(b"x", 0)
    sink.suspend()
    assert sink.data == b""


class Slowly(io.BytesIO):
    """Takes two bytes at a time."""

    def write(self, data: Any) -> int:
        return super().write(bytes(data)[:2])


def test_a_stream() -> None:
    file = Slowly(b"head")
    file.seek(4)
    sink = StreamSink(file)
    assert list(sink.begin(None, {})) == []
    sink.write_at(b"12345", 0)
    sink.write_at(b"678", 5)
    assert (file.getvalue(), sink.digest("md5")) == (b"head12345678", hashlib.md5(b"12345678").hexdigest())
    with pytest.raises(LocalError, match="its position is 8"):
        sink.write_at(b"x", 0)
    sink.restart()
    assert file.getvalue() == b"head"
    sink.write_at(b"9", 0)
    sink.commit()
    sink.suspend()
    assert file.getvalue() == b"head9"
    assert not file.closed


def test_a_digest_needs_a_file_that_can_be_read_back(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        sink = StreamSink(file)
        sink.write_at(b"x", 0)
        with pytest.raises(LocalError, match="cannot verify the checksum") as caught:
            sink.digest("md5")
        assert "w+b" in caught.value.hint


def test_a_pipe() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as file:
            sink = StreamSink(file)
            sink.restart()  # nothing is there yet
            sink.write_at(b"123", 0)
            with pytest.raises(LocalError, match="cannot be rewound"):
                sink.restart()
            sink.commit()
        assert source.read() == b"123"


# -- open descriptors -------------------------------------------------------------------------------------


ID = {"object": 1}


def write_twice(sink: Any) -> None:
    """As a download does whose object is shorter when it comes again."""
    sink.begin(None, ID)
    sink.write_at(b"0123456789", 0)
    sink.restart()
    sink.write_at(b"abc", 0)
    sink.commit()


@pytest.mark.parametrize("head", [b"", b"head "])
def test_a_redirected_file_has_nothing_of_the_first_try(tmp_path: Path, head: bytes) -> None:
    """As with ``smartxfer ... /dev/stdout > file``."""
    with (tmp_path / "out").open("wb", buffering=0) as file:
        file.write(head)
        write_twice(open_sink(f"/dev/fd/{file.fileno()}", "name"))
    assert (tmp_path / "out").read_bytes() == head + b"abc"


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_bytes_of_the_user_are_not_taken_for_those_of_the_first_try(tmp_path: Path, mode: str) -> None:
    """As with ``>> file`` and ``1<> file``: what was written cannot be taken back without harm."""
    path = tmp_path / "out"
    path.write_bytes(b"of the user")
    with path.open(mode, buffering=0) as file:
        number = os.open(str(path), os.O_WRONLY | os.O_APPEND) if mode == "ab" else os.dup(file.fileno())
        with pytest.raises(LocalError, match="cannot be rewound"):
            write_twice(open_sink(f"/dev/fd/{number}", "name"))
        os.close(number)
    expected = b"of the user0123456789" if mode == "ab" else b"0123456789r"
    assert path.read_bytes() == expected


def test_a_descriptor_with_a_high_number() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
    try:
        sink: Any = open_sink(os.devnull, "name")
        sink.begin(3, ID)
        assert sink._fd > 1023
        sink.write_at(b"abc", 0)
        sink.commit()
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("blocking", [False, True])
def test_a_pipe_that_is_not_read_does_not_keep_a_cancelled_call(
    engine: Callable[..., Any], blocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    if blocking:  # a pipe that another user made cannot be opened a second time
        monkeypatch.setattr(device_sink, "_duplicate_descriptor", functools.partial(FileDescriptor, os.dup))
    cancel = threading.Event()
    ended: List[BaseException] = []

    def fetch(url: str) -> None:
        sink = open_sink(f"/dev/fd/{writing}", "name")
        try:
            engine(url).download(sink, size=1_000_000, operation={"cancel": cancel})
        except Cancelled as error:
            ended.append(error)

    before = threading.enumerate()
    with RawServer(answering(ranged(bytes(1_000_000)))) as server:
        thread = threading.Thread(target=fetch, args=(server.url,), daemon=True)
        thread.start()
        assert os.read(reading, 1) == b"\0"  # it writes
        cancel.set()
        thread.join(10)
        blocked = thread.is_alive()
        workers = [one for one in threading.enumerate() if one not in before and "smartxfer_" in one.name]
        for worker in workers:
            worker.join(10)
        left = [worker.name for worker in workers if worker.is_alive()]
        os.close(reading)  # else a blocked write keeps the process
        thread.join(10)
    os.close(writing)
    assert not blocked
    assert not left
    assert len(ended) == 1


def test_the_end_of_a_call_is_no_fault_of_the_device() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(4096))
        except BlockingIOError:
            break
    sink: Any = open_sink(f"/dev/fd/{writing}", "name")
    sink.begin(3, ID)
    attempt = Attempt()
    attempt.abort_error = DeadlineExceeded("not done in time")
    sink.set_attempt(attempt)
    with pytest.raises(DeadlineExceeded):
        sink.write_at(b"abc", 0)
    sink.suspend()
    os.close(reading)
    os.close(writing)
