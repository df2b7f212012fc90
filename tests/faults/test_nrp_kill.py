"""Ctrl-C and kill -9 in the middle of an upload, and what a large file costs: F22, F23, F45."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
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
    quiet,
    reached,
)
from tests.support.filesender_harness import noise, until
from tests.support.nrp_harness import COMMIT, CONTENT, MIB, PART, NRPHarness

pytestmark = pytest.mark.slow

STEP = 5 * MIB
SIZE = 8 * STEP
FILES = 24

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
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

FRESH = NRPHarness


@ENDS
def test_f23_one_piece(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by half a file that is complete; the whole of it goes again."""
    record = harness.site.create()
    path = harness.file(noise(SIZE))
    held = harness.fault(CONTENT, "stall-after 10M")
    process = program("L", record, path)
    assert held.wait(20)
    end(process)
    quiet(harness)
    assert (harness.site.files(record), harness.count(COMMIT)) == ({}, 0)
    assert finish(program("L", record, path)) == 0
    assert harness.site.read(record, "a.bin") == path.read_bytes()
    assert harness.count(CONTENT, 200) == 1


def _noted() -> bool:
    """Return True if a journal on the disk has a part; journals are written only now and then."""
    journals = Path(os.environ["SMARTXFER_STATE_DIR"], "journals").glob("*.json")
    return any(json.loads(path.read_text("utf-8"))["state"].get("parts") for path in journals)


@ENDS
def test_f23_parts(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by parts that are sent again, or by a commit without those that were under way."""
    record = harness.site.create()
    path = harness.file(noise(SIZE))
    rate = harness.fault(PART, "rate 5M", times=None)
    process = program("M", record, path)
    reached(lambda: harness.count(PART, 200) >= 3 and _noted(), process)
    end(process)
    assert rate.fired
    quiet(harness)
    arrived = harness.count(PART, 200)
    assert 3 <= arrived < 8
    assert (harness.site.files(record), harness.count(COMMIT)) == ({}, 0)
    harness.forget()
    resumed = finish(program("M", record, path)) // STEP
    # Of an interrupted run all is written down but what was under way; of a killed one what was, a moment before.
    assert (arrived - 4 if end is interrupt else 1) <= resumed <= arrived
    assert harness.count(PART) == 8 - resumed, "only what was missing"
    assert harness.site.read(record, "a.bin") == path.read_bytes()


@ENDS
def test_f23_many_files(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by a re-run that sends again what had arrived."""
    record = harness.site.create()
    paths = [harness.file(noise(MIB, number), f"{number:02}.bin") for number in range(FILES)]
    rate = harness.fault(CONTENT, "rate 8M", times=None)
    process = program("many", record, *paths)
    reached(lambda: harness.count(COMMIT, 200) >= FILES // 3, process)
    end(process)
    assert rate.fired
    quiet(harness)
    arrived = harness.site.files(record)
    assert set(arrived.values()) == {MIB}, "no half files"
    assert len(arrived) < FILES
    harness.forget()
    assert finish(program("many", record, *paths)) == len(arrived)
    assert harness.count(CONTENT) == FILES - len(arrived)
    for path in paths:
        assert harness.site.read(record, path.name) == path.read_bytes()


@pytest.mark.parametrize("way", ["L", "M"])
def test_f23_random_points(harness: NRPHarness, program: ClientProgram, way: str) -> None:
    """A file is either complete and correct or not complete, whenever the process ends."""
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
        kill(process)
        if not held.fired:
            break  # less was missing than that: it went through
        kills += 1
        quiet(harness)
        assert harness.site.files(record) == {}
    assert kills
    harness.server.clear_faults()
    finish(program(way, record, path))
    assert harness.site.read(record, "a.bin") == path.read_bytes()


@pytest.mark.parametrize("match", [CONTENT, COMMIT], ids=["content", "commit"])
def test_f23_killed_beside_the_commit(harness: NRPHarness, program: ClientProgram, match: str) -> None:
    """The last word was said, or about to be: broken by a second PUT, which deletes what is complete."""
    record = harness.site.create()
    path = harness.file(noise(MIB))
    held = harness.fault(match, "no-answer")
    process = program("L", record, path)
    assert held.wait(20)
    kill(process)
    quiet(harness)
    finish(program("L", record, path))
    assert harness.site.read(record, "a.bin") == path.read_bytes()
    assert harness.count(CONTENT) == (2 if match == CONTENT else 1)


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file went up.
_MEASURE = PEAK + """
import sys
from smartxfer.nrp import get_client
way, record, path, threads = sys.argv[1:]

api = get_client(max_workers=int(threads), timeout=120)
api.files.upload(record, "small" + way + threads, None, b"small")
before = peak()
api.files.upload(record, "large.bin", None, path, way, replace=True)
print(peak() - before)
"""


@pytest.mark.timeout(300)
@needs_proc
@pytest.mark.parametrize(("way", "threads"), [("L", 1), ("M", 1), ("M", 8)])
def test_f45_memory_does_not_grow_with_the_file(harness: NRPHarness, program: ClientProgram, way: str, threads: int) -> None:
    """Detect a part, or a file, that is held in memory as a whole."""
    record = harness.site.create()
    large = large_file(harness.directory / "large.bin", amount(48 * MIB, 256 * MIB))
    grown = finish(program(way, record, large, threads, text=_MEASURE), 240)
    assert grown <= (threads * MIB + 16 * MIB) // 1024, "KiB while sending"
    assert digest_of(harness.site.stored_path(record, "large.bin")) == digest_of(large)

