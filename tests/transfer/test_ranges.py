from __future__ import annotations

from typing import Any, List, Optional

import pytest
import requests

from smartxfer.errors import DecodeError, NotFound, RangeMismatch, SizeMismatch, UnexpectedResponse
from smartxfer.transfer.ranges import open_range
from smartxfer.transport import RequestSpec
from tests.support.raw_server import Peer, RawServer, Request, answering, ranged

DATA = bytes(range(256)) * 1000


def read(engine: Any, handler: Any, start: int, stop: Optional[int], size: Optional[int] = len(DATA)) -> Any:
    """(bytes, whole, start, size, Range header) of one try."""
    with RawServer(handler) as server:
        made = engine(server.url)
        found = bytearray()
        with open_range(made.wire, RequestSpec("GET", f"{server.url}/x"), start, stop, size) as incoming:
            while True:
                block = incoming.read()
                if not block:
                    break
                found += block
        asked = server.requests[0].headers.get("range")
        return bytes(found), incoming.is_full_object, incoming.start, incoming.size, asked


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
    def reply(request: Request, peer: Peer) -> None:
        peer.answer(200, DATA, length=None)
        peer.close()

    assert read(engine, answering(reply), 0, None, None) == (DATA, True, 0, None, None)


def test_a_200_to_a_range_says_that_it_is_the_whole(engine: Any) -> None:
    found = read(engine, answering(lambda request, peer: peer.answer(200, DATA)), 100, 200)
    assert found[:3] == (DATA, True, 0)


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
    def reply(request: Request, peer: Peer) -> None:
        field = f"Content-Range: {content_range}".encode().decode("latin-1")
        peer.answer(206, DATA[100:200], *([field] if content_range else []))

    with pytest.raises(RangeMismatch, match=r"requested bytes 100-199/256000"):
        read(engine, answering(reply), 100, 200)


def test_a_total_that_the_server_does_not_know_is_accepted(engine: Any) -> None:
    reply = answering(lambda request, peer: peer.answer(206, DATA[5:9], "Content-Range: bytes 5-8/*"))
    assert read(engine, reply, 5, 9)[0] == DATA[5:9]


@pytest.mark.parametrize("status", [201, 204, 206])
def test_another_status(engine: Any, status: int) -> None:
    with pytest.raises(UnexpectedResponse, match=f"{status} this status is not documented"):
        read(engine, answering(lambda request, peer: peer.answer(status)), 0, len(DATA))


def test_another_size_than_listed(engine: Any) -> None:
    with pytest.raises(SizeMismatch) as caught:
        read(engine, answering(lambda request, peer: peer.answer(200, DATA + b"x")), 0, len(DATA))
    assert (caught.value.expected, caught.value.actual) == (len(DATA), len(DATA) + 1)


def test_a_packed_file_is_refused(engine: Any) -> None:
    reply = answering(lambda request, peer: peer.answer(200, DATA, "Content-Encoding: gzip"))
    with pytest.raises(DecodeError, match="gzip"):
        read(engine, reply, 0, None, None)


@pytest.mark.parametrize("coding", ["aws-chunked", "none", "", "identity", "AWS-chunked, None"])
def test_a_coding_that_changes_nothing_is_accepted(engine: Any, coding: str) -> None:
    field = f"Content-Encoding: {coding}"
    whole = answering(lambda request, peer: peer.answer(200, DATA, field))
    assert read(engine, whole, 0, None, None)[0] == DATA
    part = answering(lambda request, peer: peer.answer(206, DATA[5:9], field, "Content-Range: bytes 5-8/256000"))
    assert read(engine, part, 5, 9)[0] == DATA[5:9]


def test_a_total_that_is_not_the_size(engine: Any) -> None:
    """As FileSender gives it for encrypted files: the header's total is the plain size."""
    reply = answering(lambda request, peer: peer.answer(206, DATA, f"Content-Range: bytes 0-{len(DATA) - 1}/7"))
    with RawServer(reply) as server:
        wire, call = engine(server.url).wire, RequestSpec("GET", f"{server.url}/x")
        with open_range(wire, call, 0, len(DATA), len(DATA), total=7, always_send_range=True) as incoming:
            assert incoming.size == len(DATA)
        with pytest.raises(RangeMismatch, match="/8"):
            with open_range(wire, call, 0, len(DATA), len(DATA), total=8, always_send_range=True):
                pass
        assert [request.headers["range"] for request in server.requests] == [f"bytes=0-{len(DATA) - 1}"] * 2


def test_an_error_is_raised_with_its_words(engine: Any) -> None:
    with pytest.raises(NotFound, match="expired"):
        read(engine, answering(lambda request, peer: peer.answer(404, b"expired")), 0, None, None)


def test_the_services_own_check_comes_first(engine: Any) -> None:
    seen: List[int] = []

    def accept(response: requests.Response) -> None:
        seen.append(response.status_code)
        raise DecodeError("a page")

    with RawServer(answering(ranged(DATA))) as server:
        made = engine(server.url)
        with pytest.raises(DecodeError, match="a page"):
            with open_range(made.wire, RequestSpec("GET", server.url), 0, None, None, accept):
                raise AssertionError("not reached")
    assert seen == [200]
