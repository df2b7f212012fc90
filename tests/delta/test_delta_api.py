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
from typing import Any, Callable, List

import pytest

from smartxfer import delta
from smartxfer.delta import make_signature, output_file, parallel
from smartxfer.delta.input_file import InputSlice
from smartxfer.delta.output_file import OutputFile
from smartxfer.delta.worker_threads import resolve_worker_count
from smartxfer.errors import LocalError, SourceChanged, UsageError
from tests.support.amounts import amount
from tests.support.delta_edits import Line, noise
from tests.support.jobs import engine_threads

MIB = 1024 * 1024


@pytest.fixture(name="room")
def _room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An old and a new file of 9 MiB and some bytes, and a directory that all temporary files go to."""
    old = noise(random.Random(1), 9 * MIB + 777)
    new = old[:MIB] + b"inserted" + old[MIB : 5 * MIB] + old[5 * MIB + 100 :]
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(make_signature, "resolve_worker_count", lambda: 3)
    return tmp_path


def files(room: Path) -> List[str]:
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
    assert (size, made) == (len(made), in_memory(room, block_length=block, hash=hash_name))
    header = delta.read_signature(room / "signature", basis_size=(room / "old").stat().st_size)
    assert header.magic == {"md4": 0x72730136, "blake2": 0x72730137}[hash_name]
    assert header.block_length == block or delta.block_length_for((room / "old").stat().st_size)
    assert files(room) == ["new", "old", "signature"]


def test_parts_of_small_blocks_are_small(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of short blocks are larger than the blocks; they must not pile up."""
    largest: List[int] = []
    real = OutputFile.write

    def write(self: OutputFile, data: Any) -> None:
        largest.append(len(data))
        real(self, data)

    monkeypatch.setattr(OutputFile, "write", write)
    os.truncate(room / "new", 4 * MIB)
    with open(os.devnull, "wb") as sink:
        delta.signature(room / "new", sink, block_length=4, strong_length=16)
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
    assert files(room) == ["change", "made", "new", "old", "signature"]


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
        assert (made.getvalue(), file.tell()) == (wanted, 6 + len(old))
        file.seek(6)
        change = io.BytesIO()
        signature = io.BytesIO(b"before" + wanted)
        signature.seek(6)
        delta.delta(signature, file, change, workers=2)
    change.seek(0)
    assert delta.patch(room / "old", change, room / "made") == len(old)
    assert ((room / "made").read_bytes(), files(room)) == (old, ["made", "new", "old"])


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
    new = noise(random.Random(1), size)
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
    [(OSError(5, "I/O error"), OSError), (MemoryError(), LocalError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_what_fails_in_a_thread_comes_out_and_leaves_nothing(
    room: Path, work: Work, failure: BaseException, raised: Any, monkeypatch: pytest.MonkeyPatch
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
    assert files(room) == ["new", "old", "signature", "target"]
    assert ((room / "target").read_bytes(), engine_threads()) == (b"what was here", [])


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
    assert (files(room), engine_threads()) == (["new", "old", "signature"], [])


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("work", "change", "message"),
    [("signature", lambda path: os.truncate(path, MIB), "truncated"), ("delta", append, "changed")],
)
def test_a_file_that_changes_while_it_is_read(
    room: Path, monkeypatch: pytest.MonkeyPatch, work: str, change: Any, message: str
) -> None:
    monkeypatch.setattr(output_file, "_MIN_DIRECT_SIZE", 1)

    class Spiteful(io.BytesIO):
        def write(self, data: Any) -> int:
            change(room / ("old" if work == "signature" else "new"))
            return super().write(data)

    signature = io.BytesIO(in_memory(room))
    with pytest.raises(SourceChanged, match=message):
        if work == "signature":
            delta.signature(room / "old", Spiteful())
        else:
            delta.delta(signature, room / "new", Spiteful(), workers=1)


def test_numbers_out_of_range(room: Path) -> None:
    wrong: List[Any] = [{"block_length": length} for length in (0, -1, 2**31)]
    wrong += [{"strong_length": 0}, {"strong_length": 17}, {"strong_length": 33, "hash": "blake2"}, {"hash": "md5"}]
    for options in wrong:
        with pytest.raises(UsageError):
            delta.signature(room / "old", room / "signature", **options)
    with pytest.raises(UsageError):
        delta.delta(io.BytesIO(in_memory(room)), room / "new", room / "change", workers=0)
    assert files(room) == ["new", "old"]


def test_no_file_is_written_over_its_source(room: Path) -> None:
    (room / "signature").write_bytes(in_memory(room))
    os.link(room / "old", room / "same")
    for call, into in ((delta.signature, "old"), (delta.signature, "same"), (delta.delta, "signature"), (delta.delta, "new")):
        sources = [room / "old"] if call is delta.signature else [room / "signature", room / "new"]
        with pytest.raises(UsageError, match="both input and output"):
            call(*sources, room / into)
    assert files(room) == ["new", "old", "same", "signature"]


def test_what_cannot_be_read_or_written(room: Path) -> None:
    class Idle(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, view: Any) -> None:  # type: ignore[override]
            return None

    with open(room / "old", encoding="latin-1") as text, open(room / "sink", "wb") as sink:
        wrong: List[Any] = [(room / "none", FileNotFoundError, "")]
        wrong += [(thing, UsageError, "") for thing in (text, io.StringIO("text"), 7)]
        wrong += [(sink, UsageError, "not open for reading"), (Idle(), LocalError, "non-blocking stream")]
        calls: List[Any] = [
            lambda thing: delta.signature(thing, room / "signature"),
            lambda thing: delta.delta(thing, room / "new", room / "change"),
            delta.read_signature,
        ]
        for thing, error, message in wrong:
            for call in calls:
                with pytest.raises(error) as caught:
                    call(thing)
                assert message in str(caught.value)
    assert files(room) == ["new", "old", "sink"]


def test_workers() -> None:
    assert resolve_worker_count(9) == 9
    assert 1 <= resolve_worker_count() <= 4
    for blocks, workers, expected in ((131072, 2, 2), (10**7, 4, 1)):
        signature = delta.Signature(0x72730136, "md4", "rollsum", 2048, 8, blocks)
        assert parallel.limit_delta_workers(signature, workers) == expected


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
