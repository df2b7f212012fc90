"""Single requests and retries against a server with the worst behaviour of real ones."""

from __future__ import annotations

import gzip
import io
from typing import Any, Callable

import pytest
import requests

from smartxfer import errors
from smartxfer.transport import HTTPTransport, RequestSpec, RetryPolicy
from smartxfer.transport.json_codec import encode_json
from smartxfer.transport.response import MAX_RESPONSE_BYTES
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

JSON = "Content-Type: application/json"
MakeWire = Callable[..., HTTPTransport]


ok = status(200, b'{"ok": true}', JSON)


# -- F01, F02: connections -----------------------------------------------------------------------------


def test_refused_twice_then_up(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(answering(ok)) as server:
        wire = make_wire(server.url)
        with refused_port() as port:
            real_send, seen = wire.session.send, []

            def send(request: requests.PreparedRequest, **settings: Any) -> requests.Response:
                seen.append(request)
                if len(seen) <= 2:
                    request.url = (request.url or "").replace(str(server.port), str(port))
                return real_send(request, **settings)

            wire.session.send = send  # type: ignore[method-assign]
            assert wire.request(RequestSpec("GET", f"{server.url}/x")).json() == {"ok": True}
    assert clock.waits == [0.25, 0.5]
    assert len(server.requests) == 1


def test_refused_for_good(make_wire: MakeWire, clock: FakeClock) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}/x?token=SECRET"
        with pytest.raises(errors.NetworkError, match=f"GET http://127.0.0.1:{port}/x: .*refused") as caught:
            make_wire(url).request(RequestSpec("GET", url))
    assert type(caught.value) is errors.NetworkError  # no time-out
    assert caught.value.may_have_been_processed is False
    assert "SECRET" not in str(caught.value)
    assert len(clock.waits) == 5


def test_a_write_that_never_reached_the_server_is_repeated(make_wire: MakeWire, clock: FakeClock) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}/x"
        with pytest.raises(errors.NetworkError):
            make_wire(url).request(RequestSpec("POST", url, body=b"{}"))
    assert len(clock.waits) == 5


