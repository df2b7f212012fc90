"""Signatures and deltas as a caller makes them: of paths, files and streams, in parts and in one go."""

from __future__ import annotations

import _thread
import io
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, List, Type

import pytest

from smartxfer import delta
from smartxfer.delta import make_signature, output_file, parallel
from smartxfer.delta.input_file import InputSlice
from smartxfer.delta.output_file import OutputFile
from smartxfer.delta.worker_threads import resolve_worker_count
from smartxfer.errors import DeltaError, LocalError, SourceChanged, UsageError
from tests.support.amounts import amount

MIB = 1024 * 1024


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).getrandbits(8 * size).to_bytes(size, "big") if size else b""


@pytest.fixture(name="room")
def _room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old and a new file of 9 MiB and some bytes, and a directory that all temporary files go to."""
    old = noise(9 * MIB + 777)
    new = old[:MIB] + b"inserted" + old[MIB : 5 * MIB] + old[5 * MIB + 100 :]
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(make_signature, "resolve_worker_count", lambda: 3)
    return tmp_path


def names(room: Path) -> List[str]:
    assert os.listdir(room / "temporary") == []
    return sorted(path.name for path in room.iterdir() if path.is_file())


def in_memory(room: Path, **options: Any) -> bytes:
    """The signature of the old file, as a stream that goes through one thread."""
    made = io.BytesIO()
    delta.signature(io.BytesIO((room / "old").read_bytes()), made, **options)
    return made.getvalue()


@pytest.mark.parametrize("block", [None, 1000, 2048, 65536, MIB, 2 * MIB])
@pytest.mark.parametrize("hash_name", ["md4", "blake2"])
def test_parts_make_the_same_signature(room: Path, block: int, hash_name: str) -> None:
    size = delta.signature(room / "old", room / "signature", block_length=block, hash=hash_name)
    made = (room / "signature").read_bytes()
    assert size == len(made)
    assert made == in_memory(room, block_length=block, hash=hash_name)
    header = delta.read_signature(room / "signature", basis_size=(room / "old").stat().st_size)
    assert header.magic == {"md4": 0x72730136, "blake2": 0x72730137}[hash_name]
    assert header.block_length == block or delta.block_length_for((room / "old").stat().st_size)
    assert names(room) == ["new", "old", "signature"]


def test_parts_of_small_blocks_are_small(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of short blocks are larger than the blocks; they must not pile up."""
    largest: List[int] = []
    real = OutputFile.write

    def write(self: OutputFile, data: Any) -> None:
        largest.append(len(data))
        real(self, data)

    monkeypatch.setattr(OutputFile, "write", write)
    with open(room / "old", "rb") as file, open(os.devnull, "wb") as sink:
        os.truncate(room / "new", 4 * MIB)
        delta.signature(room / "new", sink, block_length=4, strong_length=16)
        assert file.tell() == 0
    assert max(largest) <= MIB
    assert sum(largest) == 12 + 20 * MIB


