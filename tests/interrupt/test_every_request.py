"""Ctrl-C and kill -9 during each of the requests: F22, F23.

A request is held up before or after the server acted on it, the client is ended there, and the same call is
made again.
"""

from __future__ import annotations

from typing import Any, List

import pytest

from tests.support.amounts import EVERY
from tests.support.filesender_harness import CHUNK, DOWNLOAD, noise, until
from tests.support.process_signals import interrupt, kill

pytestmark = pytest.mark.slow

KIB = 1 << 10
CHUNK_SIZE = 64 * KIB
DATA = noise(3 * CHUNK_SIZE + 1)
#: The site's limits (2), the creation, 4 chunks, the completion of the file and of the transfer.
REQUESTS_UP = 9
#: The page of the link, the file.
REQUESTS_DOWN = 2
WORKERS = 1


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
    path = harness.file(DATA)
    fault = harness.fault("* *", effect, after=number)
    running = process(harness, "up", path, WORKERS)
    assert fault.wait(20)
    end(running)
    complete = effect == "no-answer" and number == REQUESTS_UP - 1
    for transfer in harness.site.transfers():
        assert (transfer["status"] == "available") == complete
    harness.server.clear_faults()
    client = harness.client()
    transfer = client.upload_workflow([path], link=True)
    assert (harness.status, harness.stored()["a.bin"]) == ("available", DATA)
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA
    orphans = number == 2 and effect == "no-answer"  # created, but the client does not know it
    assert len(harness.site.transfers()) == 1 + orphans
    acknowledged = max(0, min(number - 3, 4))
    assert harness.site.count(CHUNK, status=200) <= 4 + (4 if end is kill else 1)
    if end is interrupt:
        assert transfer.results[0].resumed == min(acknowledged * CHUNK_SIZE, len(DATA))


@pytest.mark.parametrize(("number", "effect", "end"), _moments(REQUESTS_DOWN))
def test_f23_a_download(throttled: Any, process: Any, end: Any, effect: str, number: int) -> None:
    harness = throttled(CHUNK_SIZE)
    token = harness.published(DATA).token
    fault = harness.fault("* *", effect, after=number)
    running = process(harness, "down", token, WORKERS)
    assert fault.wait(20)
    end(running)
    assert not (harness.out / "a.bin").exists()
    harness.server.clear_faults()
    harness.client().download_files(token, harness.out)
    assert [found.name for found in harness.out.iterdir()] == ["a.bin"]
    assert (harness.out / "a.bin").read_bytes() == DATA


def test_f22_while_it_waits_to_try_again(throttled: Any, process: Any) -> None:
    harness = throttled(CHUNK_SIZE)
    harness.fault(CHUNK, "status 503 retry-after=60", times=None)
    running = process(harness, "up", harness.file(DATA), WORKERS)
    until(lambda: harness.site.count(CHUNK, status=503), "the answer")
    interrupt(running)


@pytest.mark.parametrize("match", ["GET /rest.php/info", DOWNLOAD])
def test_f22_while_an_answer_drips(throttled: Any, process: Any, match: str) -> None:
    harness = throttled(CHUNK_SIZE)
    token = harness.published(DATA).token
    fault = harness.fault(match, "drip 1/0.5", times=None)
    up = match != DOWNLOAD
    running = process(harness, "up" if up else "down", harness.file(DATA) if up else token, WORKERS)
    assert fault.wait(20)
    interrupt(running)


@pytest.mark.parametrize("workers", [1, 8])
def test_f22_while_every_connection_hangs(throttled: Any, process: Any, workers: int) -> None:
    harness = throttled(CHUNK_SIZE)
    fault = harness.fault(CHUNK, "stall", times=None)
    running = process(harness, "up", harness.file(noise(100 * CHUNK_SIZE)), workers)
    assert fault.wait(20, times=workers)
    interrupt(running)
