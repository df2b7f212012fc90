"""Ctrl-C and kill -9 in the middle of a transfer, and during each of its requests: F22, F23.

A re-run resumes from the files that are left.  A request is held up before or after the server acted on it, the client
is ended there, and the same call is made again.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, Callable, List

import pytest

from tests.support.amounts import EVERY, amount
from tests.support.filesender_harness import CHUNK as CHUNKS
from tests.support.filesender_harness import DOWNLOAD, FileSenderHarness, digest, noise, until
from tests.support.process_signals import interrupt, kill
from tests.support.sinks import names

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE = amount(32, 64) * MIB
WORKERS = 2


@pytest.fixture
def harness(throttled: Callable[..., FileSenderHarness]) -> FileSenderHarness:
    return throttled(MIB)


@pytest.fixture
def large(harness: FileSenderHarness) -> Path:
    block = random.Random(7).getrandbits(8 * MIB).to_bytes(MIB, "big")
    return harness.file(b"".join(number.to_bytes(8, "big") + block[8:] for number in range(SIZE // MIB)), "large.bin")


def finish(process: Any) -> List[str]:
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return printed.split()  # type: ignore[no-any-return]


def at_work_until(reached: Callable[[], bool], process: Any) -> None:
    """Wait for the server's account to say so; the process must still be at work then."""
    until(lambda: process.poll() is not None or reached())
    assert process.poll() is None, "the transfer was over before it could be interrupted"


def acknowledged(harness: FileSenderHarness) -> int:
    return harness.count(CHUNKS, status=200) * MIB


def check_stored(harness: FileSenderHarness, token: str, wanted: Path) -> None:
    """Download what the server has, and compare."""
    [result] = harness.client().download_files(token, harness.directory / "got")
    assert digest(result.path.read_bytes()) == digest(wanted.read_bytes())
    result.path.unlink()


def test_ctrl_c_in_an_upload(harness: FileSenderHarness, process: Any, large: Path) -> None:
    harness.fault(CHUNKS, "rate 20M", times=None)
    running = process(harness, "up", large, WORKERS)
    at_work_until(lambda: acknowledged(harness) >= SIZE / 3, running)
    interrupt(running)
    before = acknowledged(harness)
    assert before < SIZE
    token, resumed = finish(process(harness, "up", large, WORKERS))
    again = acknowledged(harness) - before
    assert again <= SIZE - before + WORKERS * MIB
    assert int(resumed) >= before - WORKERS * MIB
    assert harness.count("POST /rest.php/transfer*") == 1
    check_stored(harness, token, large)


def test_ctrl_c_in_a_download(harness: FileSenderHarness, process: Any, large: Path) -> None:
    token = harness.client().upload_workflow([large], link=True).token
    harness.fault(DOWNLOAD, "rate 20M", times=None)
    running = process(harness, "down", token, WORKERS)
    at_work_until(lambda: written(harness) >= SIZE / 3, running)
    interrupt(running)
    assert "large.bin" not in names(harness.out)
    before = sum(harness.sent(DOWNLOAD))
    [resumed] = finish(process(harness, "down", token, WORKERS))
    assert int(resumed) >= SIZE / 3 - 4 * MIB
    assert sum(harness.sent(DOWNLOAD)) - before <= SIZE - int(resumed) + 4 * MIB
    assert names(harness.out) == ["large.bin"]
    assert digest((harness.out / "large.bin").read_bytes()) == digest(large.read_bytes())


#: Points at which a client is killed: seeds of so many tests, and points of each.
SEEDS, POINTS = range(amount(1, 4)), amount(3, 5)
#: Bytes that a client still has to move when it is killed.
LEFT = 16 * MIB


