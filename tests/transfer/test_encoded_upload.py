"""Bodies of parts, parts that are encoded before they are sent, and progress in bytes of the file."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Callable, ContextManager, Iterator, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import LocalError, NetworkError, SourceChanged
from smartxfer.transfer.body import PartBody, ScaledProgress
from smartxfer.transfer.buffers import BLOCK_SIZE, MIN_BLOCK_SIZE, AdaptiveBlockSize, BufferPool
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.source import open_source
from smartxfer.transport import Attempt
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import reset
from tests.support.sinks import raising

# -- all bytes of a part -----------------------------------------------------------------------------------------


def whole(source: Any, part: Part) -> bytes:
    return b"".join(bytes(block) for block in PartBody(source, part, lambda count: None))


class Sparing:
    """A source that gives few bytes at a time."""

    name, size = "tape", 100

    def __init__(self, data: bytes, most: int) -> None:
        self.data, self.most = data, most

    def read_at(self, buffer: memoryview, offset: int) -> int:
        piece = self.data[offset : offset + min(self.most, len(buffer))]
        buffer[: len(piece)] = piece
        return len(piece)


@given(
    data=st.binary(max_size=60), most=st.integers(1, 20), start=st.integers(0, 60), size=st.integers(0, 60)
)
def test_all_bytes_of_a_part_and_no_others(data: bytes, most: int, start: int, size: int) -> None:
    source: Any = Sparing(data, most)
    if start + size <= len(data):
        assert whole(source, Part(0, start, start + size)) == data[start : start + size]
    elif size:
        with pytest.raises(SourceChanged, match="tape"):
            whole(source, Part(0, start, start + size))


def test_parts_longer_than_a_block() -> None:
    data = os.urandom(2 * BLOCK_SIZE + 12)
    assert whole(open_source(data), Part(0, 5, len(data) - 2)) == data[5:-2]


@pytest.mark.parametrize("read", [whole, lambda source, part: PartBody(source, part, lambda count: None).read(1)])
def test_a_source_that_cannot_be_read(read: Any) -> None:
    source: Any = Sparing(b"", 1)
    source.read_at = raising(OSError(5, "Input/output error"))
    with pytest.raises(LocalError, match="cannot read tape: Input/output error"):
        read(source, Part(0, 0, 1))


# -- progress in another measure ---------------------------------------------------------------------------------


@given(
    size=st.integers(1, 5000), meant=st.integers(0, 5000), steps=st.lists(st.integers(1, 700), max_size=30)
)
def test_scaled_progress_adds_up(size: int, meant: int, steps: List[int]) -> None:
    reported: List[int] = []
    scaled, at = ScaledProgress(size, meant, reported.append), 0
    for step in steps:
        step = min(step, size - at)
        scaled(step)
        at += step
        assert sum(reported) == meant * at // size
        assert 0 <= sum(reported) <= meant
    scaled(-at)
    assert sum(reported) == 0
    scaled(size)
    assert sum(reported) == meant


# -- uploads -----------------------------------------------------------------------------------------------------


ROOMS = BufferPool()


@contextlib.contextmanager
def unlike_any(part: Part, pieces: Any) -> Iterator[memoryview]:
    """Yield an encoding of the part that differs each time, in a buffer that is lent."""
    data = os.urandom(16) + b"".join(bytes(piece) for piece in pieces)[::-1] + b"#%d" % part.number
    with ROOMS.borrow(len(data)) as view:
        view[:] = data
        yield view


def test_each_part_is_encoded_once_for_all_attempts(calls: Any) -> None:
    data, encoded = os.urandom(1050), []  # type: bytes, List[int]
    calls.store.faults = {start: [reset] * 2 for start in (0, 300)}

    def encode(part: Part, pieces: Any) -> ContextManager[memoryview]:
        plain = b"".join(bytes(piece) for piece in pieces)
        assert plain == data[part.start : part.stop]
        encoded.append(part.number)
        return unlike_any(part, [plain])

    result = calls.send(data, chunk=100, encode_part=encode)
    assert (result.bytes, result.retries, sorted(encoded)) == (1050, 4, list(range(11)))
    bodies_of = calls.store.bodies
    assert {start: len(bodies) for start, bodies in bodies_of.items() if len(bodies) > 1} == {0: 3, 300: 3}
    for start, bodies in bodies_of.items():
        assert len(set(bodies)) == 1
        assert bodies[0][16:] == data[start : start + 100][::-1] + b"#%d" % (start // 100)
    # Progress counts bytes of the file, whatever the length of the encoded parts.
    assert {event.total for event in calls.events} == {1050}
    assert all(0 <= event.done <= 1050 for event in calls.events)
    assert (calls.events[-1].state, calls.events[-1].done) == ("done", 1050)


@pytest.mark.parametrize("length", [1, 99, 100_000])
def test_a_part_may_become_shorter_or_longer(calls: Any, length: int) -> None:
    encoded = memoryview(bytes(length))
    calls.send(bytes(1000), chunk=1000, encode_part=lambda part, pieces: contextlib.nullcontext(encoded))
    assert (calls.store.bodies, calls.events[-1].done) == ({0: [bytes(length)]}, 1000)


def test_a_part_that_is_never_taken_counts_for_nothing(calls: Any) -> None:
    calls.store.faults[0] = [reset] * 100
    with pytest.raises(NetworkError):
        calls.send(bytes(1000), chunk=1000, encode_part=unlike_any)
    assert (calls.events[-1].state, calls.events[-1].done) == ("failed", 0)
    assert len(set(calls.store.bodies[0])) == 1


def test_acknowledged_parts_are_not_encoded(calls: Any) -> None:
    encoded: List[int] = []

    def encode(part: Part, pieces: Any) -> ContextManager[memoryview]:
        encoded.append(part.number)
        return unlike_any(part, pieces)

    result = calls.send(bytes(400), chunk=100, encode_part=encode, acknowledged={0, 2})
    assert ((sorted(encoded), sorted(calls.store.bodies)), result.resumed) == (([1, 3], [100, 300]), 200)


def test_an_empty_file_has_no_part_to_encode(calls: Any) -> None:
    result = calls.send(b"", chunk=100, encode_part=lambda part, pieces: pytest.fail("encoded"))
    assert (result.bytes, calls.store.bodies) == (0, {})


def test_an_error_while_encoding_ends_the_upload(calls: Any) -> None:
    with pytest.raises(LocalError, match="no more randomness"):
        calls.send(bytes(1000), chunk=100, encode_part=raising(LocalError("no more randomness")))
    assert calls.store.bodies == {}


# -- bodies -----------------------------------------------------------------------------------------------


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
    assert (len(body), body.tell(), read_all(body)) == (2_999_000, 0, DATA[1_000:3_000_000])
    assert body.tell() == len(body)
    assert not body.read(1)


def test_a_look_at_the_bytes_sends_nothing(body_of: BodyOf) -> None:
    reported: List[int] = []
    body = body_of(DATA, 10, 2_000_000, reported.append)
    assert (b"".join(map(bytes, body)), body.tell(), reported) == (DATA[10:2_000_000], 0, [])


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
