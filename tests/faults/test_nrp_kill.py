"""Ctrl-C and kill -9 in the middle of an upload, and what a large file costs: F22, F23, F45."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from tests.support.amounts import amount
from tests.support.filesender_harness import noise, until
from tests.support.nrp_harness import COMMIT, CONTENT, MIB, PART, NRPHarness
from tests.support.process_signals import seconds_to_end

pytestmark = pytest.mark.slow

STEP = 5 * MIB
SIZE = 8 * STEP
FILES = 24

#: What users write; the exit code is that of an interrupted program.
_PROGRAM = """
import sys
from smartxfer.nrp import get_client
way, record, *rest = sys.argv[1:]
api = get_client(timeout=60)
try:
    if way == "many":
        files = api.files.upload_many(record, rest)
        print(sum(file.result.resumed > 0 for file in files))
    else:
        options = {"part_size": 5 << 20} if way == "M" else {}
        print(api.files.upload(record, "a.bin", {"title": "t"}, rest[0], way, **options).result.resumed)
except KeyboardInterrupt:
    sys.exit(130)
"""

Process = Any


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[NRPHarness]:
    with NRPHarness(tmp_path) as harness:
        yield harness


@pytest.fixture
def program(harness: NRPHarness) -> Iterator[Callable[..., Process]]:
    """``program(way, record, *paths)``: a client at work in a process of its own."""
    running: List[Process] = []

    def start(*words: Any) -> Process:
        command = [sys.executable, "-c", _PROGRAM, *map(str, words)]
        environment: Dict[str, str] = {**os.environ, **harness.site.env}
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def _finish(process: Process) -> int:
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return int(printed)


def _reached(condition: Callable[[], bool], process: Process) -> None:
    """Wait until the server's account says so; the process must still be at work then."""

    def met() -> bool:
        assert process.poll() is None, f"the transfer was over before it could be interrupted: {process.stderr.read()}"
        return condition()

    until(met, "the point")


