"""Decoded answers, streams, a caller's own session, and `responses` instead of a server."""

from __future__ import annotations

from typing import Any, Callable, Dict

import pytest
import requests
import responses

from smartxfer.errors import NotFound, ServerError, UnexpectedResponse
from smartxfer.transport import Body, HTTPTransport, RequestSpec, Success
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import RawServer, answering, status

JSON = "Content-Type: application/json"
MakeWire = Callable[..., HTTPTransport]


ok = status(200, b'{"ok": true}', JSON)


# -- exchange ------------------------------------------------------------------------------------------


def test_exchange(make_wire: MakeWire) -> None:
    replies: Dict[str, Any] = {
        "/json": status(200, b"[1]", "Content-Type: application/problem+json; charset=utf-8"),
        "/none": status(200, b"", JSON),
        "/204": lambda request, peer: peer.answer(204, b"", length=None),
        "/page": status(200, b"<html>Please sign in", "Content-Type: text/html"),
        "/empty": status(200, b"", "Content-Type: text/html"),
        "/file": status(200, b"bytes", "Content-Type: application/octet-stream"),
        "/bad": status(404, b'{"message": "gone"}', JSON),
    }
    with RawServer(answering(lambda request, peer: replies[request.path](request, peer))) as server:
        wire = make_wire(server.url)

        def get(path: str) -> Any:
            return wire.request_json_or_stream(RequestSpec("GET", server.url + path))

        assert get("/json") == [1]
        assert get("/none") is None
        assert wire.request_json_or_stream(RequestSpec("DELETE", f"{server.url}/204")) is None
        assert get("/empty") is None
        file = get("/file")
        assert file.status == 200
        assert file.readable()
        assert (file.read(2), file.read(), file.read()) == (b"by", b"tes", b"")
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()
        with pytest.raises(NotFound, match="gone"):
            get("/bad")
        for path in ("/204", "/page"):
            with pytest.raises(UnexpectedResponse):
                get(path)


def test_stream_reads_the_error_of_a_bad_status(make_wire: MakeWire) -> None:
    with RawServer(answering(status(500, b'{"message": "broken"}', JSON))) as server:
        with pytest.raises(ServerError, match="broken"):
            with make_wire(server.url).stream(RequestSpec("GET", f"{server.url}/x")):
                raise AssertionError("no body was to be had")


def test_the_cookies_of_one_answer_in_order(make_wire: MakeWire) -> None:
    reply = status(200, b"", "Set-Cookie: csrf=1; Path=/", "Set-Cookie: other=2")
    with RawServer(answering(reply)) as server:
        call = RequestSpec("GET", f"{server.url}/x", success=Success({200}, Body.EMPTY))
        answer = make_wire(server.url).request(call)
    assert sorted(answer.cookies) == [("csrf", "1"), ("other", "2")]


# -- a caller's own session ----------------------------------------------------------------------------


def test_a_given_session_is_neither_changed_nor_closed(make_wire: MakeWire) -> None:
    with requests.Session() as session, RawServer(answering(ok)) as server:
        adapters = dict(session.adapters)
        headers = dict(session.headers)
        session.headers["X-Mine"] = "yes"
        wire = make_wire(server.url, session=session)
        assert wire.request(RequestSpec("GET", f"{server.url}/x")).status == 200
        wire.close()
        assert session.get(f"{server.url}/y").status_code == 200  # on the same connection
        assert dict(session.adapters) == adapters
        assert {**headers, "X-Mine": "yes"} == dict(session.headers)
        assert session.trust_env is True
        assert server.connections == 1
        assert [request.headers["x-mine"] for request in server.requests] == ["yes", "yes"]


def test_responses_can_stand_in_for_the_server(make_wire: MakeWire, clock: FakeClock) -> None:
    url = "http://127.0.0.1:9/api"
    with responses.RequestsMock() as mocked:
        mocked.get(f"{url}/x", status=503)
        mocked.get(f"{url}/x", json={"a": 1})
        mocked.get(f"{url}/file", body=b"bytes", content_type="application/octet-stream")
        wire = make_wire(url)
        assert wire.request(RequestSpec("GET", f"{url}/x", params=[("q", "1")])).json() == {"a": 1}
        assert wire.request_json_or_stream(RequestSpec("GET", f"{url}/file")).read() == b"bytes"
        with wire.stream(RequestSpec("GET", f"{url}/file")) as (response, _):
            assert response.raw.read1(2) == b"by"
        assert len(mocked.calls) == 4
    assert len(clock.waits) == 1
