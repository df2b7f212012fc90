"""Downloads of files that change on the way, by parallel ranges, into memory, two at a time: F04, F05, F13, F15, F17, F25."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Dict, List

import pytest

from smartxfer import errors
from smartxfer.errors import ChecksumMismatch, NetworkError, RangeMismatch, SizeMismatch, SourceChanged
from smartxfer.smartfile.errors import ERRORS
from smartxfer.transfer import MemorySink
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.service_harness import on_retry
from tests.support.smartfile_harness import DOWNLOAD, INFO, MIB, SmartFileHarness

SMALL = noise(1000)
DATA = noise(3 * MIB)
ONCE = RetryPolicy(attempts=1)
FRESH = partial(SmartFileHarness, files={"/a.bin": DATA, "/small.bin": SMALL})


def test_f05_a_raw_answer_that_ends_early(harness: SmartFileHarness) -> None:
    """Detect a file-like answer whose end is believed."""
    harness.fault(DOWNLOAD, "truncate 400")
    with harness.client().get("/path/data", "/small.bin") as answer, pytest.raises(errors.Truncated):
        while answer.read(100):
            pass


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


# -- a file that changes ------------------------------------------------------------------------------------


def _replace(harness: SmartFileHarness, data: bytes) -> None:
    """Some seconds pass on the server, and it has another file."""
    harness.site.configure(clock_offset=harness.site.backend.site.clock_offset + 5)
    harness.site.write("/a.bin", data)


@pytest.mark.parametrize("sort", ["same size", "longer", "shorter"])
def test_f17_the_file_changes_between_two_parts(harness: SmartFileHarness, sort: str) -> None:
    """Fails if a file is half of one state and half of another."""
    size = {"same size": len(DATA), "longer": len(DATA) + 5, "shorter": 2 * MIB}[sort]
    other = noise(size, seed=2)
    harness.fault(DOWNLOAD, "truncate 1M")

    with pytest.raises((SourceChanged, RangeMismatch, SizeMismatch)) as caught:
        harness.client().download("/a.bin", harness.out, progress=on_retry(partial(_replace, harness, other)))
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
    _replace(harness, other)
    result = harness.client().download("/a.bin", harness.out)
    assert result.resumed == 0
    assert (harness.out / "a.bin").read_bytes() == other


@pytest.mark.parametrize("runs", ["in a run", "between two"])
def test_f17_within_one_second(harness: SmartFileHarness, runs: str) -> None:
    """Fails if path, length and time alone identify a file: times have a resolution of one second."""
    other = noise(len(DATA), seed=2)
    harness.fault(DOWNLOAD, "truncate 1M")

    change = on_retry(lambda: harness.site.write("/a.bin", other))
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
    with pytest.raises(errors.NotFound, match="404"):
        api.download("/a.bin", harness.out, progress=on_retry(lambda: api.remove("/a.bin")))
    assert "a.bin" not in harness.left()


def test_f17_of_a_tree_one_file_changes(harness: SmartFileHarness) -> None:
    harness.fault("GET /api/2/path/data/a.bin*", "truncate 1M")

    change = on_retry(lambda: _replace(harness, noise(len(DATA), seed=2)))
    with pytest.raises(errors.BatchError, match="1 of 2 files failed") as caught:
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

#: Transfers, each with the request that holds it up.
MOVES: Dict[str, Any] = {
    "a file down": (DOWNLOAD, lambda api, harness: api.download("/a.bin", harness.out)),
    "a tree down": (DOWNLOAD, lambda api, harness: api.download_tree("/", harness.out)),
    "a tree up": ("POST /api/2/path/data/*", lambda api, harness: api.upload_tree(harness.directory / "tree", "/tree")),
}


@pytest.mark.parametrize("move", MOVES)
def test_f25_the_same_transfer_twice_at_a_time(harness: SmartFileHarness, move: str) -> None:
    """Detect two that write into one partial file, or two journals of the same work."""
    match, call = MOVES[move]
    sent = {f"/tree/{number}.bin": noise(1000 + number, number) for number in range(3)}
    for path, data in sent.items():
        harness.file(data, path[1:])
    held = harness.fault(match, "stall", times=1)
    failures: List[BaseException] = []

    def run() -> None:
        try:
            call(harness.client(), harness)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(20)
        with pytest.raises(errors.AlreadyInProgress):
            call(harness.client(), harness)
        assert "a.bin" not in harness.left() or move != "a file down"
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert (thread.is_alive(), failures) == (False, [])
    here = {"/a.bin": DATA, "/small.bin": SMALL}
    assert harness.stored() == ({**here, **sent} if move == "a tree up" else here)
    assert harness.left() == {"a file down": ["a.bin"], "a tree down": ["a.bin", "small.bin"], "a tree up": []}[move]
    if move != "a tree up":
        assert (harness.out / "a.bin").read_bytes() == DATA


def test_f04_into_memory(harness: SmartFileHarness) -> None:
    sink = MemorySink()
    harness.fault(DOWNLOAD, "reset-after-sent 1M", times=2)
    harness.fault(INFO, "reset-before")
    harness.client().download("/a.bin", sink)
    assert sink.data == DATA
