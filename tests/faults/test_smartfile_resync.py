"""Synchronisation on a bad line, and with a server that answers nonsense: whatever happens, the bytes are right."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer.errors import ChecksumMismatch, NetworkError, SourceChanged
from smartxfer.smartfile import SyncClient
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import noise
from tests.support.smartfile_harness import CHECKSUM, MIB, Stage

SIGNATURE = "GET /api/2/path/sync/signature/*"
DELTA = "POST /api/2/path/sync/delta/*"
PATCH = "POST /api/2/path/sync/patch/*"

OLD = noise(2 * MIB)
NEW = OLD[: MIB // 2] + b"changed" + OLD[MIB // 2 :]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.site.write("/a.bin", OLD)
        yield stage


def _up(stage: Stage, **options: Any) -> Any:
    path = stage.file(NEW)
    result = SyncClient(stage.client(**options)).upload(path, "/a.bin")
    assert stage.stored() == {"/a.bin": NEW}
    assert path.read_bytes() == NEW
    assert result.verified == "sha256"
    return result


def _down(stage: Stage, **options: Any) -> Any:
    """The server's file is the new one."""
    stage.site.write("/a.bin", NEW)
    path = stage.file(OLD)
    result = SyncClient(stage.client(**options)).download(path, "/a.bin")
    assert path.read_bytes() == NEW
    assert sorted(left.name for left in stage.directory.iterdir() if left.name.startswith((".smartxfer", "a.bin"))) == [
        "a.bin"
    ]
    assert result.verified == "sha256"
    return result


def test_without_faults(stage: Stage) -> None:
    """What the others are compared with: a delta, each way."""
    up, down = _up(stage), _down(stage)
    assert (up.method, down.method) == ("delta", "delta")
    assert up.bytes_sent < 100_000
    assert down.bytes_received < 100_000


@pytest.mark.parametrize("style", ["503", "429"])
@pytest.mark.parametrize("match", [SIGNATURE, PATCH, DELTA, CHECKSUM])
def test_f09_throttled(stage: Stage, match: str, style: str) -> None:
    """Broken by a delta or signature that is sent again empty."""
    stage.throttle(2, 3, style, match)
    clock = FakeClock()
    result = (_down if match == DELTA else _up)(stage, clock=clock)
    assert result.method == "delta"
    assert clock.waits[:2] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("match", "effect"),
    [
        (SIGNATURE, "reset-before"),
        (SIGNATURE, "truncate 1000"),
        (SIGNATURE, "reset-after-sent 1000"),
        (DELTA, "reset-before"),
        (DELTA, "reset-after 1000"),
        (DELTA, "truncate 100"),
        (DELTA, "lose-answer"),
        (CHECKSUM, "lose-answer"),
        (CHECKSUM, "status 502"),
    ],
)
def test_f02_what_may_be_repeated_is(stage: Stage, match: str, effect: str) -> None:
    fault = stage.fault(match, effect, times=2)
    result = (_down if match == DELTA else _up)(stage)
    assert (result.method, fault.fired) == ("delta", 2)


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "reset-before", "reset-after 100"])
def test_f12_a_patch_goes_once(stage: Stage, effect: str) -> None:
    """Broken by a patch that is applied to the patched file; the checksum says whether it went in."""
    stage.fault(PATCH, effect)
    result = _up(stage)
    assert stage.count(PATCH) == 1
    assert result.method == ("delta" if effect == "lose-answer" else "plain")


@pytest.mark.parametrize(
    ("match", "effect"),
    [
        (SIGNATURE, "flip 0"),
        (SIGNATURE, "flip 6"),
        (SIGNATURE, "flip 9"),
        (SIGNATURE, "status 404"),
        (SIGNATURE, "status 500"),
        (SIGNATURE, "status 200 body=html"),
        (SIGNATURE, "status 200 body=empty"),
        (PATCH, "status 400"),
        (PATCH, "flip-in 200"),
        (PATCH, "status 500"),
        (DELTA, "flip 0"),
        (DELTA, "flip 4"),
        (DELTA, "flip 30"),
        (DELTA, "status 400"),
        (DELTA, "status 404"),
        (DELTA, "status 200 body=html"),
        (DELTA, "status 200 body=empty"),
    ],
)
def test_f13_nonsense_ends_in_the_whole_file(stage: Stage, log: Any, match: str, effect: str) -> None:
    """Broken by a wrong file, by a crash, or by an error where the whole file would do."""
    # A patch is not made again.
    stage.fault(match, effect, times=6 if (match, effect) == (SIGNATURE, "status 500") else 1)
    result = (_down if match == DELTA else _up)(stage)
    assert result.method == "plain"
    assert any(record.levelno == logging.WARNING and "moved whole" in record.getMessage() for record in log.records)


@pytest.mark.parametrize("place", [20, 200, 1000, 5000])
def test_f13_a_flip_in_a_sum_of_a_signature(stage: Stage, place: int) -> None:
    """A sum that fits nothing costs a block; nothing worse."""
    stage.fault(SIGNATURE, f"flip {place}")
    _up(stage)


def test_f17_the_file_there_changes_before_the_patch(stage: Stage) -> None:
    """Broken by a patch that is believed: it was made for another file."""

    def progress(event: Any) -> None:
        if event.name.endswith("(delta)") and event.state == "queued":
            stage.site.write("/a.bin", noise(len(OLD), seed=2))

    path = stage.file(NEW)
    result = SyncClient(stage.client()).upload(path, "/a.bin", progress=progress)
    assert (result.method, stage.stored()) == ("plain", {"/a.bin": NEW})


def test_f38_the_file_here_changes(stage: Stage) -> None:
    """Broken by a success for a file that never was."""
    path = stage.file(NEW)

    def progress(event: Any) -> None:
        if event.name.endswith("(delta)") and event.state == "done":
            path.write_bytes(b"x" * len(NEW))

    with pytest.raises((SourceChanged, ChecksumMismatch)):
        SyncClient(stage.client()).upload(path, "/a.bin", progress=progress)


def test_f13_a_server_that_spoils_everything(stage: Stage) -> None:
    """No success, whatever it says; the local file stays as it was."""
    stage.site.write("/a.bin", NEW)
    path = stage.file(OLD)
    stage.fault(DELTA, "flip 40", times=None)
    stage.fault("GET /api/2/path/data/*", "flip 100", times=None)
    with pytest.raises(ChecksumMismatch):
        SyncClient(stage.client()).download(path, "/a.bin")
    assert path.read_bytes() == OLD


def test_f02_for_good(stage: Stage) -> None:
    path = stage.file(OLD)
    stage.site.write("/a.bin", NEW)
    stage.fault("* /api/2/path/sync/*", "reset-before", times=None)
    with pytest.raises(NetworkError):
        SyncClient(stage.client()).download(path, "/a.bin")
    assert path.read_bytes() == OLD
