"""Memory: of large files, and of sizes that a server only claims; a file too large for the disk is not begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer._system import FileSystem
from smartxfer.errors import Cancelled, DeadlineExceeded, DiskFull, Forbidden, LocalError
from smartxfer.transfer import sink as sinks
from smartxfer.transfer.extents import missing_extents
from smartxfer.transfer.file_job import TaskQueue
from smartxfer.transfer.file_parts import MissingParts, Part, Parts, split_into_parts
from smartxfer.transfer.sink import MemorySink
from smartxfer.transfer.upload import UploadJob, UploadSpec
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import JumpingClock
from tests.support.jobs import Flag, operation
from tests.support.raw_server import Peer, RawServer
from tests.support.sinks import DATA, begun, fetched, left, raising

PETABYTE = 10**15
MOST = 1 << 20


class Nowhere:
    """A sink that claims to hold some extents, and takes nothing."""

    sequential = False
    write_at = raising(AssertionError("there is nothing to write"))

    def __init__(self, have: Any) -> None:
        self.begin = lambda size, identity: have

    def commit(self) -> None: ...

    def suspend(self) -> None: ...


class Endless:
    """A source that claims to be large."""

    name, mtime_ns, size = "big", 0, PETABYTE

    def read_at(self, view: memoryview, offset: int) -> int:
        return len(view)

    def check_unchanged(self) -> None: ...

    def close(self) -> None: ...


FORBIDDEN = raising(Forbidden("no", status=403))

# -- plans ---------------------------------------------------------------------------------------------------


def test_plans_are_arithmetic(memory: Callable[[], int]) -> None:
    parts = split_into_parts(PETABYTE, 1)
    assert (len(parts), parts[5], parts[-1]) == (PETABYTE, Part(5, 5, 6), Part(PETABYTE - 1, PETABYTE - 1, PETABYTE))
    assert parts.remaining_bytes({0, 1, PETABYTE, -1}) == PETABYTE - 2
    missing = MissingParts(PETABYTE, [(0, 10), (5, 20), (PETABYTE - 1, 2 * PETABYTE)], 3)
    assert (next(iter(missing)), missing.remaining_bytes(())) == (Part(6, 20, 21), PETABYTE - 21)
    assert next(iter(missing_extents(PETABYTE, [(0, 7)], 1))) == (7, 8)
    assert memory() < MOST


def test_the_last_part_of_many() -> None:
    assert Parts(10, 4)[1:] == [Part(1, 4, 8), Part(2, 8, 10)]
    with pytest.raises(IndexError):
        Parts(10, 4)[3]


def test_tasks_are_made_when_they_are_due() -> None:
    made: List[int] = []

    def tasks() -> Iterator[Any]:
        for number in range(PETABYTE):
            made.append(number)
            yield lambda: None

    waiting = TaskQueue(lambda: None)
    waiting.extend(tasks())
    assert (made, bool(waiting)) == ([], True)
    waiting.pop()
    waiting.pop()
    assert made == [0, 1]
    waiting.clear()
    assert not waiting


# -- the engine ----------------------------------------------------------------------------------------------


def test_a_download_of_a_petabyte_in_pieces_of_a_byte(engine: Any, memory: Callable[[], int]) -> None:
    """Detect a plan of all pieces: it takes gigabytes, and the deadline is not checked while it is made."""
    made = engine("http://127.0.0.1:9", RetryPolicy(attempts=1))
    have = [(start, start + 1) for start in range(0, 2000, 2)]
    result = made.download(Nowhere(have), check=False, size=PETABYTE, range_size=1, open_range=FORBIDDEN)
    assert isinstance(result.error, Forbidden)
    assert result.resumed == 1000
    assert memory() < MOST


def test_an_upload_of_a_petabyte_in_parts_of_a_byte(memory: Callable[[], int]) -> None:
    described = UploadSpec(
        "big", Endless, lambda size: split_into_parts(size, 1), FORBIDDEN, lambda: ("size", None), completed_parts=range(1000)
    )
    with operation(policy=RetryPolicy(attempts=1), max_workers=2) as doing:
        job = UploadJob(described, doing, 2)
        doing.run_jobs([job], 1)
    assert isinstance(job.result.error, Forbidden)
    assert job.result.resumed == 1000
    assert memory() < MOST


@pytest.mark.parametrize("way", ["deadline", "cancel"])
def test_a_plan_without_end_ends_in_time(way: str) -> None:
    sent: List[int] = []
    described = UploadSpec("big", Endless, lambda size: split_into_parts(size, 1), lambda part, body: sent.append(part.number), lambda: ("size", None))
    ends = lambda: len(sent) > 50  # noqa: E731
    settings = {"deadline": 40.0} if way == "deadline" else {"cancel": Flag(ends)}
    with pytest.raises(DeadlineExceeded if way == "deadline" else Cancelled):
        with operation(max_workers=2, clock=JumpingClock(ends, 45.0), **settings) as doing:
            doing.run_jobs([UploadJob(described, doing, 2)], 1)
    assert sent


# -- room ----------------------------------------------------------------------------------------------------


def disk(free: Any) -> FileSystem:
    """Return a file system with so many bytes free; with None the number is not known."""
    files = FileSystem()
    unknown = raising(OSError(38, "Function not implemented"))
    files.free_space = (lambda directory: free) if free is not None else unknown  # type: ignore[method-assign]
    return files


def test_what_the_disk_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="needs 10 more bytes, but its disk has 9 bytes free") as caught:
        begun(tmp_path / "a", files=disk(9))
    assert "another disk" in caught.value.hint
    assert not caught.value.retryable
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("size", "free"), [(10, 10), (10, None), (None, 0), (0, 0)])
def test_what_fits_or_is_not_known_is_begun(tmp_path: Path, size: Any, free: Any) -> None:
    sink, have = begun(tmp_path / "a", size, files=disk(free))
    assert have == []
    sink.suspend()


def test_what_an_earlier_run_has_written_needs_no_room(tmp_path: Path) -> None:
    left(tmp_path / "a", (0, DATA[:7]))
    fetched(tmp_path / "a", have=[(0, 7)], files=disk(3))


def test_a_disk_that_is_really_too_small(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=str(PETABYTE * 1000)):
        begun(tmp_path / "a", PETABYTE * 1000)


def test_a_file_system_that_does_not_say_its_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"total": 0, "free": 0}))
    with pytest.raises(OSError, match="does not report its size"):
        FileSystem().free_space(tmp_path)


def test_what_memory_cannot_hold_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalError, match="memory") as caught:
        MemorySink().begin(PETABYTE, {})
    assert "file" in caught.value.hint
    monkeypatch.setattr(sinks, "get_physical_memory", lambda: None)
    assert MemorySink().begin(PETABYTE, {}) == []


# -- large files ------------------------------------------------------------------------------------------


MIB = 1 << 20
SIZE = 64 * MIB
#: The buffers of the two sides and of their sockets.
BUFFERS = 8 * MIB


class Counting:
    """A sink that only counts."""

    sequential = False

    def __init__(self) -> None:
        self.size = 0

    def begin(self, size: Any, identity: Any) -> Any:
        return []

    def write_at(self, data: Any, offset: int) -> None:
        assert offset == self.size
        self.size += len(data)

    def restart(self) -> None:
        self.size = 0

    def commit(self) -> None: ...

    def suspend(self) -> None: ...


def test_a_download_in_one_piece(engine: Any, memory: Callable[[], int]) -> None:
    def handler(peer: Peer) -> None:
        if peer.head() is not None:
            peer.answer(200, length=SIZE)
            for _ in range(SIZE // MIB):
                peer.send(bytes(MIB))

    sink = Counting()
    with RawServer(handler) as server:
        engine(server.url).download(sink, size=SIZE)
    assert sink.size == SIZE
    assert memory() < BUFFERS


def test_an_upload_in_one_part(engine: Any, memory: Callable[[], int], tmp_path: Any) -> None:
    received = []

    def handler(peer: Peer) -> None:
        while peer.head() is not None:
            received.append(sum(len(peer.file.read(MIB)) for _ in range(SIZE // MIB)))
            peer.answer(200)

    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(SIZE)
    with RawServer(handler) as server:
        engine(server.url).upload(path, chunk=SIZE)
    assert received == [SIZE]
    assert memory() < BUFFERS
