from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List

import pytest
import requests

from smartxfer.errors import RedirectRefused
from smartxfer.transport import Body, HTTPTransport, RequestSpec, Success
from smartxfer.transport.origin import MAX_REDIRECTS, redirect_target
from tests.support.raw_server import Peer, RawServer, Request, answering

MakeWire = Callable[..., HTTPTransport]
#: The body does not matter here.
ANY = Success({200}, Body.ANY)


def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = "SECRET"
    request.headers["X-Key"] = "SECRET"
    request.prepare_url(request.url, {"signature": "SECRET"})
    return request


def to(location: str, code: int = 302, *headers: str) -> Callable[[Request, Peer], None]:
    return lambda request, peer: peer.answer(code, b"moved", f"Location: {location}", *headers)


def everything(request: Request) -> str:
    return repr((request.target, sorted(request.headers.items()), request.body))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_another_origin_sees_no_credentials(make_wire: MakeWire, home: Path, code: int) -> None:
    with RawServer(answering(lambda request, peer: peer.answer(200, b"there"))) as other:
        # What requests would send of its own accord: a password that netrc holds for the other place.
        netrc = home / ".netrc"
        netrc.write_text("machine 127.0.0.1 login me password SECRET\n")
        netrc.chmod(0o600)
        redirect = to(f"{other.url}/y?their=query", code, "Set-Cookie: session=SECRET")
        with RawServer(answering(redirect)) as server:
            wire = make_wire(server.url)
            call = RequestSpec("GET", f"{server.url}/x", params=[("token", "SECRET")], auth=sign, success=ANY)
            assert wire.request(call).text == "there"
            assert server.requests[0].headers["x-key"] == "SECRET"
            wire.request(call)  # now with a cookie in the jar
            assert "session" in server.requests[1].headers["cookie"]
        assert [request.target for request in other.requests] == ["/y?their=query"] * 2
        assert "SECRET" not in "".join(map(everything, other.requests))
        assert "bWU6" not in "".join(map(everything, other.requests))  # "me:", in base 64


def test_another_origin_sees_nothing_of_a_callers_session(make_wire: MakeWire) -> None:
    """Fails if what a caller put into a session for the service follows a redirect, or goes to a storage."""
    with RawServer(answering(lambda request, peer: peer.answer(200, b"there"))) as other:
        with RawServer(answering(to(f"{other.url}/y?their=query", 302))) as server, requests.Session() as session:
            session.headers.update({"Authorization": "Bearer SECRET", "X-Api-Key": "SECRET"})
            session.cookies.set("login", "SECRET")
            session.auth = ("me", "SECRET")
            wire = make_wire(server.url, session=session)
            for url in (f"{server.url}/x", f"{other.url}/z"):
                assert wire.request(RequestSpec("GET", url, headers={"X-Ours": "1"}, success=ANY)).text == "there"
            [own] = server.requests
            assert own.headers["x-api-key"] == "SECRET"
        assert [request.target for request in other.requests] == ["/y?their=query", "/z"]
        assert [request.headers["x-ours"] for request in other.requests] == ["1", "1"]
        assert "SECRET" not in "".join(map(everything, other.requests))
        assert all("authorization" not in request.headers for request in other.requests)


def test_netrc_is_never_read_for_the_server_itself(make_wire: MakeWire, home: Path) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n")
    netrc.chmod(0o600)
    with RawServer(answering(lambda request, peer: peer.answer())) as server:
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", success=ANY))
        with requests.Session() as session:
            make_wire(server.url, session=session).request(RequestSpec("GET", f"{server.url}/x", success=ANY))
        assert [request.headers.get("authorization") for request in server.requests] == [None, None]


def test_the_same_origin_is_signed_again(make_wire: MakeWire) -> None:
    def reply(request: Request, peer: Peer) -> None:
        (to("y") if request.path == "/a/x" else lambda request, peer: peer.answer(200, b"there"))(
            request, peer
        )

    with RawServer(answering(reply)) as server:
        answer = make_wire(server.url).request(RequestSpec("GET", f"{server.url}/a/x", auth=sign, success=ANY))
        assert answer.text == "there"
        assert [request.path for request in server.requests] == ["/a/x", "/a/y"]
        assert server.requests[1].headers["x-key"] == "SECRET"


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_write_is_never_redirected(make_wire: MakeWire, method: str, code: int) -> None:
    with RawServer(answering(to("/elsewhere?token=SECRET", code))) as server:
        with pytest.raises(RedirectRefused, match=f"{method} .* is redirected to .*/elsewhere") as caught:
            make_wire(server.url).request(RequestSpec(method, f"{server.url}/x", body=b"data"))
        assert len(server.requests) == 1
    assert "base URL" in caught.value.hint
    assert "SECRET" not in str(caught.value)


