from __future__ import annotations

from typing import Any, Callable, List

import pytest

from smartxfer.errors import LocalError, SourceChanged
from smartxfer.transfer.body import PartBody
from smartxfer.transfer.buffers import BLOCK_SIZE, MIN_BLOCK_SIZE, AdaptiveBlockSize
from smartxfer.transport import Attempt
from tests.support.fake_clock import FakeClock

DATA = bytes(range(256)) * 20_000  # 5 MB
BodyOf = Callable[..., PartBody]


def read_all(body: PartBody) -> bytes:
    found = bytearray()
    while True:
        block = body.read(16384)
        if not block:
            return bytes(found)
        assert len(block) <= BLOCK_SIZE
        found += block


def test_reads_the_part_and_nothing_else(body_of: BodyOf) -> None:
    body = body_of(DATA, 1_000, 3_000_000)
    assert len(body) == 2_999_000
    assert body.tell() == 0
    assert read_all(body) == DATA[1_000:3_000_000]
    assert body.tell() == len(body)
    assert not body.read(1)


def test_a_look_at_the_bytes_sends_nothing(body_of: BodyOf) -> None:
    reported: List[int] = []
    body = body_of(DATA, 10, 2_000_000, reported.append)
    assert b"".join(map(bytes, body)) == DATA[10:2_000_000]
    assert (body.tell(), reported) == (0, [])


def test_progress_counts_what_was_handed_over_and_never_more_than_there_is(body_of: BodyOf) -> None:
    reported: List[int] = []
    body = body_of(DATA, 0, 1_000_000, reported.append)
    body.read(1)
    assert reported == []  # handed to the caller, not sent yet
    body.read(1)
    assert reported == [2 * MIN_BLOCK_SIZE]  # the first block, before the speed is known
    for _ in range(3):
        body.seek(0)
        assert sum(reported) == 0
        read_all(body)
        assert sum(reported) == 1_000_000
    body.rollback_progress()
    body.rollback_progress()
    assert sum(reported) == 0


def test_the_attempt_knows_how_much_moved_and_when_to_watch(body_of: BodyOf) -> None:
    body = body_of(DATA, 0, 100_000)
    attempt = Attempt()
    body.set_attempt(attempt)
    body.read(1)
    assert (attempt.body_in_flight, attempt.bytes_moved) == (True, 0)
    while body.read(1):
        assert attempt.body_in_flight
    assert (attempt.body_in_flight, attempt.bytes_moved) == (False, 100_000)  # from here on the server thinks


def test_without_a_size_all_that_is_left_comes(body_of: BodyOf) -> None:
    body = body_of(DATA, 5, 3_000_000)
    first = bytes(body.read(1))
    assert first + bytes(body.read()) == DATA[5:3_000_000]


@pytest.mark.parametrize("where", [(1, 0), (0, 1), (0, 2)])
def test_only_the_start_can_be_gone_back_to(body_of: BodyOf, where: Any) -> None:
    with pytest.raises(LocalError, match="to its start"):
        body_of(DATA, 0, 10).seek(*where)


def test_a_source_that_became_shorter(body_of: BodyOf) -> None:
    body = body_of(b"12345", 0, 10)
    assert bytes(body.read(1)) == b"12345"
    with pytest.raises(SourceChanged, match="was truncated while"):
        body.read(1)


def test_blocks_grow_on_a_fast_line_and_shrink_on_a_slow_one() -> None:
    clock = FakeClock()
    pace = AdaptiveBlockSize(clock)
    grown = [pace.update() for _ in range(6)]
    assert grown == [128 * 1024, 256 * 1024, 512 * 1024, *[BLOCK_SIZE] * 3]
    clock.advance(0.1)
    assert pace.update() == BLOCK_SIZE
    clock.advance(0.6)
    assert pace.update() == MIN_BLOCK_SIZE