def test_reset_before_the_headers(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(scripted(reset, ok)) as server:
        wire = make_wire(server.url)
        assert wire.request(RequestSpec("PUT", f"{server.url}/x", body=b"12345")).status == 200
        assert [request.body for request in server.requests] == [b"12345", b"12345"]
    with RawServer(scripted(reset)) as server:
        with pytest.raises(errors.NetworkError, match=f"GET {server.url}/x"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 6


def test_a_stale_kept_alive_connection_costs_a_try_and_no_more(make_wire: MakeWire) -> None:
    def once(peer: Peer) -> None:
        request = peer.request()
        assert request is not None
        ok(request, peer)

    with RawServer(once) as server:
        wire = make_wire(server.url)
        for _ in range(3):
            assert wire.request(RequestSpec("GET", f"{server.url}/x")).status == 200
        assert len(server.requests) == 3


# -- F05, F06: bodies that end early -------------------------------------------------------------------


def short(request: Request, peer: Peer) -> None:
    peer.answer(200, b"4" * 400, JSON, length=1000)
    peer.close()


def unfinished(request: Request, peer: Peer) -> None:
    peer.answer(200, b"4\r\n1234\r\n", "Transfer-Encoding: chunked", JSON, length=None)
    peer.close()


@pytest.mark.parametrize("broken", [short, unfinished])
def test_a_truncated_answer_is_never_taken(make_wire: MakeWire, broken: Any) -> None:
    with RawServer(scripted(broken, ok)) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x")).json() == {"ok": True}
        assert len(server.requests) == 2
    with RawServer(answering(broken)) as server:
        with pytest.raises(errors.Truncated) as caught:
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 6
    if broken is short:
        assert (caught.value.got, caught.value.expected) == (400, 1000)


def test_a_raw_file_is_not_cut_short_silently(make_wire: MakeWire) -> None:
    def reply(request: Request, peer: Peer) -> None:
        peer.answer(200, b"4" * 400, "Content-Type: text/plain", length=1000)
        peer.close()

    with RawServer(answering(reply)) as server:
        with make_wire(server.url).request_json_or_stream(RequestSpec("GET", f"{server.url}/x")) as file:
            with pytest.raises(errors.Truncated):
                file.read()


# -- F08, F09, F10, F11: statuses ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
def test_five_failures_are_borne_a_sixth_is_not(make_wire: MakeWire, clock: FakeClock, code: int) -> None:
    down = status(code, b'{"message": "down"}', JSON)
    with RawServer(scripted(*[down] * 5, ok)) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x")).status == 200
        assert len(server.requests) == 6
    with RawServer(answering(down)) as server:
        with pytest.raises(errors.HTTPError, match="down") as caught:
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 6
    assert caught.value.status == code


def test_429_with_a_day_to_wait(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(answering(status(429, b"", "Retry-After: 86400"))) as server:
        with pytest.raises(errors.RateLimited, match="86400"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 1
    assert clock.waits == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, errors.BadRequest), (401, errors.AuthError), (403, errors.Forbidden), (404, errors.NotFound), (409, errors.Conflict), (413, errors.TooLarge),
     (422, errors.BadRequest)],
)  # fmt: skip
def test_what_the_caller_did_wrong_is_said_once(make_wire: MakeWire, code: int, kind: type) -> None:
    with RawServer(answering(status(code))) as server:
        with pytest.raises(errors.HTTPError) as caught:
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 1
    assert type(caught.value) is kind


def test_a_post_whose_answer_is_lost_is_not_repeated(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(answering(reset)) as server:
        with pytest.raises(errors.OutcomeUnknown, match="may exist"):
            make_wire(server.url).request(RequestSpec("POST", f"{server.url}/x", body=b"{}"))
        assert len(server.requests) == 1
    with RawServer(scripted(reset, ok)) as server:
        call = RequestSpec("POST", f"{server.url}/x", body=b"{}", idempotent=True)
        assert make_wire(server.url).request(call).status == 200
        assert len(server.requests) == 2


def test_read_time_out(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(lambda peer: peer.hang()) as server:
        wire = make_wire(server.url, timeout=(5.0, 0.2), policy=RetryPolicy(attempts=2))
        with pytest.raises(errors.ReadTimeout):
            wire.request(RequestSpec("GET", f"{server.url}/x"))
        assert server.connections == 2


# -- F34/T16, F35: answers that are too much -----------------------------------------------------------


def test_an_answer_is_bounded(make_wire: MakeWire) -> None:
    def flood(request: Request, peer: Peer) -> None:
        peer.answer(200, b"", JSON, length=100 * 1024 * 1024)
        for _ in range(100):
            peer.send(b" " * 1024 * 1024)

    with RawServer(answering(flood)) as server:
        with pytest.raises(errors.DecodeError, match=f"larger than {MAX_RESPONSE_BYTES} bytes"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))


def test_a_packed_answer_is_bounded_too(make_wire: MakeWire) -> None:
    packed = gzip.compress(b" " * 50 * 1024 * 1024, 9, mtime=0)
    assert len(packed) < 200_000
    with RawServer(answering(status(200, packed, JSON, "Content-Encoding: gzip"))) as server:
        with pytest.raises(errors.DecodeError, match="larger than"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_small_packed_answer_is_read(make_wire: MakeWire) -> None:
    packed = gzip.compress(b'{"ok": true}', mtime=0)
    with RawServer(answering(status(200, packed, JSON, "Content-Encoding: gzip"))) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x")).json() == {"ok": True}


@pytest.mark.parametrize(
    ("data", "encoding", "why"),
    [
        (b"x", "br", "unexpected Content-Encoding 'br'"),
        (gzip.compress(b"x", mtime=0), "gzip, gzip", "unexpected Content-Encoding"),
        (b"no gzip", "gzip", "cannot be decompressed"),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], "gzip", "ends early"),
        (b"", "gzip", "ends early"),
    ],
)
def test_a_badly_packed_answer(make_wire: MakeWire, data: bytes, encoding: str, why: str) -> None:
    with RawServer(answering(status(200, data, JSON, f"Content-Encoding: {encoding}"))) as server:
        with pytest.raises(errors.DecodeError, match=why):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
    with RawServer(answering(status(404, data, JSON, f"Content-Encoding: {encoding}"))) as server:
        with pytest.raises(errors.NotFound):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))