@pytest.mark.parametrize("seed", SEEDS)
def test_kill_at_random_points_of_an_upload(
    harness: FileSenderHarness, process: Any, large: Path, seed: int
) -> None:
    chance = random.Random(11 + seed)
    for _ in range(POINTS):
        os.utime(large)  # another request: it does not continue the one before
        point = acknowledged(harness) + chance.randrange(0, SIZE - LEFT, MIB)
        harness.fault(CHUNKS, "rate 60M", times=None)
        # The last chunks are not taken: the upload cannot be complete before it is killed.
        harness.fault(CHUNKS, "stall", times=None, after=SIZE // MIB - 4)
        running = process(harness, "up", large, WORKERS)
        at_work_until(lambda point=point: acknowledged(harness) >= point, running)  # type: ignore[misc]
        kill(running)
        harness.server.clear_faults()
        token, _ = finish(process(harness, "up", large, WORKERS))
        check_stored(harness, token, large)


def written(harness: FileSenderHarness) -> int:
    """Bytes of a partial file on the disk; 0 before it is made and after it got its final name."""
    try:
        return (harness.out / "large.bin.part").stat().st_blocks * 512
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("seed", SEEDS)
def test_kill_at_random_points_of_a_download(
    harness: FileSenderHarness, process: Any, large: Path, seed: int
) -> None:
    token = harness.client().upload_workflow([large], link=True).token
    chance = random.Random(13 + seed)
    target = harness.out / "large.bin"
    for _ in range(POINTS):
        # What is left at the last point takes a second: the download is not complete before it is killed.
        harness.fault(DOWNLOAD, "rate 16M", times=None)
        running = process(harness, "down", token, WORKERS)
        point = chance.randrange(0, SIZE - LEFT)
        at_work_until(lambda point=point: written(harness) >= point, running)  # type: ignore[misc]
        kill(running)
        assert not target.exists()
        harness.server.clear_faults()
        finish(process(harness, "down", token, WORKERS))
        assert names(harness.out) == ["large.bin"]
        assert digest(target.read_bytes()) == digest(large.read_bytes())
        target.unlink()


# -- during each request ----------------------------------------------------------------------------------



CHUNK_SIZE = 64 * 1024
SMALL = noise(3 * CHUNK_SIZE + 1)
#: The site's limits (2), the creation, 4 chunks, the completion of the file and of the transfer.
REQUESTS_UP = 9
#: The page of the link, the file.
REQUESTS_DOWN = 2


ENDS = {"SIGINT": interrupt, "SIGKILL": kill}
HELD = {"unseen": "stall", "unanswered": "no-answer"}


def _moments(requests: int) -> List[Any]:
    """Return where a client is ended and how: at each request, unseen and unanswered, by turns with each end."""
    return [
        pytest.param(number, effect, end, id=f"{number}-{held}-{ended}")
        for number in range(requests)
        for at, (held, effect) in enumerate(HELD.items())
        for turn, (ended, end) in enumerate(ENDS.items())
        if EVERY or (number + at + turn) % 2 == 0
    ]


@pytest.mark.parametrize(("number", "effect", "end"), _moments(REQUESTS_UP))
def test_f23_an_upload(throttled: Any, process: Any, end: Any, effect: str, number: int) -> None:
    harness = throttled(CHUNK_SIZE)
    path = harness.file(SMALL)
    fault = harness.fault("* *", effect, after=number)
    running = process(harness, "up", path, 1)
    assert fault.wait(20)
    end(running)
    complete = effect == "no-answer" and number == REQUESTS_UP - 1
    for transfer in harness.site.transfers():
        assert (transfer["status"] == "available") == complete
    harness.server.clear_faults()
    client = harness.client()
    transfer = client.upload_workflow([path], link=True)
    assert (harness.status, harness.stored()["a.bin"]) == ("available", SMALL)
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == SMALL
    orphans = number == 2 and effect == "no-answer"  # created, but the client does not know it
    assert len(harness.site.transfers()) == 1 + orphans
    acknowledged = max(0, min(number - 3, 4))
    assert harness.site.count(CHUNKS, status=200) <= 4 + (4 if end is kill else 1)
    if end is interrupt:
        assert transfer.results[0].resumed == min(acknowledged * CHUNK_SIZE, len(SMALL))


@pytest.mark.parametrize(("number", "effect", "end"), _moments(REQUESTS_DOWN))
def test_f23_a_download(throttled: Any, process: Any, end: Any, effect: str, number: int) -> None:
    harness = throttled(CHUNK_SIZE)
    token = harness.published(SMALL).token
    fault = harness.fault("* *", effect, after=number)
    running = process(harness, "down", token, 1)
    assert fault.wait(20)
    end(running)
    assert not (harness.out / "a.bin").exists()
    harness.server.clear_faults()
    harness.client().download_files(token, harness.out)
    assert [found.name for found in harness.out.iterdir()] == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == SMALL


def test_f22_while_it_waits_to_try_again(throttled: Any, process: Any) -> None:
    harness = throttled(CHUNK_SIZE)
    harness.fault(CHUNKS, "status 503 retry-after=60", times=None)
    running = process(harness, "up", harness.file(SMALL), 1)
    until(lambda: harness.site.count(CHUNKS, status=503), "the answer")
    interrupt(running)


@pytest.mark.parametrize("match", ["GET /rest.php/info", DOWNLOAD])
def test_f22_while_an_answer_drips(throttled: Any, process: Any, match: str) -> None:
    harness = throttled(CHUNK_SIZE)
    token = harness.published(SMALL).token
    fault = harness.fault(match, "drip 1/0.5", times=None)
    up = match != DOWNLOAD
    running = process(harness, "up" if up else "down", harness.file(SMALL) if up else token, 1)
    assert fault.wait(20)
    interrupt(running)


@pytest.mark.parametrize("workers", [1, 8])
def test_f22_while_every_connection_hangs(throttled: Any, process: Any, workers: int) -> None:
    harness = throttled(CHUNK_SIZE)
    fault = harness.fault(CHUNKS, "stall", times=None)
    running = process(harness, "up", harness.file(noise(100 * CHUNK_SIZE)), workers)
    assert fault.wait(20, times=workers)
    interrupt(running)
