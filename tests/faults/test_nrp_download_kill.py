"""Ctrl-C and kill -9 in the middle of a download, and what a large file costs: F22 to F24, F45."""

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
from tests.support.nrp_harness import MIB, Served
from tests.support.process_signals import seconds_to_end

pytestmark = pytest.mark.slow

SIZE = 24 * MIB
FILES = 24
#: A file that makes the memory's growth seen, were it held.
LARGE = amount(48 * MIB, 256 * MIB)

#: What users write; the exit code is that of an interrupted program.
_PROGRAM = """
import sys
from smartxfer.nrp import get_client
record, where = sys.argv[1:]
api = get_client(timeout=60)
try:
    results = api.files.download_many(record, where)
    print(sum(one.resumed for one in results) if len(results) == 1 else sum(one.resumed > 0 for one in results))
except KeyboardInterrupt:
    sys.exit(130)
"""

Process = Any


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, "proxy") as harness:
        yield harness


@pytest.fixture(params=["local", "s3"])
def harness(request: Any, tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, request.param) as harness:
        yield harness


class Programs:
    """Clients at work in processes of their own."""

    def __init__(self) -> None:
        self.running: List[Process] = []

    def start(self, harness: Served, *words: Any, program: str = _PROGRAM) -> Process:
        environment: Dict[str, str] = {**os.environ, **harness.site.env}
        command = [sys.executable, "-c", program, *map(str, words)]
        pipe = subprocess.PIPE
        self.running.append(subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True))
        return self.running[-1]


@pytest.fixture
def programs() -> Iterator[Programs]:
    made = Programs()
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def _finish(process: Process) -> int:
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return int(printed)


def _reached(condition: Callable[[], bool], process: Process) -> None:
    """Wait until what is on disk, or in the server's account, says so; the process must still be at work then."""

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


def _has(part: Path, size: int) -> bool:
    return part.exists() and part.stat().st_blocks * 512 >= size


@_ENDS
def test_f23_a_download(harness: Served, programs: Programs, end: Any) -> None:
    """F22, F23: broken by half a file at the final name, or by a re-run that begins anew though ranges are known."""
    data = noise(SIZE)
    record = harness.record(data, published=True)
    harness.fault(harness.bytes, "rate 20M", times=None)
    process = programs.start(harness, record, harness.out)
    _reached(lambda: _has(harness.out / "a.bin.part", SIZE // 3), process)
    end(process)
    harness.server.clear_faults()
    assert "a.bin" not in harness.left()
    resumed = _finish(programs.start(harness, record, harness.out))
    if not harness.ranges:
        assert resumed == 0
    elif end is _interrupt:
        assert resumed >= SIZE / 3 - 4 * MIB
    assert harness.left() == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == data


@_ENDS
def test_f23_many_files(harness: Served, programs: Programs, end: Any) -> None:
    """F22, F23: broken by a re-run that fetches again what has arrived, or takes half a file for one."""
    files = {f"{number:02}.bin": noise(MIB, number) for number in range(FILES)}
    record = harness.site.create(files=files, published=True)
    harness.fault(harness.bytes, "rate 8M", times=None)
    process = programs.start(harness, record, harness.out)
    _reached(lambda: sum(not name.endswith((".part", ".json", ".tmp")) for name in harness.left()) >= FILES // 3, process)
    end(process)
    harness.server.clear_faults()
    arrived = [name for name in harness.left() if not name.endswith((".part", ".json", ".tmp"))]
    assert len(arrived) < FILES
    assert all((harness.out / name).read_bytes() == files[name] for name in arrived)
    until(lambda: not any(listener._open for listener in harness.listeners()), "the end of the connections")
    harness.forget()
    noted = _finish(programs.start(harness, record, harness.out))
    assert noted >= (len(arrived) - 8 if end is _interrupt else 1)
    assert {name: (harness.out / name).read_bytes() for name in harness.left()} == files
    assert harness.count("GET *.bin/content", 302 if harness.storage == "s3" else 200) < FILES


def test_f23_random_points(proxied: Served, programs: Programs) -> None:
    """A full name never stands over a wrong file, wherever the end came."""
    data = noise(SIZE)
    record = proxied.record(data, published=True)
    chance = random.Random(23)
    proxied.fault(proxied.bytes, "rate 60M", times=None)
    for number in range(amount(1, 3)):
        into = proxied.out / str(number)
        into.mkdir()
        process = programs.start(proxied, record, into)
        point = chance.randrange(0, SIZE - 12 * MIB)
        _reached(lambda into=into, point=point: _has(into / "a.bin.part", point), process)  # type: ignore[misc]
        _kill(process)
        assert not (into / "a.bin").exists() or (into / "a.bin").read_bytes() == data
        _finish(programs.start(proxied, record, into))
        assert [path.name for path in into.iterdir()] == ["a.bin"]
        assert (into / "a.bin").read_bytes() == data
        (into / "a.bin").unlink()


def test_f24_the_tail_of_the_rest_was_lost(proxied: Served, programs: Programs) -> None:
    """A crash of the machine: the side file says more than is on disk."""
    data = noise(SIZE)
    record = proxied.record(data, published=True)
    proxied.fault(proxied.bytes, "rate 20M", times=None)
    process = programs.start(proxied, record, proxied.out)
    part = proxied.out / "a.bin.part"
    _reached(lambda: _has(part, SIZE // 3), process)
    _interrupt(process)
    proxied.server.clear_faults()
    with part.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(bytes(SIZE - 2 * MIB))
    resumed = _finish(programs.start(proxied, record, proxied.out))
    assert resumed <= 2 * MIB
    assert (proxied.out / "a.bin").read_bytes() == data


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file came down.
_MEASURE = """
import re, sys
from pathlib import Path
from smartxfer.nrp import get_client
small, large, where, threads = sys.argv[1:]

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

api = get_client(max_workers=int(threads), timeout=120)
api.files.download_many(small, where)
before = peak()
api.files.download_many(large, where)
print(peak() - before)
"""


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("threads", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(proxied: Served, programs: Programs, threads: int) -> None:
    """Detect a body that is held, or pieces that wait for each other in memory."""
    large = proxied.directory / "large.src"
    with open(large, "wb") as file:
        file.write(b"start")
        file.truncate(LARGE)
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    record = proxied.site.create()
    proxied.client(timeout=60).files.upload(record, "large.bin", None, large)
    grown = _finish(programs.start(proxied, proxied.small, record, proxied.out, threads, program=_MEASURE))
    assert grown <= (threads * MIB + 16 * MIB) // 1024, "KiB while fetching"
    assert proxied.count(proxied.bytes, 206) >= LARGE // (16 * MIB), "by ranges, several at a time"
    assert _digest(proxied.out / "large.bin") == _digest(large)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(8 * MIB), b""):
            found.update(block)
    return found.hexdigest()
