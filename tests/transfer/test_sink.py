from __future__ import annotations

import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from smartxfer.errors import LocalError, UsageError
from smartxfer.transfer.sink import FileSink, MemorySink, StreamSink, open_sink


def test_what_a_caller_may_give(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    found = [
        open_sink(tmp_path / "a", "name"),
        open_sink(str(tmp_path / "dir"), "name"),
        open_sink(f"{tmp_path}/new/", "name"),
        open_sink("~/b", "name"),
    ]
    assert all(isinstance(sink, FileSink) for sink in found)
    assert [sink.path for sink in found] == [  # type: ignore[attr-defined]
        tmp_path / "a",
        tmp_path / "dir" / "name",
        tmp_path / "new" / "name",
        Path.home() / "b",
    ]
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
    assert sink.data == b"123456"
    assert sink.digest("md5") == hashlib.md5(b"123456").hexdigest()
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
    assert file.getvalue() == b"head12345678"
    assert sink.digest("md5") == hashlib.md5(b"12345678").hexdigest()
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
