"""Downloads that break, lie, or change on the way: F04 to F08, F13, F15 to F17, F25."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import (
    BatchError,
    ChecksumMismatch,
    InProgress,
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
from tests.support.smartfile_harness import DOWNLOAD, INFO, MIB, Stage

SMALL = noise(1000)
DATA = noise(3 * MIB)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.out.mkdir()
        stage.site.write("/a.bin", DATA)
        stage.site.write("/small.bin", SMALL)
        yield stage


# -- broken bodies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [1, 256 * 1024, len(DATA) - 1], ids=["first", "middle", "last"])
def test_f04_reset_in_mid_download(stage: Stage, place: int) -> None:
    """Broken by a second try that does not begin where the first one ended."""
    fault = stage.fault(DOWNLOAD, f"reset-after-sent {place}")
    result = stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert (fault.fired, result.retries, stage.count(DOWNLOAD)) == (1, 1, 2)
    stage.server.stop()  # its account is complete now
    assert sum(stage.sent(DOWNLOAD)) - len(DATA) <= MIB, "no more than one block came twice"
    assert stage.left() == ["a.bin"]


def test_f04_what_came_is_not_fetched_again(stage: Stage) -> None:
    stage.fault(DOWNLOAD, "truncate 2M")
    stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert stage.count(DOWNLOAD, 206) == 1
    stage.server.stop()
    assert sum(stage.sent(DOWNLOAD)) <= len(DATA) + 1, "a range may begin one byte early"


def test_f05_truncated_for_good(stage: Stage) -> None:
    """Broken by a short body that is taken for the file."""
    stage.fault(DOWNLOAD, "truncate 400")
    rest = stage.fault(DOWNLOAD, "truncate 0", times=None, after=1)
    with pytest.raises(Truncated) as caught:
        stage.client().download("/small.bin", stage.out)
    assert (caught.value.got, caught.value.expected) == (400, 1000)
    assert rest.fired == 5, "six tries without progress; the one that brought bytes began the count"
    assert stage.left() == ["small.bin.part", "small.bin.part.json"]
    stage.server.clear_faults()
    result = stage.client().download("/small.bin", stage.out)
    assert (result.resumed, (stage.out / "small.bin").read_bytes()) == (400, SMALL)


@pytest.mark.parametrize("effect", ["truncate 400", "no-length chunked truncate 400", "no-length close truncate 400"])
def test_f06_an_early_close_once(stage: Stage, effect: str) -> None:
    stage.fault(DOWNLOAD, effect)
    result = stage.client().download("/small.bin", stage.out)
    assert (stage.out / "small.bin").read_bytes() == SMALL
    assert (result.verified, result.retries) == ("size", 1)


@pytest.mark.parametrize("mode", ["chunked", "close"])
def test_f06_no_length_and_an_early_close_for_good(stage: Stage, mode: str) -> None:
    fault = stage.fault(DOWNLOAD, f"no-length {mode} truncate 0", times=None)
    with pytest.raises(Truncated):
        stage.client().download("/small.bin", stage.out)
    assert fault.fired == 6
    assert stage.left() == []


def test_f05_a_raw_answer_that_ends_early(stage: Stage) -> None:
    """Broken by a file-like answer whose end is believed."""
    stage.fault(DOWNLOAD, "truncate 400")
    with stage.client().get("/path/data", "/small.bin") as answer, pytest.raises(Truncated):
        while answer.read(100):
            pass


@pytest.mark.parametrize("length", ["", "no-length chunked", "no-length close"])
def test_f07_a_byte_too_many(stage: Stage, length: str) -> None:
    """Broken by bytes past the promised size, at the target name or anywhere."""
    (stage.out / "small.bin").write_bytes(b"mine")
    stage.fault(DOWNLOAD, "extra-byte")
    if length:
        stage.fault(DOWNLOAD, length)
    with pytest.raises(SizeMismatch) as caught:
        stage.client().download("/small.bin", stage.out, exists="replace")
    assert caught.value.expected == 1000
    assert (stage.out / "small.bin").read_bytes() == b"mine"
    assert stage.count(DOWNLOAD) == 1, "another try would bring the same"


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 503", "reset-before"])
def test_f08_five_times(stage: Stage, effect: str) -> None:
    fault = stage.fault(DOWNLOAD, effect, times=5)
    result = stage.client().download("/a.bin", stage.out)
    assert (result.retries, fault.fired) == (5, 5)
    assert (stage.out / "a.bin").read_bytes() == DATA


def test_f08_six_times(stage: Stage) -> None:
    stage.fault(DOWNLOAD, "status 502 body=html", times=6)
    with pytest.raises(ServerError, match="502"):
        stage.client().download("/a.bin", stage.out)
    assert stage.left() == []


# -- ranges -------------------------------------------------------------------------------------------------


def test_f15_the_server_ignores_a_range(stage: Stage) -> None:
    """Broken by a whole file that is written behind its own beginning."""
    stage.fault(DOWNLOAD, "truncate 256K")
    stage.fault(DOWNLOAD, "ignore-range")
    seen: List[Any] = []
    result = stage.client().download("/a.bin", stage.out, progress=seen.append)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)
    steps = [event.done for event in seen]
    back = [(before, after) for before, after in zip(steps, steps[1:]) if after < before]
    assert back == [(256 * 1024, 0)], "progress goes back to the start, once"
    assert max(steps) == steps[-1] == len(DATA)


def test_f15_the_server_knows_no_ranges(stage: Stage) -> None:
    stage.site.configure(ranges=False)
    stage.fault(DOWNLOAD, "truncate 256K", times=3)
    result = stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert result.bytes == len(DATA)


def test_f15_parallel_ranges_of_a_large_file(stage: Stage) -> None:
    """More than one piece: the first answer without a range ends them all, and the file comes in one."""
    large = noise(33 * MIB)
    stage.site.write("/large.bin", large)
    stage.client().download("/large.bin", stage.out)
    assert (stage.out / "large.bin").read_bytes() == large
    assert stage.count(DOWNLOAD, 206) == 2
    stage.site.listener.forget()
    stage.site.configure(ranges=False)
    stage.client().download("/large.bin", stage.out / "again.bin")
    assert (stage.out / "again.bin").read_bytes() == large
    assert stage.count(DOWNLOAD, 206) == 0


@pytest.mark.parametrize("wrong", ["start", "total"])
def test_f16_a_wrong_content_range(stage: Stage, wrong: str) -> None:
    stage.fault(DOWNLOAD, "truncate 256K")
    stage.fault(DOWNLOAD, f"wrong-range {wrong}")
    with pytest.raises(RangeMismatch):
        stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin.part").read_bytes()[: 256 * 1024] == DATA[: 256 * 1024]
    assert "a.bin" not in stage.left()


# -- a file that changes ------------------------------------------------------------------------------------


def _later(stage: Stage) -> None:
    """Some seconds pass on the server."""
    stage.site.configure(clock_offset=stage.site.backend.site.clock_offset + 5)


@pytest.mark.parametrize("sort", ["same size", "longer", "shorter"])
def test_f17_the_file_changes_between_two_parts(stage: Stage, sort: str) -> None:
    """Broken by a file that is half of one state and half of another."""
    size = {"same size": len(DATA), "longer": len(DATA) + 5, "shorter": 2 * MIB}[sort]
    other = noise(size, seed=2)
    stage.fault(DOWNLOAD, "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            _later(stage)
            stage.site.write("/a.bin", other)

    with pytest.raises((SourceChanged, RangeMismatch, SizeMismatch)) as caught:
        stage.client().download("/a.bin", stage.out, progress=change)
    if sort == "same size":
        assert type(caught.value) is ERRORS.kind(SourceChanged)
    assert "a.bin" not in stage.left()
    stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin").read_bytes() == other


def test_f17_the_file_changes_between_two_runs(stage: Stage) -> None:
    """Broken by a rest of the old state that the next run builds upon."""
    other = noise(len(DATA), seed=2)
    stage.fault(DOWNLOAD, "truncate 1M")
    with pytest.raises(NetworkError):
        stage.client(retry=ONCE).download("/a.bin", stage.out)
    _later(stage)
    stage.site.write("/a.bin", other)
    result = stage.client().download("/a.bin", stage.out)
    assert result.resumed == 0
    assert (stage.out / "a.bin").read_bytes() == other


@pytest.mark.parametrize("runs", ["in a run", "between two"])
def test_f17_within_one_second(stage: Stage, runs: str) -> None:
    """Broken by an identity of path, length and time alone: times are told in whole seconds."""
    other = noise(len(DATA), seed=2)
    stage.fault(DOWNLOAD, "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            stage.site.write("/a.bin", other)

    with pytest.raises((NetworkError, SourceChanged)):
        policy = RetryPolicy(backoff=0, attempts=2 if runs == "in a run" else 1)
        stage.client(retry=policy).download("/a.bin", stage.out, progress=change)
    stage.site.write("/a.bin", other)
    try:
        stage.client().download("/a.bin", stage.out)
    except SourceChanged:
        assert "a.bin" not in stage.left()
        stage.client().download("/a.bin", stage.out)
    assert (stage.out / "a.bin").read_bytes() == other


def test_f17_the_file_is_gone(stage: Stage) -> None:
    stage.fault(DOWNLOAD, "truncate 1M")
    api = stage.client()

    def remove(event: Any) -> None:
        if event.state == "retrying":
            api.remove("/a.bin")

    with pytest.raises(NotFound, match="404"):
        api.download("/a.bin", stage.out, progress=remove)
    assert "a.bin" not in stage.left()


def test_f17_of_a_tree_one_file_changes(stage: Stage) -> None:
    stage.fault("GET /api/2/path/data/a.bin*", "truncate 1M")

    def change(event: Any) -> None:
        if event.state == "retrying":
            _later(stage)
            stage.site.write("/a.bin", noise(len(DATA), seed=2))

    with pytest.raises(BatchError, match="1 of 2 files failed") as caught:
        stage.client().download_tree("/", stage.out, progress=change)
    assert [type(error) for error in caught.value.errors] == [ERRORS.kind(SourceChanged)]
    assert (stage.out / "small.bin").read_bytes() == SMALL
    stage.client().download_tree("/", stage.out)
    assert (stage.out / "a.bin").read_bytes() == noise(len(DATA), seed=2)


def test_f13_a_bit_is_flipped(stage: Stage) -> None:
    """Once: it comes again, whole.  For good: an error, and nothing of it stays."""
    stage.fault(DOWNLOAD, "flip 5000")
    result = stage.client().download("/a.bin", stage.out, checksum="md5")
    assert (stage.out / "a.bin").read_bytes() == DATA
    assert result.verified == "md5"
    (stage.out / "a.bin").unlink()
    stage.fault(DOWNLOAD, "flip 5000", times=2)
    with pytest.raises(ChecksumMismatch):
        stage.client().download("/a.bin", stage.out, checksum="md5")
    assert stage.left() == []


# -- two at a time ------------------------------------------------------------------------------------------


def test_f25_two_downloads_to_one_target(stage: Stage) -> None:
    """Broken by two that write into one partial file."""
    held = stage.fault(DOWNLOAD, "stall", times=1)
    cancel = threading.Event()
    first = stage.client()
    failures: List[BaseException] = []

    def run() -> None:
        try:
            first.download("/a.bin", stage.out)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(20)
        with pytest.raises(InProgress):
            stage.client().download("/a.bin", stage.out, cancel=cancel)
        assert "a.bin" not in stage.left()
    finally:
        stage.server.clear_faults()
        thread.join(20)
    assert not thread.is_alive()
    assert failures == []
    assert (stage.out / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("way", ["up", "down"])
def test_f25_two_runs_of_one_tree(stage: Stage, way: str) -> None:
    """Broken by two journals of the same work."""
    tree = stage.directory / "tree"
    for number in range(3):
        stage.file(noise(1000 + number, number), f"tree/{number}.bin")
    held = stage.fault("POST /api/2/path/data/*" if way == "up" else DOWNLOAD, "stall", times=1)

    def move() -> None:
        if way == "up":
            stage.client().upload_tree(tree, "/tree")
        else:
            stage.client().download_tree("/", stage.out)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        assert held.wait(20)
        with pytest.raises(InProgress):
            move()
    finally:
        stage.server.clear_faults()
        thread.join(20)
    assert not thread.is_alive()
    if way == "up":
        assert {path: len(data) for path, data in stage.stored().items() if "tree" in path} == {
            f"/tree/{number}.bin": 1000 + number for number in range(3)
        }
    else:
        assert stage.left() == ["a.bin", "small.bin"]


def test_f04_into_memory(stage: Stage) -> None:
    sink = MemorySink()
    stage.fault(DOWNLOAD, "reset-after-sent 1M", times=2)
    stage.fault(INFO, "reset-before")
    stage.client().download("/a.bin", sink)
    assert sink.data == DATA
