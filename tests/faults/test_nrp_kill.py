"""Ctrl-C and kill -9 in the middle of uploads and downloads, and what a large file costs: F22 to F24, F45."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any, List

import pytest

from tests.support import client_program as ended
from tests.support.amounts import amount
from tests.support.client_program import ENDS, ClientProgram, finish, kill, quiet, reached, written
from tests.support.filesender_harness import noise, until
from tests.support.nrp_harness import COMMIT, CONTENT, MIB, PART, STEP, NRPHarness, Served

pytestmark = pytest.mark.slow

SIZE = 8 * STEP
#: A file whose download is ended within a third, or a half.
SIZE_DOWN = 24 * MIB
DATA = noise(SIZE_DOWN)
FILES = {f"{number:02}.bin": noise(MIB, number) for number in range(24)}
#: A file that makes the memory's growth seen, were it held.
LARGE = amount(48 * MIB, 256 * MIB)

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import sys
from smartxfer.nrp import get_client
way, record, *rest = sys.argv[1:]
api = get_client(timeout=60)
try:
    if way == "down":
        results = api.files.download_many(record, rest[0])
        print(sum(one.resumed for one in results) if len(results) == 1 else sum(one.resumed > 0 for one in results))
    elif way == "many":
        files = api.files.upload_many(record, rest)
        print(sum(file.result.resumed > 0 for file in files))
    else:
        options = {"part_size": 5 << 20} if way == "M" else {}
        print(api.files.upload(record, "a.bin", {"title": "t"}, rest[0], way, **options).result.resumed)
except KeyboardInterrupt:
    sys.exit(130)
"""

FRESH = NRPHarness


# -- uploads ------------------------------------------------------------------------------------------------


def _ended(harness: NRPHarness, process: Any, end: Any, when: Any) -> None:
    """End the process when a fault has fired, or a condition holds, and wait until nothing of it is under way."""
    if callable(when):
        reached(when, process)
    else:
        assert when.wait(20)
    end(process)
    quiet(harness)


