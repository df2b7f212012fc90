"""A buffer filled from a body: whole, in blocks that grow with the line, and slow again after a break."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Iterator, List

import pytest

from smartxfer.transfer import ranges
from smartxfer.transfer.buffers import (
    BLOCK_SIZE,
    MIN_BLOCK_SIZE,
    BufferPool,
    allocate_buffer,
    pop_last_block_size,
    set_last_block_size,
)
from smartxfer.transfer.ranges import open_range
from smartxfer.transport import RequestSpec
from tests.support.raw_server import RawServer, answering, status

DATA = os.urandom(3 * BLOCK_SIZE + 5)


@contextlib.contextmanager
def opened(engine: Any, data: bytes) -> Iterator[Any]:
    """Yield a function that opens the body of a file with these bytes."""
    with RawServer(answering(status(200, data))) as server:
        wire = engine(server.url).wire
        yield lambda: open_range(wire, RequestSpec("GET", server.url), 0, None, None)


@pytest.mark.parametrize("length", [1, MIN_BLOCK_SIZE, len(DATA), len(DATA) + 10])
def test_it_is_filled_as_far_as_the_body_reaches_and_the_rest_is_left(engine: Any, length: int) -> None:
    into, most = memoryview(bytearray(length)), min(length, len(DATA))
    with opened(engine, DATA) as open_body, open_body() as incoming:
        assert incoming.readinto_full(into) == most
        assert bytes(into) == DATA[:length] + bytes(length - most)
        assert b"".join(bytes(block) for block in iter(incoming.read, b"")) == DATA[length:]


def test_a_fast_line_is_remembered_until_it_breaks(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detect large blocks on a connection that has become slow, because the stall guard would see no progress."""
    asked: List[int] = []
    real = ranges.RangeResponse._read

    def seen(self: Any, view: memoryview) -> memoryview:
        asked.append(len(view))
        return real(self, view)

    monkeypatch.setattr(ranges.RangeResponse, "_read", seen)
    set_last_block_size(MIN_BLOCK_SIZE)
    into = memoryview(bytearray(len(DATA)))
    with opened(engine, DATA) as open_body:
        for _ in range(2):
            with open_body() as incoming:
                assert incoming.readinto_full(into) == len(DATA)
    assert asked[0] <= 2 * MIN_BLOCK_SIZE
    assert max(asked) > BLOCK_SIZE
    # A body that breaks off remembers nothing, so that the one after it begins small.
    assert pop_last_block_size() > MIN_BLOCK_SIZE
    assert pop_last_block_size() == MIN_BLOCK_SIZE


def test_a_room_grows_and_is_kept() -> None:
    rooms = BufferPool()
    with rooms.borrow(10) as small:
        small[:] = b"0123456789"
    with rooms.borrow(5) as again:
        assert bytes(again) == b"01234"
    with rooms.borrow(5 * BLOCK_SIZE) as large:
        assert len(large) == 5 * BLOCK_SIZE
        large[-1:] = b"x"
    with rooms.borrow(4 * BLOCK_SIZE) as again:
        again[:1] = b"y"
        assert large[:1] == b"y"


def test_a_room_is_lent_to_one_at_a_time() -> None:
    rooms = BufferPool()
    with rooms.borrow(5) as one, rooms.borrow(5) as other:
        one[:], other[:] = b"11111", b"22222"
        assert (bytes(one), bytes(other)) == (b"11111", b"22222")
    with pytest.raises(ZeroDivisionError), rooms.borrow(5):
        raise ZeroDivisionError
    assert len(rooms._free) == 2


def test_memory_is_as_large_as_was_asked_for() -> None:
    assert len(allocate_buffer(BLOCK_SIZE + 1)) > BLOCK_SIZE
