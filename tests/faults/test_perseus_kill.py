"""Ctrl-C and kill -9 in the middle of an upload, and what a large file costs: F22, F23, F45."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support import client_program as programs
from tests.support.amounts import amount
from tests.support.client_program import ENDS, ClientProgram, end_at, finish, kill, quiet
from tests.support.filesender_harness import noise, until
from tests.support.perseus_harness import CREATE, MIB, PUT, PerseusHarness

pytestmark = pytest.mark.slow

SIZE = 24 * MIB
FILES = 16
#: Default number of files at a time.
WORKERS = 4

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import sys
from smartxfer.errors import UploadPendingElsewhere
from smartxfer.perseus import PerseusClient
repair, *paths = sys.argv[1:]
with PerseusClient(timeout=60) as client:
    try:
        files = client.file.upload_many(paths, repair=repair == "repair", grace=0.0)
        print(sum(file.reused for file in files))
    except UploadPendingElsewhere:
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
"""

SHARED = PerseusHarness


@ENDS
@pytest.mark.parametrize("effect", ["stall", "stall-after 1", "stall-after 10M"])
def test_f23_in_the_middle_of_it(harness: PerseusHarness, program: ClientProgram, end: Any, effect: str) -> None:
    """F22, F23: fails if a re-run waits for a record of our own as if it belonged to another client."""
    path = harness.file(noise(SIZE))
    held = harness.fault(PUT, effect)
    end_at(held, program("", path), end, harness)
    assert "uploaded" not in harness.statuses()
    assert finish(program("", path)) == 0
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert (len(harness.site.records()), harness.count(PUT, 200)) == (1, 1)


@ENDS
def test_f23_beside_the_answer(harness: PerseusHarness, program: ClientProgram, end: Any) -> None:
    """The bytes had arrived: broken by a second PUT, or by the deletion of what is complete."""
    path = harness.file(noise(SIZE))
    held = harness.fault(PUT, "no-answer")
    end_at(held, program("", path), end, harness)
    sent = harness.count(PUT)
    finish(program("", path))
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert harness.statuses() == ["uploaded"]
    if end is kill:
        assert harness.count(PUT) == sent == 1


@ENDS
def test_f23_beside_the_record(harness: PerseusHarness, program: ClientProgram, end: Any) -> None:
    """No client knows the record. It may belong to another client, so only ``repair`` deletes it."""
    path = harness.file(noise(MIB))
    held = harness.fault(CREATE, "no-answer")
    end_at(held, program("", path), end, harness)
    assert (harness.statuses(), harness.count(PUT)) == (["pending"], 0)
    process = program("", path)
    process.communicate(timeout=60)
    assert process.returncode == 3, "stuck, and it is said"
    finish(program("repair", path))
    assert (harness.held(), harness.statuses()) == ({"a.bin": path.read_bytes()}, ["uploaded"])


@ENDS
def test_f23_many_files(harness: PerseusHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by a re-run that sends again what had arrived, or by one half that is called whole."""
    paths = [harness.file(noise(MIB, number), f"{number:02}.bin") for number in range(FILES)]
    # Once every worker waits in a PUT, no record is being created whose response could be lost.
    held = harness.fault(PUT, "stall", times=None, after=FILES // 3)
    process = program("", *paths)
    until(lambda: held.fired >= WORKERS, "the point")
    end(process)
    quiet(harness)
    arrived = harness.held()
    assert {len(data) for data in arrived.values()} == {MIB}
    assert len(arrived) == FILES // 3
    harness.forget()
    assert finish(program("", *paths)) == len(arrived)
    assert harness.count(PUT) == FILES - len(arrived), "only what was missing"
    assert harness.held() == {path.name: path.read_bytes() for path in paths}
    assert set(harness.statuses()) == {"uploaded"}


def test_f23_random_points(harness: PerseusHarness, program: ClientProgram) -> None:
    """A record is either uploaded and correct or not uploaded, whenever the process ends."""
    path = harness.file(noise(SIZE))
    chance = random.Random(23)
    for _ in range(amount(2, 4)):
        held = harness.fault(PUT, f"stall-after {chance.randrange(1, SIZE)}")
        end_at(held, program("", path), kill, harness)
        assert harness.statuses() == ["pending"]
    finish(program("", path))
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert len(harness.site.records()) == 1


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while files went up.
_MEASURE = programs.PEAK + """
import sys
from smartxfer.perseus import PerseusClient

with PerseusClient(max_workers=8, timeout=120) as client:
    client.file.upload_file(("small", b"small"))
    before = peak()
    client.file.upload_many(sys.argv[1:])
    print(peak() - before)
"""


@pytest.mark.timeout(300)
@programs.needs_proc
@pytest.mark.parametrize("count", [1, 8])
def test_f45_memory_does_not_grow_with_the_file(harness: PerseusHarness, program: ClientProgram, count: int) -> None:
    """Fails if a file is held in memory as a whole."""
    size = amount(48 * MIB, 256 * MIB) // count
    paths = [programs.large_file(harness.directory / f"large{n}.bin", size, b"start %d" % n) for n in range(count)]
    assert finish(program(*paths, text=_MEASURE), 240) <= (count * MIB + 16 * MIB) // 1024, "KiB while sending"
    uploaded = [record for record in harness.site.records() if record["name"] != "small"]
    assert [record["status"] for record in uploaded] == ["uploaded"] * count
    # The server compares too, by bytes that it counted itself: the digest of what arrived.
    assert {record["sourceHash"] for record in uploaded} == {programs.digest_of(path) for path in paths}