def test_hops_are_counted(make_wire: MakeWire) -> None:
    with RawServer(answering(to("/round"))) as server:
        with pytest.raises(RedirectRefused, match="more than 5"):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://h/x", "http://[", "http://evil.example\\@127.0.0.1/", "https:///x"],
)
def test_a_redirect_to_no_web_address(make_wire: MakeWire, location: str) -> None:
    with RawServer(answering(to(location))) as server, pytest.raises(RedirectRefused, match="an invalid URL"):
        make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))


def response(code: int, url: str, location: Any = None) -> requests.Response:
    made = requests.Response()
    made.status_code, made.url = code, url
    if location is not None:
        made.headers["Location"] = location
    return made


def test_https_never_falls_back() -> None:
    with pytest.raises(RedirectRefused, match="from https to http"):
        redirect_target(response(302, "https://h/x", "http://h/x"), "GET", 0)
    assert redirect_target(response(302, "http://h/x", "https://h/y"), "GET", 0) == "https://h/y"
    assert redirect_target(response(302, "https://h/x", "//g/y"), "HEAD", 0) == "https://g/y"


@pytest.mark.parametrize("code", [200, 204, 300, 304, 404])
def test_no_redirect(code: int) -> None:
    assert redirect_target(response(code, "http://h/x", "http://h/y"), "PUT", 0) is None


def test_a_redirect_that_leads_nowhere_is_an_answer() -> None:
    assert redirect_target(response(302, "http://h/x"), "PUT", 0) is None


def test_redirects_close_their_connections(make_wire: MakeWire) -> None:
    seen: List[str] = []
    with RawServer(answering(lambda request, peer: peer.answer(200, b"there"))) as other:
        with RawServer(answering(to(f"{other.url}/y"))) as server:
            wire = make_wire(server.url)
            seen.extend(wire.request(RequestSpec("GET", f"{server.url}/x", success=ANY)).text for _ in range(3))
        assert other.connections == 1
    assert seen == ["there"] * 3


def test_the_body_of_a_redirect_is_not_read(make_wire: MakeWire) -> None:
    def flood(request: Request, peer: Peer) -> None:
        if request.path == "/y":
            peer.answer(200, b"there")
            return
        peer.answer(302, b"", "Location: /y", length=10**12)
        while True:
            peer.send(bytes(65536))  # ends when the client hangs up

    with RawServer(answering(flood)) as server:
        assert make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x", success=ANY)).text == "there"


@pytest.mark.parametrize("code", [307, 308])
def test_a_body_goes_along_where_that_is_meant(make_wire: MakeWire, code: int) -> None:
    with RawServer(answering(lambda request, peer: peer.answer())) as other:
        with RawServer(answering(to(f"{other.url}/y", code))) as server:
            wire = make_wire(server.url)
            with pytest.raises(RedirectRefused):
                wire.request(RequestSpec("PUT", f"{server.url}/x", body=b"body", auth=sign))
            again = RequestSpec("PUT", f"{server.url}/x", body=b"body", auth=sign, follow_307=True, success=ANY)
            wire.request(again)
    ((method, body),) = [(request.method, request.body) for request in other.requests]
    assert (method, body) == ("PUT", b"body")
    assert "SECRET" not in "".join(map(everything, other.requests))


@pytest.mark.parametrize("code", [301, 302, 303])
def test_a_body_goes_nowhere_by_the_others(make_wire: MakeWire, code: int) -> None:
    with RawServer(answering(to("/y", code))) as server:
        with pytest.raises(RedirectRefused):
            make_wire(server.url).request(RequestSpec("PUT", f"{server.url}/x", body=b"body", follow_307=True))
        assert len(server.requests) == 1
