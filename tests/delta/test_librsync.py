"""The librsync library: how it is found, called, and how its errors are reported."""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer import delta
from smartxfer.delta import library
from smartxfer.delta import librsync as binding
from smartxfer.delta.librsync import Librsync
from smartxfer.errors import DeltaError, LibrsyncNotFound, LocalError
from tests.support.sinks import raising


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No library of an earlier test."""
    library._load_library.cache_clear()
    yield
    library._load_library.cache_clear()


def test_it_is_here() -> None:
    assert delta.available()
    assert int(library.get_librsync().version.split(".")[0]) >= 1
    assert library.get_librsync() is library.get_librsync()


@pytest.mark.parametrize("name", ["/nowhere/librsync.so.2", "libc.so.6"])
def test_a_library_that_is_not_librsync(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTXFER_LIBRSYNC", name)
    assert not delta.available()
    (tmp_path / "old").write_bytes(b"content")
    with pytest.raises(LibrsyncNotFound, match="which SMARTXFER_LIBRSYNC names") as caught:
        delta.signature(tmp_path / "old", tmp_path / "signature")
    assert isinstance(caught.value, LocalError)
    assert "librsync2" in str(caught.value)
    with pytest.raises(LibrsyncNotFound):
        delta.delta(tmp_path / "old", tmp_path / "old", tmp_path / "delta")
    assert os.listdir(tmp_path) == ["old"]
    # A patch needs none.
    assert delta.patch(tmp_path / "old", io.BytesIO(b"rs\x026\x45\x00\x07\x00"), io.BytesIO()) == 7


def test_the_variable_is_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, available in (("librsync.so.2", True), ("/nowhere/librsync.so", False), ("", True)):
        monkeypatch.setenv("SMARTXFER_LIBRSYNC", name)
        assert delta.available() == available


def test_a_machine_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_get_library_names", lambda: ["no-librsync-here.so"])
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    assert not delta.available()
    with pytest.raises(LibrsyncNotFound, match="librsync is not installed on this machine"):
        library.get_librsync()


def test_the_linker_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[str] = []
    monkeypatch.setattr(library, "_get_library_names", lambda: ["no-librsync-here.so"])
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: asked.append(name) or "librsync.so.2")
    assert delta.available()
    assert asked == ["rsync"]


@pytest.mark.parametrize("said", [b"0.9.7", b"librsync 0.9.7"])
def test_one_from_before_1_0_is_refused(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding.ctypes, "string_at", lambda address: said)
    with pytest.raises(LibrsyncNotFound, match=r"librsync 0\.9\.7 is too old"):
        Librsync(ctypes.CDLL("librsync.so.2"))


def test_what_it_complains_of_is_a_delta_error() -> None:
    header = delta.Signature(0x72730136, "md4", "rollsum", 2048, 8, 1)
    with pytest.raises(DeltaError, match="librsync: "):
        library.get_librsync().load_signature(header, io.BytesIO(bytes(7)).readinto)


def test_a_job_that_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    loaded = library.get_librsync()
    monkeypatch.setattr(loaded, "_library", Refusing())
    with pytest.raises(DeltaError, match="rejected the parameters"):
        loaded.write_signature(2048, 8, 0x72730136, io.BytesIO().readinto, lambda data: None)


@pytest.mark.parametrize("failing", ["read", "write"])
def test_what_a_callback_raises_comes_out(failing: str) -> None:
    broken = raising(ZeroDivisionError(failing))
    read: Any = broken if failing == "read" else io.BytesIO(bytes(5000)).readinto
    with pytest.raises(ZeroDivisionError, match=failing):
        library.get_librsync().write_signature(2048, 8, 0x72730136, read, broken)  # type: ignore[arg-type]


@pytest.mark.parametrize("block", [1, 3, 2048, 262144, 262145, 1000000])
@pytest.mark.parametrize("most", [1 << 20, 70001])
def test_a_block_is_summed_whole_however_it_comes(block: int, most: int) -> None:
    content = os.urandom(1000) * (3 if block < 100 else 3000)
    incoming = io.BytesIO(content)
    made, wanted = bytearray(), bytearray()
    loaded = library.get_librsync()
    loaded.write_signature(block, 8, 0x72730136, lambda view: incoming.readinto(view[:most]), made.extend)
    for at in range(0, len(content), block):
        one = bytearray()
        loaded.write_signature(block, 8, 0x72730136, io.BytesIO(content[at : at + block]).readinto, one.extend)
        wanted += one if not at else one[12:]
    assert made == wanted


def test_one_that_does_not_know_a_kind_of_signature_writes_nothing_to_standard_error() -> None:
    """As 2.1 and older do with Rabin-Karp."""
    program = (
        "import io\nfrom smartxfer import delta\nfrom smartxfer.delta import library\n"
        "header = delta.Signature(0x72730156, 'md4', 'rollsum', 2048, 8, 0)\n"
        "try:\n    library.get_librsync().load_signature(header, io.BytesIO().readinto)\n"
        "except library.LibrsyncNotFound as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert b"too old for this kind" in done.stdout
    assert (done.returncode, done.stderr) == (0, b"")
