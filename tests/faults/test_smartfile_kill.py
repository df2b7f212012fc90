"""Ctrl-C and kill -9 in the middle, and what a large file costs: F22, F23, F45."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Iterator

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
)
from tests.support.filesender_harness import noise, until
from tests.support.smartfile_harness import DOWNLOAD, MIB, UPLOAD, SmartFileHarness

pytestmark = pytest.mark.slow

SIZE = 48 * MIB
FILES = 24
GIB = 1 << 30

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import sys
from smartxfer.smartfile import BasicClient
api = BasicClient()
way, what, where = sys.argv[1:]
try:
    result = getattr(api, way)(what, where)
    print(result.resumed if hasattr(result, "resumed") else sum(one.resumed > 0 for one in result))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[SmartFileHarness]:
    with SmartFileHarness(tmp_path) as harness:
        harness.out.mkdir()
        yield harness


@ENDS
def test_f23_an_upload(harness: SmartFileHarness, program: ClientProgram, end: Any) -> None:
    """Detect half a file at the final name, or an older file that is gone."""
    path = harness.file(noise(SIZE))
    harness.site.write("/a.bin", b"older")
    held = harness.fault(UPLOAD, "stall-after 10M")
    process = program("upload", path, "/a.bin")
    assert held.wait(20)
    end(process)
    harness.server.clear_faults()
    assert harness.stored() == {"/a.bin": b"older"}
    assert finish(program("upload", path, "/a.bin")) == 0
    assert harness.stored() == {"/a.bin": path.read_bytes()}


@ENDS
def test_f23_a_tree_up(harness: SmartFileHarness, program: ClientProgram, end: Any) -> None:
    """Fails if a re-run sends again what had arrived."""
    for number in range(FILES):
        harness.file(noise(MIB, number), f"tree/{number:02}.bin")
    rate = harness.fault(UPLOAD, "rate 4M", times=None)
    process = program("upload_tree", harness.directory / "tree", "/t")
    reached(lambda: harness.count(UPLOAD, 200) >= FILES // 3, process)
    end(process)
    assert rate.fired
    harness.server.clear_faults()
    until(lambda: not harness.site.listener.connections, "the end of the connections")
    arrived = harness.stored()
    assert {len(data) for data in arrived.values()} == {MIB}, "no half files"
    harness.site.listener.clear_log()
    noted = finish(program("upload_tree", harness.directory / "tree", "/t"))
    # Of an interrupted run all is written down but what was under way; of a killed one what was, a moment before.
    assert (len(arrived) - 8 if end is interrupt else 1) <= noted <= len(arrived)
    assert harness.count(UPLOAD) == FILES - noted
    assert harness.stored() == {f"/t/{number:02}.bin": noise(MIB, number) for number in range(FILES)}


@ENDS
def test_f23_a_download(harness: SmartFileHarness, program: ClientProgram, end: Any) -> None:
    """Fails if half a file has the final name, or if a re-run starts again."""
    data = noise(SIZE)
    harness.site.write("/a.bin", data)
    part = harness.out / "a.bin.part"
    harness.fault(DOWNLOAD, "rate 20M", times=None)
    process = program("download", "/a.bin", harness.out)
    reached(lambda: part.exists() and part.stat().st_blocks * 512 >= SIZE / 3, process)
    end(process)
    harness.server.clear_faults()
    assert "a.bin" not in harness.left()
    resumed = finish(program("download", "/a.bin", harness.out))
    if end is interrupt:
        assert resumed >= SIZE / 3 - 4 * MIB
    assert harness.left() == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == data


def test_f23_random_points_of_a_download(harness: SmartFileHarness, program: ClientProgram) -> None:
    """No interruption leaves a wrong file under its final name."""
    data = noise(SIZE)
    harness.site.write("/a.bin", data)
    chance = random.Random(17)
    harness.fault(DOWNLOAD, "rate 60M", times=None)
    for number in range(amount(1, 10)):
        into = harness.out / str(number)
        into.mkdir()
        part = into / "a.bin.part"
        process = program("download", "/a.bin", into)
        point = chance.randrange(0, SIZE - 16 * MIB)
        reached(lambda part=part, point=point: part.exists() and part.stat().st_blocks * 512 >= point, process)  # type: ignore[misc]
        kill(process)
        assert not (into / "a.bin").exists() or (into / "a.bin").read_bytes() == data
        finish(program("download", "/a.bin", into))
        assert [path.name for path in into.iterdir()] == ["a.bin"]
        assert (into / "a.bin").read_bytes() == data
        (into / "a.bin").unlink()


def test_f23_random_points_of_an_upload(harness: SmartFileHarness, program: ClientProgram) -> None:
    """Detect a server, or a form, that makes a file of what came."""
    data = noise(SIZE)
    path = harness.file(data, "b.bin")
    chance = random.Random(19)
    for _ in range(amount(2, 10)):
        held = harness.fault(UPLOAD, f"stall-after {chance.randrange(1, SIZE)}")
        process = program("upload", path, "/b.bin")
        assert held.wait(20)
        kill(process)
        harness.server.clear_faults()
        assert harness.stored() == {}
    finish(program("upload", path, "/b.bin"))
    assert harness.stored() == {"/b.bin": data}


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file went one way.
_MEASURE = PEAK + """
import sys
from smartxfer.smartfile import BasicClient
way, what, where, threads, out = sys.argv[1:]

api = BasicClient(max_workers=int(threads), timeout=120)
api.upload(("small", b"small"), "/")
api.download("/small", out + "/")
before = peak()
if way == "up":
    api.upload(what, where)
elif way == "raw":
    with open(what, "rb") as file:
        api.post("/path/data/", file=(where.strip("/"), file))
else:
    api.download(what, where)
print(peak() - before)
"""


@pytest.mark.timeout(600)
@needs_proc
@pytest.mark.parametrize("threads", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(harness: SmartFileHarness, program: ClientProgram, threads: int) -> None:
    """Fails if a form is put together in memory: the vendor's own client holds it twice."""
    large = large_file(harness.directory / "large.bin", amount(96 * MIB, 2 * GIB))
    expected = digest_of(large)

    def measured(*words: Any) -> int:
        return finish(program(*words, threads, harness.out, text=_MEASURE), 300)

    limit = (threads * MIB + 32 * MIB) // 1024
    for way in ("up", "raw") if threads == 1 else ("up",):
        assert measured(way, large, "/large.bin") <= limit, "KiB while sending"
        assert digest_of(harness.site.stored_path("/large.bin")) == expected
    large.unlink()
    assert measured("down", "/large.bin", harness.out) <= limit, "KiB while fetching"
    assert digest_of(harness.out / "large.bin") == expected
    (harness.out / "large.bin").unlink()
