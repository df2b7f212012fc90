"""Success: documented statuses with the documented body, for every way of making a call."""

from __future__ import annotations

import pickle
from typing import Any, Callable, Dict, Tuple

import pytest

from smartxfer.errors import DecodeError, HTTPError, SmartxferError, UnexpectedResponse
from smartxfer.transport import Body, HTTPTransport, RequestSpec, Success
from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.s3_response import STORED_EXPECTATION, get_etag_md5
from smartxfer.transport.success import default_success
from tests.support.raw_server import RawServer, answering, status

JSON = "Content-Type: application/json"
HTML = "Content-Type: text/html; charset=utf-8"
XML = "Content-Type: application/xml"
PAGE = b"<html>Please sign in</html>"
ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
MakeWire = Callable[..., HTTPTransport]

#: name: (status, body, header)
ANSWERS: Dict[str, Tuple[int, bytes, str]] = {
    "301 without Location": (301, b"", JSON), "304": (304, b"", JSON), "204": (204, b"", JSON),
    "203 with JSON": (203, b"{}", JSON), "206 with JSON": (206, b"{}", JSON),
    "200 with a page": (200, PAGE, HTML), "200 with a page said to be JSON": (200, PAGE, JSON),
    "200 with an error document": (200, ERROR, XML), "200 without a body": (200, b"", JSON),
    "101": (101, b"", "Upgrade: other"),
}
#: Bodies: what each takes of the answers above that have status 200.
TAKES = {
    Body.JSON: [],
    Body.JSON_OR_EMPTY: ["200 without a body"],
    Body.EMPTY: ["200 without a body"],
    Body.NOT_HTML: ["200 with a page said to be JSON", "200 with an error document", "200 without a body"],
    Body.ANY: [name for name in ANSWERS if name.startswith("200")],
}


def served(name: str) -> Any:
    code, body, header = ANSWERS[name]
    return answering(
        lambda request, peer: peer.answer(code, body, header, length=None if code in (204, 101, 304) else -1)
    )


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_nothing_else_is_success_unless_a_call_says_so(make_wire: MakeWire, method: str, name: str) -> None:
    with RawServer(served(name)) as server:
        wire = make_wire(server.url)
        call = RequestSpec(method, f"{server.url}/x", body=b"x" if method != "GET" else None)
        for make in (wire.request_once, wire.request):
            if (method, name) == ("DELETE", "204"):
                assert make(call).content == b""
                continue
            with pytest.raises(UnexpectedResponse) as caught:
                make(call)
            assert caught.value.status == ANSWERS[name][0]
            assert not caught.value.retryable
            assert caught.value.url == f"{server.url}/x"
            assert pickle.loads(pickle.dumps(caught.value)).status == caught.value.status


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("body", list(Body))
def test_the_body(make_wire: MakeWire, body: Body, name: str) -> None:
    with RawServer(served(name)) as server:
        call = RequestSpec("PUT", f"{server.url}/x", body=b"x", success=Success({200}, body))
        if name in TAKES[body]:
            assert make_wire(server.url).request_once(call).content == ANSWERS[name][1]
        else:
            with pytest.raises(UnexpectedResponse):
                make_wire(server.url).request_once(call)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_raw_call(make_wire: MakeWire, name: str) -> None:
    with RawServer(served(name)) as server:
        wire = make_wire(server.url)
        call = RequestSpec("GET", f"{server.url}/x")
        if name == "200 without a body":
            assert wire.request_json_or_stream(call) is None
        elif name == "200 with an error document":  # a file of that type may be what was asked for
            with wire.request_json_or_stream(call) as file:
                assert file.read() == ERROR
            with pytest.raises(UnexpectedResponse):
                wire.request_json_or_stream(RequestSpec("GET", f"{server.url}/x", success=Success({200}, Body.JSON)))
        else:
            with pytest.raises(DecodeError):
                wire.request_json_or_stream(call)


