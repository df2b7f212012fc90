"""Downloads that break, lie, or change on the way: F04 to F08, F13, F15 to F17, F25."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import (
    AlreadyInProgress,
    BatchError,
    ChecksumMismatch,
    NetworkError,
    NotFound,
    RangeMismatch,
    ServerError,
    SizeMismatch,
    SourceChanged,
    Truncated,
)
from smartxfer.smartfile.errors import ERRORS
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import DOWNLOAD, INFO, MIB, SmartFileHarness

SMALL = noise(1000)
DATA = noise(3 * MIB)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[SmartFileHarness]:
    with SmartFileHarness(tmp_path) as harness:
        harness.out.mkdir()
        harness.site.write("/a.bin", DATA)
        harness.site.write("/small.bin", SMALL)
        yield harness


# -- broken bodies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [1, 256 * 1024, len(DATA) - 1], ids=["first", "middle", "last"])
def test_f04_reset_in_mid_download(harness: SmartFileHarness, place: int) -> None:
    """Fails if a second try does not begin where the first one ended."""
    fault = harness.fault(DOWNLOAD, f"reset-after-sent {place}")
    result = harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert (fault.fired, result.retries, harness.count(DOWNLOAD)) == (1, 1, 2)
    harness.server.stop()  # its account is complete now
    assert sum(harness.sent(DOWNLOAD)) - len(DATA) <= MIB, "no more than one block came twice"
    assert harness.left() == ["a.bin"]


def test_f04_what_came_is_not_fetched_again(harness: SmartFileHarness) -> None:
    harness.fault(DOWNLOAD, "truncate 2M")
    harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert harness.count(DOWNLOAD, 206) == 1
    harness.server.stop()
    assert sum(harness.sent(DOWNLOAD)) <= len(DATA) + 1, "a range may begin one byte early"


def test_f05_truncated_for_good(harness: SmartFileHarness) -> None:
    """Fails if a short body is taken for the file."""
    harness.fault(DOWNLOAD, "truncate 400")
    rest = harness.fault(DOWNLOAD, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        harness.client().download("/small.bin", harness.out)
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert harness.left() == ["small.bin.part", "small.bin.part.json"]
    harness.server.clear_faults()
    result = harness.client().download("/small.bin", harness.out)
    assert (result.resumed, (harness.out / "small.bin").read_bytes()) == (400, SMALL)


@pytest.mark.parametrize("effect", ["truncate 400", "no-length chunked truncate 400", "no-length close truncate 400"])
def test_f06_an_early_close_once(harness: SmartFileHarness, effect: str) -> None:
    harness.fault(DOWNLOAD, effect)
    result = harness.client().download("/small.bin", harness.out)
    assert (harness.out / "small.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 1)


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_for_good(harness: SmartFileHarness, mode: str) -> None:
    fault = harness.fault(DOWNLOAD, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        harness.client().download("/small.bin", harness.out)
    assert fault.fired == 6
    assert harness.left() == []


def test_f05_a_raw_answer_that_ends_early(harness: SmartFileHarness) -> None:
    """Detect a file-like answer whose end is believed."""
    harness.fault(DOWNLOAD, "truncate 400")
    with harness.client().get("/path/data", "/small.bin") as answer, pytest.raises(Truncated):
        while answer.read(100):
            pass


@pytest.mark.parametrize("length", ["", "no-length chunked", "no-length close"])
def test_f07_a_byte_too_many(harness: SmartFileHarness, length: str) -> None:
    """Detect bytes past the promised size, at the target name or anywhere."""
    (harness.out / "small.bin").write_bytes(b"mine")
    harness.fault(DOWNLOAD, "extra-byte")
    if length:
        harness.fault(DOWNLOAD, length)
    with pytest.raises(SizeMismatch) as caught:
        harness.client().download("/small.bin", harness.out, exists="replace")
    assert caught.value.expected == 1000
    assert (harness.out / "small.bin").read_bytes() == b"mine"
    assert harness.count(DOWNLOAD) == 1, "another try would bring the same"


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 503", "reset-before"])
def test_f08_five_times(harness: SmartFileHarness, effect: str) -> None:
    fault = harness.fault(DOWNLOAD, effect, times=5)
    result = harness.client().download("/a.bin", harness.out)
    assert (result.retries, fault.fired) == (5, 5)
    assert (harness.out / "a.bin").read_bytes() == DATA


def test_f08_six_times(harness: SmartFileHarness) -> None:
    harness.fault(DOWNLOAD, "status 502 body=html", times=6)
    with pytest.raises(ServerError, match="502"):
        harness.client().download("/a.bin", harness.out)
    assert harness.left() == []


# -- ranges -------------------------------------------------------------------------------------------------


def test_f15_the_server_ignores_a_range(harness: SmartFileHarness) -> None:
    """Fails if a whole file is written behind its own beginning."""
    harness.fault(DOWNLOAD, "truncate 256K")
    harness.fault(DOWNLOAD, "ignore-range")
    seen: List[Any] = []
    result = harness.client().download("/a.bin", harness.out, progress=seen.append)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


def test_f15_the_server_knows_no_ranges(harness: SmartFileHarness) -> None:
    harness.site.configure(ranges=False)
    harness.fault(DOWNLOAD, "truncate 256K", times=3)
    result = harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)


def test_f15_parallel_ranges_of_a_large_file(harness: SmartFileHarness) -> None:
    """More than one piece: the first answer without a range ends them all, and the file comes in one."""
    large = noise(33 * MIB)
    harness.site.write("/large.bin", large)
    harness.client().download("/large.bin", harness.out)
    assert (harness.out / "large.bin").read_bytes() == large
    assert harness.count(DOWNLOAD, 206) == 2
    harness.site.listener.clear_log()
    harness.site.configure(ranges=False)
    harness.client().download("/large.bin", harness.out / "again.bin")
    assert (harness.out / "again.bin").read_bytes() == large
    assert harness.count(DOWNLOAD, 206) == 0


@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(harness: SmartFileHarness, wrong: str) -> None:
    harness.fault(DOWNLOAD, "truncate 256K")
    harness.fault(DOWNLOAD, f"wrong-range {wrong}")
    with pytest.raises(RangeMismatch):
        harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin.part").read_bytes()[: 256 * 1024] == DATA[: 256 * 1024]
    assert "a.bin" not in harness.left()


# -- a file that changes ------------------------------------------------------------------------------------


def _later(harness: SmartFileHarness) -> None:
    """Some seconds pass on the server."""
    harness.site.configure(clock_offset=harness.site.backend.site.clock_offset + 5)


@pytest.mark.parametrize("sort", ["same size", "longer", "shorter"])
def test_f17_the_file_changes_between_two_parts(harness: SmartFileHarness, sort: str) -> None:
    """Fails if a file is half of one state and half of another."""
    size = {"same size": len(DATA), "longer": len(DATA) + 5, "shorter": 2 * MIB}[sort]
    other = noise(size, seed=2)
    harness.fault(DOWNLOAD, "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            _later(harness)
            harness.site.write("/a.bin", other)

    with pytest.raises((SourceChanged, RangeMismatch, SizeMismatch)) as caught:
        harness.client().download("/a.bin", harness.out, progress=change)
    if sort == "same size":
        assert type(caught.value) is ERRORS.class_for(SourceChanged)
    assert "a.bin" not in harness.left()
    harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == other


def test_f17_the_file_changes_between_two_runs(harness: SmartFileHarness) -> None:
    """Detect a rest of the old state that the next run builds upon."""
    other = noise(len(DATA), seed=2)
    harness.fault(DOWNLOAD, "truncate 1M")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).download("/a.bin", harness.out)
    _later(harness)
    harness.site.write("/a.bin", other)
    result = harness.client().download("/a.bin", harness.out)
    assert result.resumed == 0
    assert (harness.out / "a.bin").read_bytes() == other


@pytest.mark.parametrize("runs", ["in a run", "between two"])
def test_f17_within_one_second(harness: SmartFileHarness, runs: str) -> None:
    """Fails if path, length and time alone identify a file: times have a resolution of one second."""
    other = noise(len(DATA), seed=2)
    harness.fault(DOWNLOAD, "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            harness.site.write("/a.bin", other)

    with pytest.raises((NetworkError, SourceChanged)):
        policy = RetryPolicy(backoff=0, attempts=2 if runs == "in a run" else 1)
        harness.client(retry=policy).download("/a.bin", harness.out, progress=change)
    harness.site.write("/a.bin", other)
    try:
        harness.client().download("/a.bin", harness.out)
    except SourceChanged:
        assert "a.bin" not in harness.left()
        harness.client().download("/a.bin", harness.out)
    assert (harness.out / "a.bin").read_bytes() == other


def test_f17_the_file_is_gone(harness: SmartFileHarness) -> None:
    harness.fault(DOWNLOAD, "truncate 1M")
    api = harness.client()

    def remove(event: Any) -> None:
        if event.state == "retrying":
            api.remove("/a.bin")

    with pytest.raises(NotFound, match="404"):
        api.download("/a.bin", harness.out, progress=remove)
    assert "a.bin" not in harness.left()


def test_f17_of_a_tree_one_file_changes(harness: SmartFileHarness) -> None:
    harness.fault("GET /api/2/path/data/a.bin*", "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            _later(harness)
            harness.site.write("/a.bin", noise(len(DATA), seed=2))

    with pytest.raises(BatchError, match="1 of 2 files failed") as caught:
        harness.client().download_tree("/", harness.out, progress=change)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(SourceChanged)]
    assert (harness.out / "small.bin").read_bytes() == SMALL
    harness.client().download_tree("/", harness.out)
    assert (harness.out / "a.bin").read_bytes() == noise(len(DATA), seed=2)


def test_f13_a_bit_is_flipped(harness: SmartFileHarness) -> None:
    """Once: it comes again, whole.  For good: an error, and nothing of it stays."""
    harness.fault(DOWNLOAD, "flip 5000")
    result = harness.client().download("/a.bin", harness.out, checksum="md5")
    assert (harness.out / "a.bin").read_bytes() == DATA
    assert result.verified == "md5"
    (harness.out / "a.bin").unlink()
    harness.fault(DOWNLOAD, "flip 5000", times=2)
    with pytest.raises(ChecksumMismatch):
        harness.client().download("/a.bin", harness.out, checksum="md5")
    assert harness.left() == []


# -- two at a time ------------------------------------------------------------------------------------------


def test_f25_two_downloads_to_one_target(harness: SmartFileHarness) -> None:
    """Detect two that write into one partial file."""
    held = harness.fault(DOWNLOAD, "stall", times=1)
    cancel = threading.Event()
    first = harness.client()
    failures: List[BaseException] = []

    def run() -> None:
        try:
            first.download("/a.bin", harness.out)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(20)
        with pytest.raises(AlreadyInProgress):
            harness.client().download("/a.bin", harness.out, cancel=cancel)
        assert "a.bin" not in harness.left()
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert not thread.is_alive()
    assert failures == []
    assert (harness.out / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("way", ["up", "down"])
def test_f25_two_runs_of_one_tree(harness: SmartFileHarness, way: str) -> None:
    """Detect two journals of the same work."""
    tree = harness.directory / "tree"
    for number in range(3):
        harness.file(noise(1000 + number, number), f"tree/{number}.bin")
    held = harness.fault("POST /api/2/path/data/*" if way == "up" else DOWNLOAD, "stall", times=1)

    def move() -> None:
        if way == "up":
            harness.client().upload_tree(tree, "/tree")
        else:
            harness.client().download_tree("/", harness.out)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        assert held.wait(20)
        with pytest.raises(AlreadyInProgress):
            move()
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert not thread.is_alive()
    if way == "up":
        assert {path: len(data) for path, data in harness.stored().items() if "tree" in path} == {
            f"/tree/{number}.bin": 1000 + number for number in range(3)
        }
    else:
        assert harness.left() == ["a.bin", "small.bin"]


def test_f04_into_memory(harness: SmartFileHarness) -> None:
    sink = MemorySink()
    harness.fault(DOWNLOAD, "reset-after-sent 1M", times=2)
    harness.fault(INFO, "reset-before")
    harness.client().download("/a.bin", sink)
    assert sink.data == DATA
