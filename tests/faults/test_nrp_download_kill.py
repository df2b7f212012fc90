"""Ctrl-C and kill -9 in the middle of a download, and what a large file costs: F22 to F24, F45."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.amounts import amount
from tests.support.client_program import (
    ENDS,
    PEAK,
    ClientProgram,
    digest_of,
    finish,
    interrupt,
    kill,
    large_file,
    needs_proc,
    reached,
    written,
)
from tests.support.filesender_harness import noise, until
from tests.support.nrp_harness import MIB, Served

pytestmark = pytest.mark.slow

SIZE = 24 * MIB
FILES = 24
#: A file that makes the memory's growth seen, were it held.
LARGE = amount(48 * MIB, 256 * MIB)

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
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

STORAGES = ["local", "s3"]


@ENDS
def test_f23_a_download(harness: Served, program: ClientProgram, end: Any) -> None:
    """F22, F23: fails if half a file has the final name, or if a re-run starts again although ranges are known."""
    data = noise(SIZE)
    record = harness.record(data, published=True)
    harness.fault(harness.bytes, "rate 20M", times=None)
    process = program(record, harness.out)
    reached(lambda: written(harness.out / "a.bin.part", SIZE // 3), process)
    end(process)
    harness.server.clear_faults()
    assert "a.bin" not in harness.left()
    resumed = finish(program(record, harness.out))
    if not harness.ranges:
        assert resumed == 0
    elif end is interrupt:
        assert resumed >= SIZE / 3 - 4 * MIB
    assert harness.left() == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == data


@ENDS
def test_f23_many_files(harness: Served, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by a re-run that fetches again what has arrived, or takes half a file for one."""
    files = {f"{number:02}.bin": noise(MIB, number) for number in range(FILES)}
    record = harness.site.create(files=files, published=True)
    harness.fault(harness.bytes, "rate 8M", times=None)
    process = program(record, harness.out)
    reached(lambda: sum(not name.endswith((".part", ".json", ".tmp")) for name in harness.left()) >= FILES // 3, process)
    end(process)
    harness.server.clear_faults()
    arrived = [name for name in harness.left() if not name.endswith((".part", ".json", ".tmp"))]
    assert len(arrived) < FILES
    assert all((harness.out / name).read_bytes() == files[name] for name in arrived)
    until(lambda: not any(listener.connections for listener in harness.listeners()), "the end of the connections")
    harness.forget()
    noted = finish(program(record, harness.out))
    assert noted >= (len(arrived) - 8 if end is interrupt else 1)
    assert {name: (harness.out / name).read_bytes() for name in harness.left()} == files
    assert harness.count("GET *.bin/content", 302 if harness.storage == "s3" else 200) < FILES


def test_f23_random_points(proxy: Served, program: ClientProgram) -> None:
    """No interruption leaves a wrong file under its final name."""
    data = noise(SIZE)
    record = proxy.record(data, published=True)
    chance = random.Random(23)
    proxy.fault(proxy.bytes, "rate 60M", times=None)
    for number in range(amount(1, 3)):
        into = proxy.out / str(number)
        into.mkdir()
        process = program(record, into)
        point = chance.randrange(0, SIZE - 12 * MIB)
        reached(lambda into=into, point=point: written(into / "a.bin.part", point), process)  # type: ignore[misc]
        kill(process)
        assert not (into / "a.bin").exists() or (into / "a.bin").read_bytes() == data
        finish(program(record, into))
        assert [path.name for path in into.iterdir()] == ["a.bin"]
        assert (into / "a.bin").read_bytes() == data
        (into / "a.bin").unlink()


def test_f24_the_tail_of_the_rest_was_lost(proxy: Served, program: ClientProgram) -> None:
    """A crash of the machine: the side file says more than is on disk."""
    data = noise(SIZE)
    record = proxy.record(data, published=True)
    proxy.fault(proxy.bytes, "rate 20M", times=None)
    process = program(record, proxy.out)
    part = proxy.out / "a.bin.part"
    reached(lambda: written(part, SIZE // 3), process)
    interrupt(process)
    proxy.server.clear_faults()
    with part.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(bytes(SIZE - 2 * MIB))
    resumed = finish(program(record, proxy.out))
    assert resumed <= 2 * MIB
    assert (proxy.out / "a.bin").read_bytes() == data


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file came down.
_MEASURE = PEAK + """
import sys
from smartxfer.nrp import get_client
small, large, where, threads = sys.argv[1:]

api = get_client(max_workers=int(threads), timeout=120)
api.files.download_many(small, where)
before = peak()
api.files.download_many(large, where)
print(peak() - before)
"""


@pytest.mark.timeout(300)
@needs_proc
@pytest.mark.parametrize("threads", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(proxy: Served, program: ClientProgram, threads: int) -> None:
    """Detect a body that is held, or pieces that wait for each other in memory."""
    large = large_file(proxy.directory / "large.src", LARGE)
    record = proxy.site.create()
    proxy.client(timeout=60).files.upload(record, "large.bin", None, large)
    grown = finish(program(proxy.small, record, proxy.out, threads, text=_MEASURE))
    assert grown <= (threads * MIB + 16 * MIB) // 1024, "KiB while fetching"
    assert proxy.count(proxy.bytes, 206) >= LARGE // (16 * MIB), "by ranges, several at a time"
    assert digest_of(proxy.out / "large.bin") == digest_of(large)

