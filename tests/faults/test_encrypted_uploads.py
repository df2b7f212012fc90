"""Encrypted transfers on their way up: F03, F13, F18 and the rules of nonces."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from smartxfer import errors
from smartxfer.transport import RetryPolicy
from tests.support import encrypted_harness as encrypted
from tests.support import filesender_harness as filesender
from tests.support.encrypted_harness import PASSWORD, SITE, Tap, held, part, published, same_nonce_same_bytes
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, CREATE, FileSenderHarness, noise
from tests.support.timeouts import patient

DATA = noise(3 * CHUNK_SIZE + 100)
COUNT = 4
ONCE = RetryPolicy(attempts=1)
FRESH = partial(FileSenderHarness, **SITE)


@pytest.fixture
def tap(harness: Any) -> Iterator[Tap]:
    with Tap(harness.site.listener.port) as tap:
        yield tap


def _up(harness: Any, tap: Tap, thing: Any, password: str = PASSWORD, progress: Any = None, **options: Any) -> Any:
    """Encrypt and send, through the tap."""
    with harness.client(tap.url, **options) as client:
        return client.upload_workflow([thing], link=True, password=password, progress=progress)


def _broken_off(harness: Any, tap: Tap) -> Path:
    """A run of which two chunks arrive, and a part of the third; its file."""
    path: Path = harness.file(DATA)
    harness.fault(part(2), "reset-after 20K", times=1)
    with pytest.raises(errors.NetworkError):
        _up(harness, tap, path, retry=ONCE, concurrent_chunks=1)
    return path


@pytest.mark.parametrize(
    "effect",
    ["reset-before", "reset-after 1", "reset-after 20K", "lose-answer", "status 503 retry-after=0", "status 502"],
)
def test_f03_a_broken_chunk_goes_again_byte_for_byte(harness: Any, tap: Tap, effect: str) -> None:
    """Fails if a chunk is encrypted again for each attempt."""
    fault = harness.fault(part(1), effect, times=2)
    seen: List[Any] = []
    transfer = _up(harness, tap, ("a.bin", DATA), progress=seen.append)
    assert (fault.fired, transfer.results[0].retries, held(harness)) == (2, 2, DATA)
    assert same_nonce_same_bytes(tap.chunks()) == COUNT
    assert all(0 <= event.done <= len(DATA) for event in seen), "progress counts bytes of the file"
    assert (seen[-1].state, seen[-1].done) == ("done", len(DATA))
    # The others went once, and each is what the page would make of it.
    for number, (offset, plain) in enumerate(encrypted.pairs(DATA)):
        bodies = tap.bodies()[offset]
        assert len(bodies) == (3 if number == 1 else 1)
        assert encrypted.decrypt_chunk(harness, bodies[-1], number) == plain


@pytest.mark.parametrize(
    ("options", "width"),
    [({"version": "2.67", "encryption_key_version": 3, "base64_chunks": True}, 21), ({"version": "2.67"}, 16)],
    ids=["base64", "2.67"],
)
def test_f03_in_other_manners(make_harness: Any, options: Any, width: int) -> None:
    """Base64 on the line, and AES-CBC, whose IV is random: the very same bytes again there too."""
    harness = make_harness(**SITE, **options)
    fault = harness.fault(part(1), "reset-after 20K", times=2)
    with Tap(harness.site.listener.port) as tap:
        _up(harness, tap, ("a.bin", DATA))
        assert (fault.fired, held(harness), len(tap.bodies()[CHUNK_SIZE])) == (2, DATA, 3)
        assert same_nonce_same_bytes(tap.chunks(), width) == COUNT


def test_f03_broken_for_good_and_run_again(harness: Any, tap: Tap) -> None:
    """A re-run encrypts a chunk with its earlier nonce. The plaintext is the same, so nothing is revealed."""
    path = _broken_off(harness, tap)
    whole = {chunk.offset for chunk in tap.chunks() if len(chunk.body) == chunk.wanted} - {2 * CHUNK_SIZE}
    assert _up(harness, tap, path).results[0].resumed == CHUNK_SIZE * len(whole) == 2 * CHUNK_SIZE
    assert [len(tap.bodies()[offset]) for offset, _ in encrypted.pairs(DATA)] == [1, 1, 2, 1]
    assert same_nonce_same_bytes(tap.chunks()) == COUNT
    assert (held(harness), harness.site.count(CREATE)) == (DATA, 1)


def test_a_file_that_changed_between_the_runs_gets_other_nonces(harness: Any, tap: Tap) -> None:
    path = _broken_off(harness, tap)
    early = len(tap.chunks())
    other = noise(len(DATA), 2)
    path.write_bytes(other)
    os.utime(path, ns=(0, 0))
    assert _up(harness, tap, path).results[0].resumed == 0
    assert held(harness) == other
    assert same_nonce_same_bytes(tap.chunks()) == early + COUNT


def test_a_file_that_changes_while_it_is_sent(harness: Any, tap: Tap) -> None:
    """The sent chunks are discarded; the next run starts again with new nonces."""
    path = harness.file(DATA)
    harness.fault(part(2), f"rate {8 * CHUNK_SIZE}")  # else all of it may be sent between two calls of change

    def change(event: Any) -> None:
        if event.done >= CHUNK_SIZE and path.stat().st_size == len(DATA):
            path.write_bytes(b"x" * len(DATA) + b"more")

    with pytest.raises(errors.SourceChanged):
        _up(harness, tap, path, progress=change, concurrent_chunks=1)
    assert harness.site.transfers() == []
    _up(harness, tap, path, concurrent_chunks=1)
    assert same_nonce_same_bytes(tap.chunks()) >= COUNT + 1
    assert held(harness) == b"x" * len(DATA) + b"more"


def test_a_rerun_with_another_password(harness: Any, tap: Tap) -> None:
    """Half under one password, half under another: never."""
    path = harness.file(DATA)
    harness.fault(part(2), "status 400")
    with pytest.raises(Exception, match="400"):
        _up(harness, tap, path, concurrent_chunks=1)
    sent = len(tap.chunks())
    with pytest.raises(errors.WrongPassword):
        _up(harness, tap, path, "Another-Passw0rd!")
    assert len(tap.chunks()) == sent
    _up(harness, tap, path)
    assert held(harness) == DATA


def test_two_transfers_of_one_file_share_no_nonce(harness: Any, tap: Tap) -> None:
    for _ in range(2):
        _up(harness, tap, ("a.bin", DATA))
    bodies = [chunk.body for chunk in tap.chunks()]
    assert same_nonce_same_bytes(tap.chunks()) == len(bodies) == len({body[16:] for body in bodies}) == 2 * COUNT


def test_f13_a_bit_that_flips_on_the_way_up(harness: Any, tap: Tap) -> None:
    """The upload cannot detect it. The download raises an error and writes no byte of that chunk."""
    harness.fault(part(1), "flip-in 5000")
    transfer = _up(harness, tap, ("a.bin", DATA))
    with pytest.raises(errors.IntegrityError, match="chunk 1"):
        encrypted.down(harness, transfer)
    assert "a.bin" not in encrypted.left(harness.out)
    for path in harness.out.glob("*.part"):
        assert path.read_bytes()[CHUNK_SIZE : 2 * CHUNK_SIZE].strip(b"\0") == b""


def test_f18_an_upload_stalls_once(harness: Any, tap: Tap) -> None:
    fault = harness.fault(part(1), "stall-after 1")
    policy = RetryPolicy(backoff=0, stall_window=patient(0.3))
    transfer = _up(harness, tap, ("a.bin", DATA), retry=policy, timeout=patient(0.5))
    assert (fault.fired, transfer.results[0].retries, held(harness)) == (1, 1, DATA)
    assert same_nonce_same_bytes(tap.chunks()) == COUNT


def test_f18_an_upload_stalls_for_good(harness: Any, tap: Tap) -> None:
    harness.fault(part(1), "stall")
    with pytest.raises((errors.Stalled, errors.NetworkError)):
        _up(harness, tap, ("a.bin", DATA), retry=RetryPolicy(attempts=1, stall_window=0.3), timeout=0.6)
    assert harness.status != "available"


@pytest.mark.parametrize("match", [CREATE, filesender.COMPLETE_FILE])
def test_a_lost_word_around_the_chunks(harness: Any, tap: Tap, match: str) -> None:
    """A repeated creation has another salt, and the chunks are encrypted with that salt."""
    path = harness.file(DATA)
    harness.fault(match, "status 500 body=json:database_unavailable", times=1)
    try:
        _up(harness, tap, path, retry=ONCE)
    except errors.ServerError:
        _up(harness, tap, path)
    assert (held(harness), same_nonce_same_bytes(tap.chunks())) == (DATA, COUNT)


def test_a_server_that_writes_less(harness: Any, tap: Tap) -> None:
    """The site acknowledges the encrypted length; the plaintext length is too short."""
    answer = harness.file(b'{"offset": 0, "written": %d}' % CHUNK_SIZE, "answer")
    harness.fault(part(0), f"status 200 'body=file:{answer}'")
    assert _up(harness, tap, ("a.bin", DATA)).results[0].retries == 1
    assert held(harness) == DATA


def test_what_the_site_holds(harness: Any) -> None:
    """No byte of the file in clear, and the size that its page will ask for."""
    data = b"in clear " * 20_000
    chunks = -(-len(data) // CHUNK_SIZE)
    published(harness, data)
    blob = harness.stored()["a.bin"]
    assert b"in clear" not in blob
    assert (len(blob), held(harness)) == (len(data) + encrypted.MORE * chunks, data)
    assert harness.site.count(CHUNK, status=200) == chunks