@pytest.mark.parametrize("encoding", ["aws-chunked", "none", "", "None, identity"])
def test_a_coding_that_changes_nothing(make_wire: MakeWire, encoding: str) -> None:
    with RawServer(answering(status(200, b'{"ok": true}', JSON, f"Content-Encoding: {encoding}"))) as server:
        wire = make_wire(server.url)
        assert wire.request(RequestSpec("GET", f"{server.url}/x")).json() == {"ok": True}
        assert wire.request_json_or_stream(RequestSpec("GET", f"{server.url}/x")) == {"ok": True}


def test_a_page_in_place_of_json(make_wire: MakeWire) -> None:
    page = b"<html>Please sign in"
    with RawServer(answering(status(200, page, "Content-Type: text/html"))) as server:
        with pytest.raises(errors.DecodeError, match="Please sign in") as caught:
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
    assert isinstance(caught.value, errors.UnexpectedResponse)


# -- bodies --------------------------------------------------------------------------------------------


def test_a_file_like_body_is_rewound_for_every_try(make_wire: MakeWire) -> None:
    with RawServer(scripted(status(503), reset, ok)) as server:
        wire = make_wire(server.url)
        assert wire.request(RequestSpec("PUT", f"{server.url}/x", body=io.BytesIO(b"12345"))).status == 200
        assert [request.body for request in server.requests] == [b"12345"] * 3


def test_an_empty_body_has_a_length(make_wire: MakeWire) -> None:
    with RawServer(answering(ok)) as server:
        make_wire(server.url).request(RequestSpec("PUT", f"{server.url}/x", body=b""))
        headers = server.requests[0].headers
    assert headers["content-length"] == "0"
    assert "transfer-encoding" not in headers


def test_an_early_refusal_is_read_though_the_body_cannot_be_sent(make_wire: MakeWire) -> None:
    def handler(peer: Peer) -> None:
        peer.head()
        peer.answer(413, b"too much", "Connection: close")
        peer.sock.shutdown(1)
        while peer.sock.recv(65536):  # the rest is thrown away, as a polite server does
            pass

    with RawServer(handler) as server, pytest.raises(errors.TooLarge):
        make_wire(server.url).request(RequestSpec("PUT", f"{server.url}/x", body=bytes(8 * 1024 * 1024)))


def test_what_a_body_raises_is_not_a_wire_failure(make_wire: MakeWire) -> None:
    class Body(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise errors.SourceChanged("shorter")

    with RawServer(lambda peer: peer.hang()) as server, pytest.raises(errors.SourceChanged):
        make_wire(server.url).request(RequestSpec("PUT", f"{server.url}/x", body=Body(b"12345")))


# -- signatures ----------------------------------------------------------------------------------------


def test_every_try_is_signed_afresh(make_wire: MakeWire) -> None:
    numbers = iter(range(100))

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"n{next(numbers)}"
        return request

    with RawServer(scripted(reset, status(503), ok)) as server:
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", auth=sign))
        assert [request.headers["authorization"] for request in server.requests] == ["n0", "n1", "n2"]


def test_json_bodies_are_utf8() -> None:
    assert encode_json({"name": "Grüße", "n": [1]}) == '{"name":"Grüße","n":[1]}'.encode()
    with pytest.raises(errors.UsageError, match="not valid Unicode") as caught:
        encode_json({"name": "caf\udce9.txt"})  # a file name in Latin-1, as Python reads it
    assert "name" in caught.value.hint
