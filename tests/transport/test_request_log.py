"""DEBUG lines about requests: one for each request, one for its result."""

from __future__ import annotations

import logging
import re
from typing import Any, Callable, List

import pytest

from smartxfer.errors import NetworkError, NotFound
from smartxfer.transport import HTTPTransport, RequestSpec, RetryPolicy
from smartxfer.transport import http_transport as wire_module
from smartxfer.transport.request_log import RequestLogger
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import (
    Peer,
    RawServer,
    Request,
    answering,
    refused_port,
    reset,
    scripted,
    status,
)

MakeWire = Callable[..., HTTPTransport]
JSON = "Content-Type: application/json"


ok = status(200, b'{"ok": true}', JSON)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], List[str]]:
    """Return the DEBUG lines of the package, times without their numbers."""
    caplog.set_level(logging.DEBUG, "smartxfer")

    def found() -> List[str]:
        return [
            re.sub(r"\b\d+ ms\b", "N ms", record.getMessage())
            for record in caplog.records
            if record.name.startswith("smartxfer") and record.levelno == logging.DEBUG
        ]

    return found


def test_a_request_and_its_response(make_wire: MakeWire, lines: Callable[[], List[str]]) -> None:
    with RawServer(answering(ok)) as server:
        url = server.url.replace("//", "//ann:hunter22@")
        make_wire(server.url).request(RequestSpec("PUT", f"{url}/a/b?token=t0ps3cret#x", params=[("key", "k3y")], body=b"12345"))
    assert lines() == [
        f"request: PUT {server.url}/a/b, 5 bytes, attempt 1 of 6",
        f"response: PUT {server.url}/a/b, 200, 12 bytes, N ms, attempt 1 of 6",
    ]


@pytest.mark.parametrize("way", ["request", "request_json_or_stream"])
def test_every_attempt_has_its_two_lines(make_wire: MakeWire, lines: Callable[[], List[str]], way: str) -> None:
    with RawServer(scripted(reset, status(503), ok)) as server:
        getattr(make_wire(server.url), way)(RequestSpec("GET", f"{server.url}/a"))
    assert len(server.requests) == 3
    assert lines() == [
        f"request: GET {server.url}/a, 0 bytes, attempt 1 of 6",
        f"no response: GET {server.url}/a, NetworkError, N ms, attempt 1 of 6",
        f"request: GET {server.url}/a, 0 bytes, attempt 2 of 6",
        f"response: GET {server.url}/a, 503, 0 bytes, N ms, attempt 2 of 6",
        f"request: GET {server.url}/a, 0 bytes, attempt 3 of 6",
        f"response: GET {server.url}/a, 200, 12 bytes, N ms, attempt 3 of 6",
    ]


def test_a_response_without_a_length(make_wire: MakeWire, lines: Callable[[], List[str]]) -> None:
    def chunked(request: Request, peer: Peer) -> None:
        peer.answer(200, b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked", JSON, length=None)

    with RawServer(answering(chunked)) as server:
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a"))
    assert lines()[1:] == [f"response: GET {server.url}/a, 200, ? bytes, N ms, attempt 1 of 6"]


def test_a_redirect_is_a_request_of_its_own(make_wire: MakeWire, lines: Callable[[], List[str]]) -> None:
    def reply(request: Request, peer: Peer) -> None:
        if request.path == "/a":
            peer.answer(302, b"", "Location: /b?signature=s1gn4ture")
        else:
            ok(request, peer)

    with RawServer(answering(reply)) as server:
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a"))
    assert [line.split(",")[0] for line in lines()] == [
        f"request: GET {server.url}/a", f"response: GET {server.url}/a", f"request: GET {server.url}/b",
        f"response: GET {server.url}/b",
    ]
    assert "s1gn4ture" not in "".join(lines())


def test_a_refused_connection_is_logged(make_wire: MakeWire, lines: Callable[[], List[str]]) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(NetworkError):
            make_wire(url, policy=RetryPolicy(attempts=1)).request(RequestSpec("GET", f"{url}/a"))
    assert lines() == [
        f"request: GET {url}/a, 0 bytes, attempt 1 of 1",
        f"no response: GET {url}/a, NetworkError, N ms, attempt 1 of 1",
    ]


def test_an_error_has_its_lines_too(make_wire: MakeWire, lines: Callable[[], List[str]]) -> None:
    with RawServer(answering(status(404))) as server, pytest.raises(NotFound):
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a"))
    assert [line.split(":")[0] for line in lines()] == ["request", "response"]


def test_without_debug_no_line_is_made(make_wire: MakeWire, caplog: Any, monkeypatch: Any) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("a line is made that is not logged")

    monkeypatch.setattr(wire_module, "RequestLogger", never)
    caplog.set_level(logging.INFO, "smartxfer")
    with RawServer(answering(ok)) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a")).status == 200
    with RawServer(answering(ok)) as server, pytest.raises(AssertionError, match="is not logged"):
        caplog.set_level(logging.DEBUG, "smartxfer")
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a"))


def test_a_long_address_is_shortened(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "smartxfer.transport")
    RequestLogger("GET", "http://127.0.0.1/" + "a" * 10_000, None, FakeClock(), 1)
    [line] = caplog.messages
    assert len(line) < 600
    assert line.startswith("request: GET http://127.0.0.1/aaa")