@ENDS
def test_f23_one_piece(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by half a file that is complete; the whole of it goes again."""
    path = harness.file(noise(SIZE))
    held = harness.fault(CONTENT, "stall-after 10M")
    _ended(harness, program("L", harness.draft, path), end, held)
    assert (harness.held(), harness.count(COMMIT)) == ({}, 0)
    assert finish(program("L", harness.draft, path)) == 0
    assert (harness.held(), harness.count(CONTENT, 200)) == ({"a.bin": path.read_bytes()}, 1)


def _noted() -> bool:
    """Return True if a journal on the disk has a part; journals are written only now and then."""
    journals = Path(os.environ["SMARTXFER_STATE_DIR"], "journals").glob("*.json")
    return any(json.loads(path.read_text("utf-8"))["state"].get("parts") for path in journals)


@ENDS
def test_f23_parts(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by parts that are sent again, or by a commit without those that were under way."""
    path = harness.file(noise(SIZE))
    rate = harness.fault(PART, "rate 5M", times=None)
    process = program("M", harness.draft, path)
    _ended(harness, process, end, lambda: harness.count(PART, 200) >= 3 and _noted())
    assert rate.fired
    arrived = harness.count(PART, 200)
    assert 3 <= arrived < 8
    assert (harness.held(), harness.count(COMMIT)) == ({}, 0)
    harness.forget()
    resumed = finish(program("M", harness.draft, path)) // STEP
    # Of an interrupted run all is written down but what was under way; of a killed one what was, a moment before.
    assert (arrived - 4 if end is ended.interrupt else 1) <= resumed <= arrived
    assert harness.count(PART) == 8 - resumed, "only what was missing"
    assert harness.held() == {"a.bin": path.read_bytes()}


@ENDS
def test_f23_many_files(harness: NRPHarness, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by a re-run that sends again what had arrived."""
    paths = [harness.file(data, name) for name, data in FILES.items()]
    rate = harness.fault(CONTENT, "rate 8M", times=None)
    process = program("many", harness.draft, *paths)
    _ended(harness, process, end, lambda: harness.count(COMMIT, 200) >= len(FILES) // 3)
    assert rate.fired
    arrived = harness.held()
    assert arrived.items() < FILES.items(), "no half files"
    harness.forget()
    assert finish(program("many", harness.draft, *paths)) == len(arrived)
    assert harness.count(CONTENT) == len(FILES) - len(arrived)
    assert harness.held() == FILES


@pytest.mark.parametrize(("way", "match"), [("L", CONTENT), ("M", PART)], ids=["L", "M"])
def test_f23_random_points(harness: NRPHarness, program: ClientProgram, way: str, match: str) -> None:
    """A file is either complete and correct or not complete, whenever the process ends."""
    path = harness.file(noise(4 * STEP))
    chance = random.Random(23)
    kills = 0
    for _ in range(amount(2, 4)):
        point = chance.randrange(1, 4 * STEP if way == "L" else STEP)
        held = harness.fault(match, f"stall-after {point}", after=0 if way == "L" else chance.randrange(0, 2))
        process = program(way, harness.draft, path)
        until(lambda held=held, process=process: held.fired or process.poll() is not None)  # type: ignore[misc]
        kill(process)
        if not held.fired:
            break  # less was missing than that: it went through
        kills += 1
        quiet(harness)
        assert harness.held() == {}
    assert kills
    harness.server.clear_faults()
    finish(program(way, harness.draft, path))
    assert harness.held() == {"a.bin": path.read_bytes()}


@pytest.mark.parametrize("match", [CONTENT, COMMIT], ids=["content", "commit"])
def test_f23_killed_beside_the_commit(harness: NRPHarness, program: ClientProgram, match: str) -> None:
    """The last word was said, or about to be: broken by a second PUT, which deletes what is complete."""
    path = harness.file(noise(MIB))
    held = harness.fault(match, "no-answer")
    _ended(harness, program("L", harness.draft, path), kill, held)
    finish(program("L", harness.draft, path))
    assert harness.held() == {"a.bin": path.read_bytes()}
    assert harness.count(CONTENT) == (2 if match == CONTENT else 1)


# -- downloads ----------------------------------------------------------------------------------------------

each_storage = pytest.mark.parametrize("harness", ["local", "s3"], indirect=True)
proxied = pytest.mark.parametrize("harness", ["proxy"], indirect=True)


def _complete(harness: Served) -> List[str]:
    return [name for name in harness.left() if not name.endswith((".part", ".json", ".tmp"))]


def _begun(harness: Served, program: ClientProgram, end: Any, size: int = SIZE_DOWN // 3, rate: str = "20M") -> str:
    """End a download of ``DATA`` when so much of it is on the disk; the record."""
    record = harness.record(DATA, published=True)
    harness.fault(harness.bytes, f"rate {rate}", times=None)
    process = program("down", record, harness.out)
    _ended(harness, process, end, lambda: written(harness.out / "a.bin.part", size))
    return record


@each_storage
@ENDS
def test_f23_a_download(harness: Served, program: ClientProgram, end: Any) -> None:
    """F22, F23: fails if half a file has the final name, or if a re-run starts again although ranges are known."""
    record = _begun(harness, program, end)
    assert "a.bin" not in harness.left()
    resumed = finish(program("down", record, harness.out))
    if not harness.ranges:
        assert resumed == 0
    elif end is ended.interrupt:
        assert resumed >= SIZE_DOWN / 3 - 4 * MIB
    assert (harness.left(), harness.arrived()) == (["a.bin"], DATA)


@each_storage
@ENDS
def test_f23_many_downloads(harness: Served, program: ClientProgram, end: Any) -> None:
    """F22, F23: broken by a re-run that fetches again what has arrived, or takes half a file for one."""
    record = harness.site.create(files=FILES, published=True)
    harness.fault(harness.bytes, "rate 8M", times=None)
    process = program("down", record, harness.out)
    _ended(harness, process, end, lambda: len(_complete(harness)) >= len(FILES) // 3)
    arrived = {name: harness.arrived(name) for name in _complete(harness)}
    assert arrived.items() < FILES.items()
    harness.forget()
    noted = finish(program("down", record, harness.out))
    assert noted >= (len(arrived) - 8 if end is ended.interrupt else 1)
    assert {name: harness.arrived(name) for name in harness.left()} == FILES
    assert harness.count("GET *.bin/content", 302 if harness.storage == "s3" else 200) < len(FILES)


@proxied
def test_f23_random_points_of_a_download(harness: Served, program: ClientProgram) -> None:
    """No interruption leaves a wrong file under its final name."""
    chance = random.Random(23)
    for _ in range(amount(1, 3)):
        record = _begun(harness, program, kill, chance.randrange(0, SIZE_DOWN // 2), "60M")
        assert "a.bin" not in harness.left() or harness.arrived() == DATA
        finish(program("down", record, harness.out))
        assert (harness.left(), harness.arrived()) == (["a.bin"], DATA)
        (harness.out / "a.bin").unlink()


@proxied
def test_f24_the_tail_of_the_rest_was_lost(harness: Served, program: ClientProgram) -> None:
    """A crash of the machine: the side file says more than is on disk."""
    record = _begun(harness, program, ended.interrupt)
    with (harness.out / "a.bin.part").open("r+b") as file:
        file.seek(2 * MIB)
        file.write(bytes(SIZE_DOWN - 2 * MIB))
    assert finish(program("down", record, harness.out)) <= 2 * MIB
    assert harness.arrived() == DATA


# -- F45 ----------------------------------------------------------------------------------------------------

#: Prints by how many KiB the peak of the memory grew while a file went up, or came down.
_MEASURE = ended.PEAK + """
import sys
from smartxfer.nrp import get_client
way, record, path, threads, small = sys.argv[1:]

api = get_client(max_workers=int(threads), timeout=120)
def move(record, key, source):
    if way == "down":
        api.files.download_many(record, path)
    else:
        api.files.upload(record, key, None, source, way, replace=True)
move(small, "small.bin", b"small")
before = peak()
move(record, "large.bin", path)
print(peak() - before)
"""


@pytest.mark.timeout(300)
@ended.needs_proc
@pytest.mark.parametrize(
    ("harness", "way", "threads"),
    [("local", "L", 1), ("local", "M", 1), ("local", "M", 8), ("proxy", "down", 1), ("proxy", "down", 8)],
    indirect=["harness"],
)
def test_f45_memory_does_not_grow_with_the_file(harness: Served, program: ClientProgram, way: str, threads: int) -> None:
    """Detect a file, or a part of it, that is held in memory, or pieces that wait for each other there."""
    large = ended.large_file(harness.directory / "large.src", LARGE)
    if way == "down":
        harness.client(timeout=60).files.upload(harness.draft, "large.bin", None, large)
    path, small = (harness.out, harness.small) if way == "down" else (large, harness.draft)
    grown = finish(program(way, harness.draft, path, threads, small, text=_MEASURE), 240)
    assert grown <= (threads * MIB + 16 * MIB) // 1024, "KiB while it was moved"
    if way == "down":
        assert harness.count(harness.bytes, 206) >= LARGE // (16 * MIB), "by ranges, several at a time"
        assert ended.digest_of(harness.out / "large.bin") == ended.digest_of(large)
    else:
        assert ended.digest_of(harness.site.stored_path(harness.draft, "large.bin")) == ended.digest_of(large)