def _interrupt(process: Process) -> None:
    seconds = seconds_to_end(process, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert seconds < 2


def _kill(process: Process) -> None:
    process.kill()
    process.communicate(timeout=20)


_ENDS = pytest.mark.parametrize("end", [_interrupt, _kill], ids=["SIGINT", "SIGKILL"])


def _quiet(harness: NRPHarness) -> None:
    """Nothing slows the server any more, and nothing of the ended client is under way."""
    harness.server.clear_faults()
    until(lambda: not harness.site.listener._open, "the end of the connections")


@_ENDS
def test_f23_one_piece(harness: NRPHarness, program: Callable[..., Process], end: Any) -> None:
    """F22, F23: broken by half a file that is complete; the whole of it goes again."""
    record = harness.site.create()
    path = harness.file(noise(SIZE))
    held = harness.fault(CONTENT, "stall-after 10M")
    process = program("L", record, path)
    assert held.wait(20)
    end(process)
    _quiet(harness)
    assert (harness.site.files(record), harness.count(COMMIT)) == ({}, 0)
    assert _finish(program("L", record, path)) == 0
    assert harness.site.read(record, "a.bin") == path.read_bytes()
    assert harness.count(CONTENT, 200) == 1


def _noted() -> bool:
    """Whether a journal on the disk has a part: it is written now and then only."""
    journals = Path(os.environ["SMARTXFER_STATE_DIR"], "journals").glob("*.json")
    return any(json.loads(path.read_text("utf-8"))["state"].get("parts") for path in journals)


@_ENDS
def test_f23_parts(harness: NRPHarness, program: Callable[..., Process], end: Any) -> None:
    """F22, F23: broken by parts that are sent again, or by a commit without those that were under way."""
    record = harness.site.create()
    path = harness.file(noise(SIZE))
    rate = harness.fault(PART, "rate 5M", times=None)
    process = program("M", record, path)
    _reached(lambda: harness.count(PART, 200) >= 3 and _noted(), process)
    end(process)
    assert rate.fired
    _quiet(harness)
    arrived = harness.count(PART, 200)
    assert 3 <= arrived < 8
    assert (harness.site.files(record), harness.count(COMMIT)) == ({}, 0)
    harness.forget()
    resumed = _finish(program("M", record, path)) // STEP
    # Of an interrupted run all is written down but what was under way; of a killed one what was, a moment before.
    assert (arrived - 4 if end is _interrupt else 1) <= resumed <= arrived
    assert harness.count(PART) == 8 - resumed, "only what was missing"
    assert harness.site.read(record, "a.bin") == path.read_bytes()


@_ENDS
def test_f23_many_files(harness: NRPHarness, program: Callable[..., Process], end: Any) -> None:
    """F22, F23: broken by a re-run that sends again what had arrived."""
    record = harness.site.create()
    paths = [harness.file(noise(MIB, number), f"{number:02}.bin") for number in range(FILES)]
    rate = harness.fault(CONTENT, "rate 8M", times=None)
    process = program("many", record, *paths)
    _reached(lambda: harness.count(COMMIT, 200) >= FILES // 3, process)
    end(process)
    assert rate.fired
    _quiet(harness)
    arrived = harness.site.files(record)
    assert set(arrived.values()) == {MIB}, "no half files"
    assert len(arrived) < FILES
    harness.forget()
    assert _finish(program("many", record, *paths)) == len(arrived)
    assert harness.count(CONTENT) == FILES - len(arrived)
    for path in paths:
        assert harness.site.read(record, path.name) == path.read_bytes()


@pytest.mark.parametrize("way", ["L", "M"])
def test_f23_random_points(harness: NRPHarness, program: Callable[..., Process], way: str) -> None:
    """A file is complete and right, or not complete, wherever the end came."""
    record = harness.site.create()
    path = harness.file(noise(4 * STEP))
    chance = random.Random(23)
    match = CONTENT if way == "L" else PART
    kills = 0
    for _ in range(amount(2, 4)):
        point = chance.randrange(1, 4 * STEP if way == "L" else STEP)
        held = harness.fault(match, f"stall-after {point}", after=0 if way == "L" else chance.randrange(0, 2))
        process = program(way, record, path)
        until(lambda held=held, process=process: held.fired or process.poll() is not None)  # type: ignore[misc]
        _kill(process)
        if not held.fired:
            break  # less was missing than that: it went through
        kills += 1
        _quiet(harness)
        assert harness.site.files(record) == {}
    assert kills
    harness.server.clear_faults()
    _finish(program(way, record, path))
    assert harness.site.read(record, "a.bin") == path.read_bytes()


@pytest.mark.parametrize("match", [CONTENT, COMMIT], ids=["content", "commit"])
def test_f23_killed_beside_the_commit(harness: NRPHarness, program: Callable[..., Process], match: str) -> None:
    """The last word was said, or about to be: broken by a second PUT, which deletes what is complete."""
    record = harness.site.create()
    path = harness.file(noise(MIB))
    held = harness.fault(match, "no-answer")
    process = program("L", record, path)
    assert held.wait(20)
    _kill(process)
    _quiet(harness)
    _finish(program("L", record, path))
    assert harness.site.read(record, "a.bin") == path.read_bytes()
    assert harness.count(CONTENT) == (2 if match == CONTENT else 1)


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file went up.
_MEASURE = """
import re, sys
from pathlib import Path
from smartxfer.nrp import get_client
way, record, path, threads = sys.argv[1:]

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

api = get_client(max_workers=int(threads), timeout=120)
api.files.upload(record, "small" + way + threads, None, b"small")
before = peak()
api.files.upload(record, "large.bin", None, path, way, replace=True)
print(peak() - before)
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(("way", "threads"), [("L", 1), ("M", 1), ("M", 8)])
def test_f45_memory_does_not_grow_with_the_file(harness: NRPHarness, way: str, threads: int) -> None:
    """Detect a part, or a file, that is held in memory as a whole."""
    record = harness.site.create()
    large = harness.directory / "large.bin"
    with open(large, "wb") as file:
        file.write(b"start")
        file.truncate(amount(48 * MIB, 256 * MIB))
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    command = [sys.executable, "-c", _MEASURE, way, record, str(large), str(threads)]
    environment = {**os.environ, **harness.site.env}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, timeout=240)
    assert int(done.stdout) <= (threads * MIB + 16 * MIB) // 1024, "KiB while sending"
    assert _digest(harness.site.stored_path(record, "large.bin")) == _digest(large)


def _digest(path: Any) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(8 * MIB), b""):
            found.update(block)
    return found.hexdigest()
