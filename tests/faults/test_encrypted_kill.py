"""Ctrl-C and kill -9 in the middle of encrypted transfers: F22, F23."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import Any

import pytest

from tests.support.amounts import amount
from tests.support.client_program import finish, interrupt, kill, quiet, reached, written
from tests.support.encrypted_harness import PASSWORD, Tap, held, published, same_nonce_same_bytes
from tests.support.filesender_harness import CHUNK, CREATE, DOWNLOAD, FileSenderHarness, noise

pytestmark = pytest.mark.slow

CHUNKS = 192
DATA = noise(65536 * CHUNKS)
#: Bytes per second of the line, in chunks of 64 KiB ...
RATE = 64
#: ... what a download has left when it is ended, so that it is not complete before ...
LEFT = 64
#: ... what goes over it while a journal is not yet written (uploads), or a side file is not (downloads) ...
UNNOTED_UP, UNNOTED_DOWN = RATE // 2, RATE
#: ... and what is under way or on its way into a file, scheduling of two cores included.
SLACK = 24
#: Rounds of PBKDF2 of a stock site, which take seconds.
STOCK_ROUNDS = 4_096_000

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import os, sys
from smartxfer import FileSenderClient
client = FileSenderClient.from_environment()
way, what, where = sys.argv[1:]
try:
    if way == "up":
        [result] = client.upload_workflow([what], link=True, password=os.environ["THE_PASSWORD"]).results
    else:
        [result] = client.download_files(what, where, password=os.environ["THE_PASSWORD"])
    print(result.resumed)
except KeyboardInterrupt:
    sys.exit(130)
"""

ENVIRONMENT = {"THE_PASSWORD": PASSWORD}
FRESH = partial(FileSenderHarness, encryption_iterations=7)


def _ended_upload(harness: Any, program: Any, path: Any, point: int, end: Any) -> int:
    """End an upload after ``point`` chunks, continue it, and return how many chunks were sent twice."""
    os.utime(path)  # another request, so it does not continue the one before
    harness.site.listener.clear_log()
    with Tap(harness.site.listener.port) as tap:
        rate = harness.fault(CHUNK, f"rate {RATE * 64}K", times=None)
        # The last chunks are not taken: the upload cannot be complete before it is ended.
        harness.fault(CHUNK, "stall", times=None, after=CHUNKS - 8)
        process = program("up", path, harness.out, FILESENDER_BASE_URL=tap.url)
        reached(lambda: harness.site.count(CHUNK, status=200) >= point, process)
        assert PASSWORD not in (end(process) or "")
        assert rate.fired
        quiet(harness)
        acknowledged = harness.site.count(CHUNK, status=200)
        assert acknowledged < CHUNKS
        resumed = finish(program("up", path, harness.out, FILESENDER_BASE_URL=tap.url)) // 65536
        again = harness.site.count(CHUNK, status=200) - CHUNKS
        assert resumed == acknowledged - again, "what is not known to have arrived goes again, and no more"
        assert harness.site.count(CREATE) == 1
        assert same_nonce_same_bytes(tap.chunks()) == CHUNKS
    return int(again)


def test_f23_random_points_of_an_upload(harness: Any, program: Any) -> None:
    """Detect a re-run under other nonces or another key, or chunks that are taken for sent."""
    path = harness.file(DATA)
    chance = random.Random(29)
    for _ in range(amount(1, 10)):
        again = _ended_upload(harness, program, path, chance.randrange(2, CHUNKS - 40), kill)
        assert again <= UNNOTED_UP + SLACK
        assert held(harness) == DATA


def test_f22_an_upload(harness: Any, program: Any) -> None:
    """An interrupted run notes all that was acknowledged before it goes."""
    again = _ended_upload(harness, program, harness.file(DATA), CHUNKS // 2, interrupt)
    assert again <= 2, "a chunk that was being sent may have arrived without an acknowledgement"
    assert held(harness) == DATA


def _ended_download(harness: Any, program: Any, token: str, point: int, end: Any) -> bytes:
    """End a download after ``point`` chunks, continue it, and return what the second run fetched."""
    part, target = harness.out / "a.bin.part", harness.out / "a.bin"
    harness.site.listener.clear_log()
    rate = harness.fault(DOWNLOAD, f"rate {RATE * 64}K", times=None)
    process = program("down", token, harness.out)
    reached(lambda: written(part, point * 65536), process)
    assert PASSWORD not in (end(process) or "")
    assert rate.fired
    quiet(harness)
    assert not target.exists()
    harness.site.listener.clear_log()
    resumed = finish(program("down", token, harness.out)) // 65536
    lost = SLACK + (UNNOTED_DOWN if end is kill else 0)
    assert resumed >= point - lost
    # One more proves the password; one may have been there in part.
    assert CHUNKS - resumed <= harness.site.count(DOWNLOAD) <= CHUNKS - resumed + 1 + 8
    assert [path.name for path in harness.out.iterdir()] == ["a.bin"]
    fetched = target.read_bytes()
    target.unlink()
    return fetched


def test_f23_random_points_of_a_download(harness: Any, program: Any) -> None:
    """No interruption leaves a wrong file under its final name."""
    token = published(harness, DATA).token
    chance = random.Random(31)
    for _ in range(amount(1, 10)):
        point = chance.randrange(2, CHUNKS - LEFT)
        assert _ended_download(harness, program, token, point, kill) == DATA


def test_f22_a_download(harness: Any, program: Any) -> None:
    token = published(harness, DATA).token
    assert _ended_download(harness, program, token, CHUNKS // 2, interrupt) == DATA


@pytest.mark.parametrize("way", ["up", "down"])
def test_f22_while_the_key_is_derived(harness: Any, program: Any, way: str) -> None:
    """The default number of rounds cannot be interrupted, but the call does not wait for their end."""
    harness.site.configure(encryption_iterations=STOCK_ROUNDS)
    path = harness.file(DATA[:1000])
    token = published(harness, DATA[:1000]).token if way == "down" else ""
    harness.site.listener.clear_log()
    last = CREATE if way == "up" else "GET /"
    process = program(way, token or path, harness.out)
    reached(lambda: harness.site.count(last), process)
    assert PASSWORD not in interrupt(process)
    assert not (harness.out / "a.bin").exists()