@pytest.mark.parametrize("name", ["301 without Location", "304", "204", "203 with JSON", "206 with JSON", "101"])
def test_a_stream(make_wire: MakeWire, name: str) -> None:
    with RawServer(served(name)) as server:
        wire = make_wire(server.url)
        with pytest.raises(UnexpectedResponse), wire.stream(RequestSpec("GET", f"{server.url}/x")):
            raise AssertionError("no body was to be had")
        ranged = RequestSpec("GET", f"{server.url}/x", headers={"Range": "bytes=1-"})
        if name == "206 with JSON":
            with wire.stream(ranged) as (response, _):
                assert response.status_code == 206


def test_a_stream_that_is_no_page(make_wire: MakeWire) -> None:
    with RawServer(served("200 with a page")) as server:
        call = RequestSpec("GET", f"{server.url}/x", success=Success({200}, Body.NOT_HTML))
        with pytest.raises(UnexpectedResponse, match="text/html"), make_wire(server.url).stream(call):
            raise AssertionError("no body was to be had")
        with make_wire(server.url).stream(RequestSpec("GET", f"{server.url}/x")) as (response, _):
            assert response.raw.read() == PAGE


def test_the_error_says_what_came(make_wire: MakeWire) -> None:
    with RawServer(served("200 with an error document")) as server:
        with pytest.raises(HTTPError, match="unexpected response body.*InternalError") as caught:
            make_wire(server.url).request_once(RequestSpec("PUT", f"{server.url}/x?sig=SECRET", body=b"x", success=STORED_EXPECTATION))
    assert "SECRET" not in str(caught.value)
    assert caught.value.hint
    with RawServer(served("204")) as server:
        with pytest.raises(HTTPError, match=r"204 this status is not documented as success \(200 is\)"):
            make_wire(server.url).request_once(RequestSpec("PUT", f"{server.url}/x", body=b"x", success=STORED_EXPECTATION))


def test_decoded_once_and_as_often_as_asked(make_wire: MakeWire) -> None:
    with RawServer(answering(status(200, b'{"a": [1]}', JSON))) as server:
        answer = make_wire(server.url).request_once(RequestSpec("GET", f"{server.url}/x"))
    first, second = answer.json(dict), answer.json(dict)
    first["a"].append(2)
    assert second == {"a": [1]}


@pytest.mark.parametrize("statuses", [[], [200, 304], [404], [100]])
def test_only_some_of_200_to_299_can_be_named(statuses: Any) -> None:
    with pytest.raises(ValueError, match="200 to 299"):
        Success(statuses)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_method_takes_whatever_comes(method: str) -> None:
    found = default_success(method)
    assert found.body is Body.JSON
    assert not any(found.accepts_status(code) for code in (100, 102, 203, 205, 206, 207, 226, 300, 301, 304, 400))
    assert found.accepts_status(204) is (method == "DELETE")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ETag": '"0CC175B9C0F1B6A831C399E269772661"'}, "0cc175b9c0f1b6a831c399e269772661"),
        ({"ETag": '"0cc175b9c0f1b6a831c399e269772661-2"'}, ""),
        ({"ETag": "W/abc"}, ""),
        ({}, ""),
        ({"ETag": '"0cc175b9c0f1b6a831c399e269772661"', "x-amz-server-side-encryption": "aws:kms"}, ""),
        ({"ETag": '"0cc175b9c0f1b6a831c399e269772661"', "x-amz-server-side-encryption": "AES256"},
         "0cc175b9c0f1b6a831c399e269772661"),
    ],
)  # fmt: skip
def test_the_md5_of_an_etag(headers: Dict[str, str], found: str) -> None:
    assert get_etag_md5(BufferedResponse("PUT x", 200, headers, b"")) == found


def test_a_caller_s_own_except_clauses_still_work() -> None:
    error = UnexpectedResponse("x", status=204)
    assert isinstance(error, HTTPError)
    assert isinstance(error, DecodeError)
    assert isinstance(error, SmartxferError)
