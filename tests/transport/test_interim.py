"""Interim answers: skipped, bounded, and never taken for the final answer or the next one."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest
import requests

from smartxfer.errors import Forbidden, NetworkError, SmartxferError, UnexpectedResponse
from smartxfer.transport import HTTPTransport, RequestSpec, RetryPolicy
from smartxfer.transport.response_reader import MAX_INTERIM_RESPONSES
from smartxfer.transport.s3_response import STORED_EXPECTATION
from tests.support.raw_server import Peer, RawServer, Request, answering

MakeWire = Callable[..., HTTPTransport]
ONCE = RetryPolicy(attempts=1)


def interim(*codes: int, fields: str = "") -> Any:
    """Interim answers, then 403 for a PUT and 200 for anything else."""

    def reply(request: Request, peer: Peer) -> None:
        peer.send(b"".join(f"HTTP/1.1 {code} X\r\n{fields}\r\n".encode() for code in codes))
        if request.method == "PUT":
            peer.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        else:
            peer.answer(200, b"[1]", "Content-Type: application/json")

    return answering(reply)


@pytest.mark.parametrize(
    "codes", [(100,), (102,), (103,), (199,), (100, 102, 103), (102, 100, 102, 100), (103,) * MAX_INTERIM_RESPONSES]
)
def test_the_final_answer_counts(make_wire: MakeWire, codes: Any) -> None:
    with RawServer(interim(*codes, fields="Link: </style.css>; rel=preload\r\nContent-Length: 7\r\n")) as server:
        wire = make_wire(server.url)
        put = RequestSpec("PUT", f"{server.url}/x", body=b"x", success=STORED_EXPECTATION)
        with pytest.raises(Forbidden, match="AccessDenied"):
            wire.request_once(put)
        assert wire.request_once(RequestSpec("GET", f"{server.url}/x")).json() == [1]
        assert wire.request_json_or_stream(RequestSpec("GET", f"{server.url}/x")) == [1]
        with wire.stream(RequestSpec("GET", f"{server.url}/x")) as (response, _):
            assert response.raw.read() == b"[1]"
        assert server.connections == 1  # and none of the answers belonged to another request


def test_a_flood_ends(make_wire: MakeWire) -> None:
    with RawServer(interim(*[103] * (MAX_INTERIM_RESPONSES + 1))) as server:
        with pytest.raises(UnexpectedResponse, match=f"more than {MAX_INTERIM_RESPONSES} interim responses"):
            make_wire(server.url, policy=ONCE).request_once(RequestSpec("GET", f"{server.url}/x"))


def test_an_endless_flood_ends(make_wire: MakeWire) -> None:
    def flood(request: Request, peer: Peer) -> None:
        while True:
            peer.send(b"HTTP/1.1 103 X\r\n\r\n" * 100)

    with RawServer(answering(flood)) as server, pytest.raises(UnexpectedResponse):
        make_wire(server.url, policy=ONCE).request_once(RequestSpec("PUT", f"{server.url}/x", body=b"x"))


@pytest.mark.parametrize("fields", ["A: b\r\n" * 200, f"A: {'b' * 70000}\r\n"])
def test_the_fields_of_an_interim_answer_are_bounded(make_wire: MakeWire, fields: str) -> None:
    with RawServer(interim(103, fields=fields)) as server, pytest.raises(NetworkError):
        make_wire(server.url, policy=ONCE).request_once(RequestSpec("GET", f"{server.url}/x"))


def test_the_connection_ends_within_an_interim_answer(make_wire: MakeWire) -> None:
    def cut(request: Request, peer: Peer) -> None:
        peer.send(b"HTTP/1.1 102 X\r\nA: b\r\n")
        peer.close()

    with RawServer(answering(cut)) as server, pytest.raises(NetworkError):
        make_wire(server.url, policy=ONCE).request_once(RequestSpec("GET", f"{server.url}/x"))


def test_switching_protocols_is_an_answer_and_no_success(make_wire: MakeWire) -> None:
    with RawServer(interim(101)) as server, pytest.raises(UnexpectedResponse, match="101"):
        make_wire(server.url).request_once(RequestSpec("GET", f"{server.url}/x"))


@pytest.mark.parametrize("code", [102, 103])
def test_a_caller_s_own_session_skips_them_too(make_wire: MakeWire, code: int) -> None:
    with requests.Session() as session, RawServer(interim(code)) as server:
        wire = make_wire(server.url, session=session)
        put = RequestSpec("PUT", f"{server.url}/x", body=b"x", success=STORED_EXPECTATION)
        for _ in range(2):
            with pytest.raises(Forbidden, match="AccessDenied"):
                wire.request_once(put)
            assert wire.request_once(RequestSpec("GET", f"{server.url}/x")).json() == [1]
        assert server.connections == 1


class _Unwatched(requests.adapters.HTTPAdapter):
    """An adapter whose connections stay its own."""

    get_connection_with_tls_context = None  # type: ignore[assignment]

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return requests.adapters.HTTPAdapter().send(request, *args, **kwargs)


@pytest.mark.parametrize("code", [102, 103])
def test_an_adapter_that_cannot_be_watched_gives_an_error_and_no_mixed_answers(
    make_wire: MakeWire, code: int
) -> None:
    """Its connections take the interim answer for the final one; it is an error, and the connection ends."""
    with requests.Session() as session, RawServer(interim(code)) as server:
        session.mount("http://", _Unwatched())
        wire = make_wire(server.url, session=session)
        errors: List[SmartxferError] = []
        for method in ("PUT", "GET", "PUT"):
            with pytest.raises(UnexpectedResponse) as caught:
                wire.request_once(RequestSpec(method, f"{server.url}/x", body=b"x"))
            errors.append(caught.value)
        assert [getattr(error, "status", None) for error in errors] == [code] * 3
        assert server.connections == 3


def test_through_a_proxy(make_wire: MakeWire) -> None:
    with RawServer(interim(102, 103)) as proxy:
        wire = make_wire("http://127.0.0.1:9", proxies={"http": proxy.url})
        for _ in range(2):
            with pytest.raises(Forbidden):
                wire.request_once(RequestSpec("PUT", "http://127.0.0.1:9/x", body=b"x", success=STORED_EXPECTATION))
        assert proxy.connections == 1