@pytest.mark.parametrize("workers", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("options", [{}, {"block_length": 2048}, {"hash": "blake2", "strong_length": 32}])
def test_there_and_back(room: Path, workers: int, options: Any) -> None:
    delta.signature(room / "old", room / "signature", **options)
    size = delta.delta(room / "signature", room / "new", room / "change", workers=workers)
    assert size == (room / "change").stat().st_size < MIB
    delta.patch(room / "old", room / "change", room / "made")
    assert (room / "made").read_bytes() == (room / "new").read_bytes()
    assert names(room) == ["change", "made", "new", "old", "signature"]


def test_several_workers_do_work(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    met = threading.Barrier(2)
    real = InputSlice.readinto

    def readinto(self: InputSlice, view: memoryview) -> int:
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            met.wait(30)  # passes only when two are at work at once
        return real(self, view)

    delta.signature(room / "old", room / "signature")
    monkeypatch.setattr(parallel, "InputSlice", type("Watched", (InputSlice,), {"readinto": readinto}))
    delta.delta(room / "signature", room / "new", io.BytesIO(), workers=2)
    assert len(seen) == 2
    assert threading.main_thread() not in seen


def test_files_streams_and_places_in_them(room: Path) -> None:
    wanted = in_memory(room)
    with open(room / "new", "r+b") as file:
        # Reading starts at the position of the file and leaves the position after the data that was read.
        old = (room / "old").read_bytes()
        file.write(b"header")
        file.write(old)
        file.truncate()
        file.seek(6)
        made = io.BytesIO()
        delta.signature(file, made)
        assert made.getvalue() == wanted
        assert file.tell() == 6 + len(old)
        file.seek(6)
        change = io.BytesIO()
        signature = io.BytesIO(b"before" + wanted)
        signature.seek(6)
        delta.delta(signature, file, change, workers=2)
    change.seek(0)
    assert delta.patch(room / "old", change, room / "made") == len(old)
    assert (room / "made").read_bytes() == old
    assert names(room) == ["made", "new", "old"]


class Line:
    """A stream with ``read`` alone, in short pieces."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def read(self, most: int = -1) -> bytes:
        most = min(most, 10007)
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


def test_a_stream_of_unknown_size_has_usual_blocks(room: Path) -> None:
    made, change = io.BytesIO(), io.BytesIO()
    source: Any = Line((room / "old").read_bytes())
    delta.signature(source, made)
    assert made.getvalue() == in_memory(room, block_length=2048)
    signature: Any = Line(made.getvalue())
    new: Any = Line((room / "new").read_bytes())
    delta.delta(signature, new, change)
    change.seek(0)
    delta.patch(room / "old", change, room / "made")
    assert (room / "made").read_bytes() == (room / "new").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 70000, 200000])
@pytest.mark.parametrize("block", [1, 64, 100, 2048, 100000])
def test_without_an_old_file_all_is_literal(size: int, block: int, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert delta.signature(tmp_path / "empty", tmp_path / "signature", block_length=block) == 12
    new = noise(size)
    delta.delta(tmp_path / "signature", io.BytesIO(new), tmp_path / "change")
    assert delta.patch(tmp_path / "empty", tmp_path / "change", tmp_path / "made") == size
    assert (tmp_path / "made").read_bytes() == new


def test_of_an_empty_new_file_nothing_is_left(room: Path) -> None:
    delta.signature(room / "old", room / "signature")
    assert delta.delta(room / "signature", io.BytesIO(), room / "change") == 5
    assert (room / "change").read_bytes() == b"rs\x026\x00"


Work = Callable[[Path], Any]
WORK: List[Work] = [
    lambda room: delta.signature(room / "old", room / "target"),
    lambda room: delta.delta(room / "signature", room / "new", room / "target", workers=2),
]


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(5, "Input/output error"), OSError),
        (MemoryError(), LocalError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_what_fails_in_a_thread_comes_out_and_leaves_nothing(
    room: Path,
    work: Work,
    failure: BaseException,
    raised: Type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (room / "signature").write_bytes(in_memory(room))
    (room / "target").write_bytes(b"what was here")
    real = InputSlice.readinto

    def readinto(self: InputSlice, view: memoryview) -> int:
        if self._position >= 5 * MIB:
            raise failure
        return real(self, view)

    monkeypatch.setattr(parallel, "InputSlice", type("Failing", (InputSlice,), {"readinto": readinto}))
    with pytest.raises(raised):
        work(room)
    assert names(room) == ["new", "old", "signature", "target"]
    assert (room / "target").read_bytes() == b"what was here"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


@pytest.mark.parametrize("work", WORK)
def test_an_interrupt_while_threads_work_ends_them(
    room: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    (room / "signature").write_bytes(in_memory(room))
    begun = threading.Event()

    def readinto(self: InputSlice, view: memoryview) -> int:
        if not begun.is_set():
            begun.set()
            _thread.interrupt_main()
        return min(len(view), 4096)  # a file that never ends

    monkeypatch.setattr(parallel, "InputSlice", type("Endless", (InputSlice,), {"readinto": readinto}))
    with pytest.raises(KeyboardInterrupt):
        work(room)
    assert names(room) == ["new", "old", "signature"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


def test_a_file_that_shrinks_while_it_is_read(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "_MIN_DIRECT_SIZE", 1)

    class Spiteful(io.BytesIO):
        def write(self, data: Any) -> int:
            os.truncate(room / "old", MIB)
            return super().write(data)

    with pytest.raises(SourceChanged, match="truncated"):
        delta.signature(room / "old", Spiteful())


def test_a_file_that_is_written_to_while_it_is_read(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "_MIN_DIRECT_SIZE", 1)

    class Spiteful(io.BytesIO):
        def write(self, data: Any) -> int:
            with open(room / "new", "ab") as file:
                file.write(b"more")
            return super().write(data)

    with pytest.raises(SourceChanged, match="changed"):
        delta.delta(io.BytesIO(in_memory(room)), room / "new", Spiteful(), workers=1)


def test_a_signature_that_was_cut_short_is_found_out_first(room: Path) -> None:
    whole = in_memory(room)
    for made in (whole[:-1], whole[:5], b"", b"\x00" * 1000):
        (room / "signature").write_bytes(made)
        with pytest.raises(DeltaError):
            delta.delta(room / "signature", room / "new", room / "change")
        with pytest.raises(DeltaError):
            delta.delta(Line(made), room / "new", room / "change")  # type: ignore[arg-type]
    assert names(room) == ["new", "old", "signature"]


def test_numbers_out_of_range(room: Path) -> None:
    wrong: List[Any] = [
        {"block_length": 0},
        {"block_length": -1},
        {"block_length": 2**31},
        {"strong_length": 0},
        {"strong_length": 17},
        {"strong_length": 33, "hash": "blake2"},
        {"hash": "md5"},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            delta.signature(room / "old", room / "signature", **options)
    with pytest.raises(UsageError):
        delta.delta(io.BytesIO(in_memory(room)), room / "new", room / "change", workers=0)
    assert names(room) == ["new", "old"]


def test_no_file_is_written_over_its_source(room: Path) -> None:
    (room / "signature").write_bytes(in_memory(room))
    os.link(room / "old", room / "same")
    for source, into in (("old", "old"), ("old", "same")):
        with pytest.raises(UsageError, match="both input and output"):
            delta.signature(room / source, room / into)
    for into in ("signature", "new"):
        with pytest.raises(UsageError, match="both input and output"):
            delta.delta(room / "signature", room / "new", room / into)
    assert names(room) == ["new", "old", "same", "signature"]


def test_missing_files_and_text(room: Path) -> None:
    with pytest.raises(FileNotFoundError):
        delta.signature(room / "none", room / "signature")
    with pytest.raises(FileNotFoundError):
        delta.delta(room / "none", room / "new", room / "change")
    with pytest.raises(FileNotFoundError):
        delta.read_signature(room / "none")
    with open(room / "old", encoding="latin-1") as text:
        wrong: List[Any] = [text, io.StringIO("text"), 7]
        for thing in wrong:
            with pytest.raises(UsageError):
                delta.signature(thing, room / "signature")
            with pytest.raises(UsageError):
                delta.read_signature(thing)
    with open(room / "sink", "wb") as sink, pytest.raises(UsageError, match="not open for reading"):
        delta.signature(sink, room / "signature")
    assert names(room) == ["new", "old", "sink"]


def test_a_stream_without_bytes_yet_does_not_end_the_file(room: Path) -> None:
    class Idle(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, view: Any) -> None:  # type: ignore[override]
            return None

    with pytest.raises(LocalError, match="non-blocking stream"):
        delta.signature(Idle(), room / "signature")  # type: ignore[arg-type]
    assert names(room) == ["new", "old"]


def test_workers() -> None:
    assert resolve_worker_count(9) == 9
    assert 1 <= resolve_worker_count() <= 4
    small = delta.Signature(0x72730136, "md4", "rollsum", 2048, 8, 131072)
    assert parallel.limit_delta_workers(small, 2) == 2
    large = delta.Signature(0x72730136, "md4", "rollsum", 2048, 8, 10**7)
    assert parallel.limit_delta_workers(large, 4) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory as Linux tells it")
def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """Also where nothing is alike, and the delta is as large as the file."""
    count = amount(64, 96)
    for name in ("old", "new"):
        with open(tmp_path / name, "wb") as file:
            for _ in range(count):
                file.write(os.urandom(MIB))
    program = """
import sys
from smartxfer import delta
def most():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1])
assert delta.available()
before = most()
old, new, signature, change, made = sys.argv[1:]
delta.signature(old, signature, block_length=2048)
delta.delta(signature, new, change, workers=2)
delta.patch(old, change, made)
print(most() - before)
"""
    files = [str(tmp_path / name) for name in ("old", "new", "signature", "change", "made")]
    done = subprocess.run([sys.executable, "-c", program, *files], stdout=subprocess.PIPE, check=True)
    assert os.path.getsize(files[3]) > count * MIB
    assert int(done.stdout) <= 32 * 1024
