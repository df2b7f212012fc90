from __future__ import annotations

from typing import Any, List, Optional

import pytest
import requests

from smartxfer.errors import DecodeError, NotFound, RangeMismatch, SizeMismatch, UnexpectedResponse
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
