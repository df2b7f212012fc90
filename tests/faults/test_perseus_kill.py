"""Ctrl-C and kill -9 in the middle of an upload, and what a large file costs: F22, F23, F45."""

from __future__ import annotations

import hashlib
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
from tests.support.perseus_harness import CREATE, MIB, PUT, PerseusHarness, again
from tests.support.process_signals import seconds_to_end

pytestmark = pytest.mark.slow

SIZE = 24 * MIB
FILES = 16
#: Files at a time, where the client is not told otherwise.
WORKERS = 4

#: What users write; the exit code is that of an interrupted program.
_PROGRAM = """
import sys
from smartxfer.errors import StuckPending
from smartxfer.perseus import PerseusClient
repair, *paths = sys.argv[1:]
with PerseusClient(timeout=60) as client:
    try:
        files = client.file.upload_many(paths, repair=repair == "repair", grace=0.0)
        print(sum(file.reused for file in files))
    except StuckPending:
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
"""

Process = Any


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PerseusHarness]:
    with PerseusHarness(tmp_path_factory.mktemp("server")) as harness:
        yield harness


@pytest.fixture
def harness(server: PerseusHarness, tmp_path: Path) -> Iterator[PerseusHarness]:
    with again(server, tmp_path) as harness:
        yield harness


@pytest.fixture
def program(harness: PerseusHarness) -> Iterator[Callable[..., Process]]:
    """``program(repair, *paths)``: a client at work in a process of its own."""
    running: List[Process] = []

    def start(repair: str, *paths: Path) -> Process:
        command = [sys.executable, "-c", _PROGRAM, repair, *map(str, paths)]
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


def _interrupt(process: Process) -> None:
    seconds = seconds_to_end(process, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert seconds < 2


def _kill(process: Process) -> None:
    process.kill()
    process.communicate(timeout=20)


_ENDS = pytest.mark.parametrize("end", [_interrupt, _kill], ids=["SIGINT", "SIGKILL"])


def _quiet(harness: PerseusHarness) -> None:
    """Nothing slows the server any more, and nothing of the ended client is under way."""
    harness.server.clear_faults()
    until(lambda: not any(listener._open for listener in harness.listeners()), "the end of the connections")


@_ENDS
@pytest.mark.parametrize("effect", ["stall", "stall-after 1", "stall-after 10M"])
def test_f23_in_the_middle_of_it(harness: PerseusHarness, program: Callable[..., Process], end: Any, effect: str) -> None:
    """F22, F23: broken by a record of our own that a re-run takes for somebody else's, and waits for."""
    path = harness.file(noise(SIZE))
    held = harness.fault(PUT, effect)
    process = program("", path)
    assert held.wait(20)
    end(process)
    _quiet(harness)
    assert "uploaded" not in harness.statuses()
    assert _finish(program("", path)) == 0
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert (len(harness.site.records()), harness.count(PUT, 200)) == (1, 1)


@_ENDS
def test_f23_beside_the_answer(harness: PerseusHarness, program: Callable[..., Process], end: Any) -> None:
    """The bytes had arrived: broken by a second PUT, or by the deletion of what is complete."""
    path = harness.file(noise(SIZE))
    held = harness.fault(PUT, "no-answer")
    process = program("", path)
    assert held.wait(20)
    end(process)
    _quiet(harness)
    sent = harness.count(PUT)
    _finish(program("", path))
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert harness.statuses() == ["uploaded"]
    if end is _kill:
        assert harness.count(PUT) == sent == 1


@_ENDS
def test_f23_beside_the_record(harness: PerseusHarness, program: Callable[..., Process], end: Any) -> None:
    """Nobody was told of the record: it may be somebody else's, so that only ``repair`` deletes it."""
    path = harness.file(noise(MIB))
    held = harness.fault(CREATE, "no-answer")
    process = program("", path)
    assert held.wait(20)
    end(process)
    _quiet(harness)
    assert (harness.statuses(), harness.count(PUT)) == (["pending"], 0)
    process = program("", path)
    process.communicate(timeout=60)
    assert process.returncode == 3, "stuck, and it is said"
    _finish(program("repair", path))
    assert (harness.held(), harness.statuses()) == ({"a.bin": path.read_bytes()}, ["uploaded"])


@_ENDS
def test_f23_many_files(harness: PerseusHarness, program: Callable[..., Process], end: Any) -> None:
    """F22, F23: broken by a re-run that sends again what had arrived, or by one half that is called whole."""
    paths = [harness.file(noise(MIB, number), f"{number:02}.bin") for number in range(FILES)]
    # Once every worker is held up in a PUT no record is being made, of which nobody would be told.
    held = harness.fault(PUT, "stall", times=None, after=FILES // 3)
    process = program("", *paths)
    until(lambda: held.fired >= WORKERS, "the point")
    end(process)
    _quiet(harness)
    arrived = harness.held()
    assert {len(data) for data in arrived.values()} == {MIB}
    assert len(arrived) == FILES // 3
    harness.forget()
    assert _finish(program("", *paths)) == len(arrived)
    assert harness.count(PUT) == FILES - len(arrived), "only what was missing"
    assert harness.held() == {path.name: path.read_bytes() for path in paths}
    assert set(harness.statuses()) == {"uploaded"}


def test_f23_random_points(harness: PerseusHarness, program: Callable[..., Process]) -> None:
    """A record is uploaded and right, or not uploaded, wherever the end came."""
    path = harness.file(noise(SIZE))
    chance = random.Random(23)
    for _ in range(amount(2, 4)):
        held = harness.fault(PUT, f"stall-after {chance.randrange(1, SIZE)}")
        process = program("", path)
        assert held.wait(20)
        _kill(process)
        _quiet(harness)
        assert harness.statuses() == ["pending"]
    _finish(program("", path))
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert len(harness.site.records()) == 1


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while files went up.
_MEASURE = """
import re, sys
from pathlib import Path
from smartxfer.perseus import PerseusClient

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

with PerseusClient(max_workers=8, timeout=120) as client:
    client.file.upload_file(("small", b"small"))
    before = peak()
    client.file.upload_many(sys.argv[1:])
    print(peak() - before)
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("count", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(harness: PerseusHarness, count: int) -> None:
    """Fails if a file is held in memory as a whole."""
    paths = []
    for number in range(count):
        paths.append(harness.directory / f"large{number}.bin")
        with open(paths[-1], "wb") as file:
            file.write(b"start %d" % number)
            file.truncate(amount(48 * MIB, 256 * MIB) // count)
            file.seek(-3, os.SEEK_END)
            file.write(b"end")
    command = [sys.executable, "-c", _MEASURE, *map(str, paths)]
    environment = {**os.environ, **harness.site.env}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, timeout=240)
    assert int(done.stdout) <= (count * MIB + 16 * MIB) // 1024, "KiB while sending"
    uploaded = [record for record in harness.site.records() if record["name"] != "small"]
    assert [record["status"] for record in uploaded] == ["uploaded"] * count
    # The server compares too, by bytes that it counted itself: the digest of what arrived.
    assert {record["sourceHash"] for record in uploaded} == {_digest(path) for path in paths}


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(8 * MIB), b""):
            found.update(block)
    return found.hexdigest()
