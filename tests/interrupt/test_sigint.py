"""Ctrl-C in the middle: gone within 2 s, and a re-run goes on: F22."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from stage import CHUNK, DOWNLOAD, digest, noise, until

pytestmark = pytest.mark.slow

MIB = 1 << 20
SIZE = 64 * MIB
WORKERS = 4
#: Bytes a second: all of it would take some 4 s.
RATE = "rate 16M"


def _interrupt(process: Any) -> None:
    """Send the signal, and have the process end in time and as it should."""
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - sent < 2.0
    assert process.returncode == 130, said
    assert "Traceback" not in said


def _acknowledged(stage: Any) -> int:
    """Bytes of chunks that the server said to have written."""
    return sum(
        record.received
        for record in stage.site.account
        if record.seen.method == "PUT" and "/chunk/" in record.seen.path and record.seen.status == 200
    )


@pytest.mark.parametrize("chunk", [MIB, 5 * MIB], ids=["1M", "5M"])
def test_f22_an_upload(throttled: Any, process: Any, home: Path, chunk: int) -> None:
    stage = throttled(chunk)
    data = noise(SIZE)
    path = stage.file(data)
    fault = stage.fault(CHUNK, RATE, times=None)
    running = process(stage, "up", path, WORKERS)
    until(lambda: _acknowledged(stage) >= SIZE // 3, "a third")
    _interrupt(running)
    assert fault.fired
    acknowledged = _acknowledged(stage)
    assert SIZE // 3 <= acknowledged < SIZE
    [journal] = (home / "state/journals").glob("*.json")
    assert json.loads(journal.read_text("utf-8"))["version"] == 1
    assert not list((home / "state/journals").glob("*.tmp"))
    stage.server.clear_faults()
    stage.site.listener.forget()
    again = process(stage, "up", path, WORKERS)
    assert again.wait(60) == 0
    assert _acknowledged(stage) <= SIZE - acknowledged + WORKERS * chunk
    assert len(stage.site.transfers()) == 1
    assert stage.status == "available"
    assert digest(stage.stored()["a.bin"]) == digest(data)
    assert list((home / "state/journals").iterdir()) == []


def _written(stage: Any) -> int:
    """Bytes that the side file accounts for."""
    try:
        side = json.loads((stage.out / "a.bin.part.json").read_text("utf-8"))
    except FileNotFoundError:
        return 0
    return sum(stop - start for start, stop, _ in side["runs"])


def test_f22_a_download(throttled: Any, process: Any) -> None:
    stage = throttled(5 * MIB)
    data = noise(SIZE)
    token = stage.published(data).token
    fault = stage.fault(DOWNLOAD, RATE, times=None)
    running = process(stage, "down", token, WORKERS)
    until(lambda: _written(stage) >= SIZE // 3, "a third")
    _interrupt(running)
    assert fault.fired
    acknowledged = _written(stage)
    assert SIZE // 3 <= acknowledged < SIZE
    assert not (stage.out / "a.bin").exists()
    stage.server.clear_faults()
    stage.site.listener.forget()
    again = process(stage, "down", token, WORKERS)
    assert again.wait(60) == 0
    assert digest((stage.out / "a.bin").read_bytes()) == digest(data)
    assert [found.name for found in stage.out.iterdir()] == ["a.bin"]
    stage.server.stop()  # its account is complete now
    assert sum(stage.sent(DOWNLOAD)) <= SIZE - acknowledged + WORKERS * 5 * MIB


@pytest.mark.parametrize("way", ["up", "down"])
def test_f22_nothing_moves(throttled: Any, process: Any, way: str) -> None:
    """Also where every connection hangs."""
    stage = throttled(MIB)
    data = noise(8 * MIB)
    what = stage.file(data) if way == "up" else stage.published(data).token
    fault = stage.fault(CHUNK if way == "up" else DOWNLOAD, "stall", times=None)
    running = process(stage, way, what, WORKERS)
    assert fault.wait(20)
    _interrupt(running)


@pytest.mark.parametrize("effect", ["stall", "drip 1/0.5"])
def test_f22_before_it_begins(throttled: Any, process: Any, effect: str) -> None:
    stage = throttled(MIB)
    fault = stage.fault("GET /rest.php/info", effect, times=None)
    running = process(stage, "up", stage.file(b"x"), WORKERS)
    assert fault.wait(20)
    _interrupt(running)


def test_f22_while_it_waits_to_try_again(throttled: Any, process: Any) -> None:
    stage = throttled(MIB)
    fault = stage.fault(CHUNK, "status 503 retry-after=60", times=None)
    running = process(stage, "up", stage.file(noise(MIB)), WORKERS)
    assert fault.wait(20)
    until(lambda: stage.site.count(CHUNK, status=503), "the answer")
    _interrupt(running)
