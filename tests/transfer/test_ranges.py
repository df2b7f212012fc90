"""Ranges of an object, and buffers filled from a body: whole, in blocks that grow with the line."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Iterator, List, Optional

import pytest
import requests

from smartxfer.errors import DecodeError, NotFound, RangeMismatch, SizeMismatch, UnexpectedResponse
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
from tests.support.raw_server import RawServer, answering, ranged, status

DATA = bytes(range(256)) * 1000


def read(engine: Any, handler: Any, start: int, stop: Optional[int], size: Optional[int] = len(DATA)) -> Any:
    """(bytes, whole, start, size, Range header) of one try."""
    with RawServer(handler) as server:
        made = engine(server.url)
        with open_range(made.wire, RequestSpec("GET", f"{server.url}/x"), start, stop, size) as incoming:
            found = b"".join(bytes(block) for block in iter(incoming.read, b""))
        asked = server.requests[0].headers.get("range")
        return found, incoming.is_full_object, incoming.start, incoming.size, asked


@pytest.mark.parametrize(
    ("start", "stop", "header"),
    [(0, 100, "bytes=0-99"), (100, 101, "bytes=100-100"), (5, len(DATA), f"bytes=5-{len(DATA) - 1}")],
)
def test_a_range(engine: Any, start: int, stop: int, header: str) -> None:
    found = read(engine, answering(ranged(DATA)), start, stop)
    assert found == (DATA[start:stop], False, start, stop - start, header)


@pytest.mark.parametrize(("stop", "size"), [(len(DATA), len(DATA)), (None, None), (None, len(DATA))])
def test_the_whole_is_asked_for_without_a_range(engine: Any, stop: Any, size: Any) -> None:
    assert read(engine, answering(ranged(DATA)), 0, stop, size) == (DATA, True, 0, len(DATA), None)


def test_without_a_length(engine: Any) -> None:
    reply = answering(lambda request, peer: (peer.answer(200, DATA, length=None), peer.close()))
    assert read(engine, reply, 0, None, None) == (DATA, True, 0, None, None)


def test_a_200_to_a_range_says_that_it_is_the_whole(engine: Any) -> None:
    assert read(engine, answering(status(200, DATA)), 100, 200)[:3] == (DATA, True, 0)


@pytest.mark.parametrize(
    "content_range",
    [
        "",
        "bytes 101-199/256000",
        "bytes 99-199/256000",
        "bytes 100-198/256000",
        "bytes 100-199/256001",
        "bytes 100-199",
        "chars 100-199/256000",
        "bytes 100-199/256000, 300-400/256000",
        "bytes \u0661\u0660\u0660-199/256000",
        f"bytes 100-{'9' * 5000}/256000",
    ],
)
def test_a_wrong_content_range_is_refused_before_a_byte_is_read(engine: Any, content_range: str) -> None:
    field = f"Content-Range: {content_range}".encode().decode("latin-1")
    reply = status(206, DATA[100:200], *([field] if content_range else []))
    with pytest.raises(RangeMismatch, match=r"requested bytes 100-199/256000"):
        read(engine, answering(reply), 100, 200)


def test_a_total_that_the_server_does_not_know_is_accepted(engine: Any) -> None:
    reply = status(206, DATA[5:9], "Content-Range: bytes 5-8/*")
    assert read(engine, answering(reply), 5, 9)[0] == DATA[5:9]


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        *((status(code), UnexpectedResponse, f"{code} this status is not documented") for code in (201, 204, 206)),
        (status(200, DATA, "Content-Encoding: gzip"), DecodeError, "gzip"),
        (status(404, b"expired"), NotFound, "expired"),
    ],
)
def test_another_response_than_the_file(engine: Any, reply: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        read(engine, answering(reply), 0, len(DATA))


def test_another_size_than_listed(engine: Any) -> None:
    with pytest.raises(SizeMismatch) as caught:
        read(engine, answering(status(200, DATA + b"x")), 0, len(DATA))
    assert (caught.value.expected, caught.value.actual) == (len(DATA), len(DATA) + 1)


@pytest.mark.parametrize("coding", ["aws-chunked", "none", "", "identity", "AWS-chunked, None"])
def test_a_coding_that_changes_nothing_is_accepted(engine: Any, coding: str) -> None:
    field = f"Content-Encoding: {coding}"
    assert read(engine, answering(status(200, DATA, field)), 0, None, None)[0] == DATA
    part = status(206, DATA[5:9], field, "Content-Range: bytes 5-8/256000")
    assert read(engine, answering(part), 5, 9)[0] == DATA[5:9]


def test_a_total_that_is_not_the_size(engine: Any) -> None:
    """As FileSender gives it for encrypted files: the header's total is the plain size."""
    reply = answering(lambda request, peer: peer.answer(206, DATA, f"Content-Range: bytes 0-{len(DATA) - 1}/7"))
    with RawServer(reply) as server:
        wire, call = engine(server.url).wire, RequestSpec("GET", f"{server.url}/x")
        with open_range(wire, call, 0, len(DATA), len(DATA), total=7, always_send_range=True) as incoming:
            assert incoming.size == len(DATA)
        with pytest.raises(RangeMismatch, match="/8"):
            open_range(wire, call, 0, len(DATA), len(DATA), total=8, always_send_range=True).__enter__()
        assert [request.headers["range"] for request in server.requests] == [f"bytes=0-{len(DATA) - 1}"] * 2


def test_the_services_own_check_comes_first(engine: Any) -> None:
    seen: List[int] = []

    def accept(response: requests.Response) -> None:
        seen.append(response.status_code)
        raise DecodeError("a page")

    with RawServer(answering(ranged(DATA))) as server, pytest.raises(DecodeError, match="a page"):
        open_range(engine(server.url).wire, RequestSpec("GET", server.url), 0, None, None, accept).__enter__()
    assert seen == [200]


# -- filling a buffer -------------------------------------------------------------------------------------


LARGE = os.urandom(3 * BLOCK_SIZE + 5)


@contextlib.contextmanager
def opened(engine: Any, data: bytes) -> Iterator[Any]:
    """Yield a function that opens the body of a file with these bytes."""
    with RawServer(answering(status(200, data))) as server:
        wire = engine(server.url).wire
        yield lambda: open_range(wire, RequestSpec("GET", server.url), 0, None, None)


@pytest.mark.parametrize("length", [1, MIN_BLOCK_SIZE, len(LARGE), len(LARGE) + 10])
def test_it_is_filled_as_far_as_the_body_reaches_and_the_rest_is_left(engine: Any, length: int) -> None:
    into, most = memoryview(bytearray(length)), min(length, len(LARGE))
    with opened(engine, LARGE) as open_body, open_body() as incoming:
        assert (incoming.readinto_full(into), bytes(into)) == (most, LARGE[:length] + bytes(length - most))
        assert b"".join(bytes(block) for block in iter(incoming.read, b"")) == LARGE[length:]


def test_a_fast_line_is_remembered_until_it_breaks(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect large blocks on a connection that has become slow, because the stall guard would see no progress."""
    asked: List[int] = []
    real = ranges.RangeResponse._read

    def seen(self: Any, view: memoryview) -> memoryview:
        asked.append(len(view))
        return real(self, view)

    monkeypatch.setattr(ranges.RangeResponse, "_read", seen)
    set_last_block_size(MIN_BLOCK_SIZE)
    into = memoryview(bytearray(len(LARGE)))
    with opened(engine, LARGE) as open_body:
        for _ in range(2):
            with open_body() as incoming:
                assert incoming.readinto_full(into) == len(LARGE)
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
