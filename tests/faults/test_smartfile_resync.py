"""Synchronisation on a bad line, and with a server that answers nonsense: whatever happens, the bytes are right."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Dict, List

import pytest

from smartxfer.errors import ChecksumMismatch, NetworkError, SourceChanged
from smartxfer.smartfile import SyncClient
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import CHECKSUM, MIB, SmartFileHarness

SIGNATURE = "GET /api/2/path/sync/signature/*"
DELTA = "POST /api/2/path/sync/delta/*"
PATCH = "POST /api/2/path/sync/patch/*"

OLD = noise(2 * MIB)
NEW = OLD[: MIB // 2] + b"changed" + OLD[MIB // 2 :]


FRESH = partial(SmartFileHarness, files={"/a.bin": OLD})


def _up(harness: SmartFileHarness, **options: Any) -> Any:
    path = harness.file(NEW)
    result = SyncClient(harness.client(**options)).upload(path, "/a.bin")
    assert harness.stored() == {"/a.bin": NEW}
    assert path.read_bytes() == NEW
    assert result.verified == "sha256"
    return result


def _down(harness: SmartFileHarness, **options: Any) -> Any:
    """The server's file is the new one."""
    harness.site.write("/a.bin", NEW)
    path = harness.file(OLD)
    result = SyncClient(harness.client(**options)).download(path, "/a.bin")
    assert path.read_bytes() == NEW
    assert [left.name for left in harness.directory.iterdir() if left.name.startswith((".smartxfer", "a.bin"))] == ["a.bin"]
    assert result.verified == "sha256"
    return result


def _each(effects: Dict[str, List[str]]) -> Any:
    """Run a test with each effect at each request."""
    return pytest.mark.parametrize(("match", "effect"), [(match, one) for match in effects for one in effects[match]])


def test_without_faults(harness: SmartFileHarness) -> None:
    """Transfer a delta in each direction, for comparison with the other tests."""
    up, down = _up(harness), _down(harness)
    assert (up.method, down.method) == ("delta", "delta")
    assert max(up.bytes_sent, down.bytes_received) < 100_000


@pytest.mark.parametrize("style", ["503", "429"])
@pytest.mark.parametrize("match", [SIGNATURE, PATCH, DELTA, CHECKSUM])
def test_f09_throttled(harness: SmartFileHarness, match: str, style: str) -> None:
    """Fails if a delta or signature is sent again empty."""
    harness.throttle(2, 3, style, match)
    clock = FakeClock()
    result = (_down if match == DELTA else _up)(harness, clock=clock)
    assert result.method == "delta"
    assert clock.waits[:2] == [3.0, 3.0]


@_each(
    {
        SIGNATURE: ["reset-before", "truncate 1000", "reset-after-sent 1000"],
        DELTA: ["reset-before", "reset-after 1000", "truncate 100", "lose-answer"],
        CHECKSUM: ["lose-answer", "status 502"],
    }
)
def test_f02_what_may_be_repeated_is(harness: SmartFileHarness, match: str, effect: str) -> None:
    fault = harness.fault(match, effect, times=2)
    result = (_down if match == DELTA else _up)(harness)
    assert (result.method, fault.fired) == ("delta", 2)


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "reset-before", "reset-after 100"])
def test_f12_a_patch_goes_once(harness: SmartFileHarness, effect: str) -> None:
    """Fails if a patch is applied to the patched file; the checksum says whether it went in."""
    harness.fault(PATCH, effect)
    result = _up(harness)
    assert harness.count(PATCH) == 1
    assert result.method == ("delta" if effect == "lose-answer" else "plain")


NONSENSE = ["status 404", "status 200 body=html", "status 200 body=empty"]


@_each(
    {
        SIGNATURE: ["flip 0", "flip 6", "flip 9", "status 500", *NONSENSE],
        PATCH: ["status 400", "flip-in 200", "status 500"],
        DELTA: ["flip 0", "flip 4", "flip 30", "status 400", *NONSENSE],
    }
)
def test_f13_nonsense_ends_in_the_whole_file(harness: SmartFileHarness, log: Any, match: str, effect: str) -> None:
    """Detect a wrong file, a crash, or an error where the whole file would do."""
    # A patch is not made again.
    harness.fault(match, effect, times=6 if (match, effect) == (SIGNATURE, "status 500") else 1)
    result = (_down if match == DELTA else _up)(harness)
    assert result.method == "plain"
    assert any(record.levelno == logging.WARNING and "without a delta" in record.getMessage() for record in log.records)


@pytest.mark.parametrize("place", [20, 200, 1000, 5000])
def test_f13_a_flip_in_a_sum_of_a_signature(harness: SmartFileHarness, place: int) -> None:
    """A sum that fits nothing costs a block; nothing worse."""
    harness.fault(SIGNATURE, f"flip {place}")
    _up(harness)


def test_f17_the_file_there_changes_before_the_patch(harness: SmartFileHarness) -> None:
    """Fails if a patch is believed: it was made for another file."""

    def progress(event: Any) -> None:
        if event.name.endswith("(delta)") and event.state == "queued":
            harness.site.write("/a.bin", noise(len(OLD), seed=2))

    path = harness.file(NEW)
    result = SyncClient(harness.client()).upload(path, "/a.bin", progress=progress)
    assert (result.method, harness.stored()) == ("plain", {"/a.bin": NEW})


def test_f38_the_file_here_changes(harness: SmartFileHarness) -> None:
    """Detect a success for a file that never was."""
    path = harness.file(NEW)

    def progress(event: Any) -> None:
        if event.name.endswith("(delta)") and event.state == "done":
            path.write_bytes(b"x" * len(NEW))

    with pytest.raises((SourceChanged, ChecksumMismatch)):
        SyncClient(harness.client()).upload(path, "/a.bin", progress=progress)


def test_f13_a_server_that_spoils_everything(harness: SmartFileHarness) -> None:
    """No success, whatever it says; the local file stays as it was."""
    harness.site.write("/a.bin", NEW)
    path = harness.file(OLD)
    harness.fault(DELTA, "flip 40", times=None)
    harness.fault("GET /api/2/path/data/*", "flip 100", times=None)
    with pytest.raises(ChecksumMismatch):
        SyncClient(harness.client()).download(path, "/a.bin")
    assert path.read_bytes() == OLD


def test_f02_for_good(harness: SmartFileHarness) -> None:
    path = harness.file(OLD)
    harness.site.write("/a.bin", NEW)
    harness.fault("* /api/2/path/sync/*", "reset-before", times=None)
    with pytest.raises(NetworkError):
        SyncClient(harness.client()).download(path, "/a.bin")
    assert path.read_bytes() == OLD
