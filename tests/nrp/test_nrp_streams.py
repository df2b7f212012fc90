"""Sources and sinks by their old names, and the record that an address refers to."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from smartxfer.nrp.streams import FileSink, FileSource, MemorySource, StandardInput, unwrap_source
from smartxfer.transfer.source import open_source


@pytest.mark.parametrize("kind", [FileSource, FileSink])
def test_a_path_by_another_name(kind: Any, tmp_path: Path) -> None:
    named = kind(str(tmp_path / "a"))
    assert (os.fspath(named), str(named), named.path) == (str(tmp_path / "a"), str(tmp_path / "a"), tmp_path / "a")
    assert repr(named) == f"{kind.__name__}({str(tmp_path / 'a')!r})"
    with pytest.raises(TypeError, match="not bytes"):
        kind(b"a")


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert FileSource("~/a").path == Path("/home/ann/a")


def test_memory_is_not_copied_and_can_be_sent_twice() -> None:
    data = bytearray(b"abc")
    source = MemorySource(data)
    for _ in range(2):
        opened = open_source(unwrap_source(source))
        buffer = memoryview(bytearray(3))
        assert opened.read_at(buffer, 0) == 3
        assert bytes(buffer) == bytes(data)
        opened.close()
        data[0] = ord("x")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"typed")))
    for source in (StandardInput(), sys.stdin):
        assert unwrap_source(source) is sys.stdin.buffer
