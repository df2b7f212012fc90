"""Budget and stall rule hold on every route of a request to the server."""

from __future__ import annotations

import gc
import itertools
import ssl
from typing import Any, List, Optional

import pytest
import requests
import urllib3

from smartxfer.errors import ProxyError, Stalled
from smartxfer.transport import RequestSpec, RetryPolicy
from tests.support.raw_server import Peer, RawServer
from tests.support.slow_servers import DRIPS, FLOODS, OK, SHORT, MakeWire, bounded, dripping, slowly

#: Before Python 3.11 http.client leaves the answer to a failed CONNECT open; collected within the test.
OLD_TUNNELS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


WAYS = ["header line", "chunk extension", "trailers", "nothing"]


@pytest.mark.parametrize("phase", WAYS)
def test_over_tls(real: MakeWire, tls: ssl.SSLContext, bundle: str, phase: str) -> None:
    with RawServer(dripping(DRIPS[phase]), tls=tls) as server:
        wire = real(server.url, policy=SHORT, verify=bundle)
        assert isinstance(bounded(wire, RequestSpec("GET", f"{server.url}/x"), SHORT.budget), Stalled)


@pytest.mark.parametrize("phase", WAYS)
def test_through_a_proxy(real: MakeWire, phase: str) -> None:
    with RawServer(dripping(DRIPS[phase])) as proxy:
        wire = real("http://127.0.0.1:9", policy=SHORT, proxies={"http": proxy.url})
        assert isinstance(bounded(wire, RequestSpec("GET", "http://127.0.0.1:9/x"), SHORT.budget), Stalled)


@OLD_TUNNELS
@pytest.mark.parametrize(
    "phase", ["status line", "header line", "header lines", "interim answers", "nothing"]
)
def test_a_tunnel_in_the_making(real: MakeWire, phase: str) -> None:
    with RawServer(dripping(DRIPS[phase])) as proxy:
        wire = real("https://127.0.0.1:9", policy=SHORT, proxies={"https": proxy.url})
        error = bounded(wire, RequestSpec("POST", "https://127.0.0.1:9/x"), SHORT.budget)
    assert isinstance(error, (Stalled, ProxyError))
    assert error.may_have_been_processed is False  # so the error is not an OutcomeUnknown
    del error
    gc.collect()


@OLD_TUNNELS
@pytest.mark.parametrize("name", ["status line", "header line", "header lines", "large interim answers"])
def test_a_flood_in_place_of_a_tunnel(real: MakeWire, name: str) -> None:
    with RawServer(dripping(FLOODS[name][0])) as proxy:
        wire = real("https://127.0.0.1:9", policy=RetryPolicy(attempts=1), proxies={"https": proxy.url})
        bounded(wire, RequestSpec("GET", "https://127.0.0.1:9/x"), 1.0)
    gc.collect()


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_handshake_that_drips(real: MakeWire, scheme: str) -> None:
    """Of the server, or of a proxy."""
    if scheme == "http" and tuple(map(int, urllib3.__version__.split(".")[:2])) < (2, 3):
        pytest.skip("this urllib3 cannot send an http request through an https proxy")
    record = slowly(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00")
    with RawServer(dripping(record, lambda peer: peer)) as server:
        url = server.url.replace("http:", "https:")
        if scheme == "http":
            wire = real("http://127.0.0.1:9", policy=SHORT, proxies={"http": url})
            call = RequestSpec("GET", "http://127.0.0.1:9/x")
        else:
            wire, call = real(url, policy=SHORT), RequestSpec("GET", f"{url}/x")
        bounded(wire, call, SHORT.budget)


def test_a_handshake_within_tls_that_drips(real: MakeWire, tls: ssl.SSLContext, bundle: str) -> None:
    def tunnel(peer: Peer) -> Any:
        found = peer.head()
        if found is not None:
            peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        return found

    record = slowly(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00")
    with RawServer(dripping(record, tunnel), tls=tls) as proxy:
        wire = real("https://127.0.0.1:9", policy=SHORT, proxies={"https": proxy.url}, verify=bundle)
        bounded(wire, RequestSpec("GET", "https://127.0.0.1:9/x"), SHORT.budget)


@pytest.mark.parametrize("step", ["method", "reply"])
def test_a_socks_proxy_that_drips(real: MakeWire, step: str) -> None:
    pytest.importorskip("socks")

    def greet(peer: Peer) -> Any:
        if step == "reply":
            peer.sock.recv(3)
            peer.send(b"\x05\x00")
            peer.send(b"\x05\x00\x00\x03\xff")  # a name of 255 letters
        return peer

    drip = slowly(b"", b"\x05" if step == "method" else b"a", 0.1)
    with RawServer(dripping(drip, greet)) as proxy:
        wire = real("http://127.0.0.1:9", policy=SHORT, proxies={"http": f"socks5://127.0.0.1:{proxy.port}"})
        error = bounded(wire, RequestSpec("POST", "http://127.0.0.1:9/x"), SHORT.budget)
    assert error.may_have_been_processed is False


@pytest.mark.parametrize("phase", WAYS)
def test_behind_a_socks_proxy(real: MakeWire, phase: str) -> None:
    pytest.importorskip("socks")

    def through(peer: Peer) -> Any:
        peer.sock.recv(3)
        peer.send(b"\x05\x00")
        peer.sock.recv(10)
        peer.send(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x09")
        return peer.head()

    with RawServer(dripping(DRIPS[phase], through)) as proxy:
        wire = real("http://127.0.0.1:9", policy=SHORT, proxies={"http": f"socks5://127.0.0.1:{proxy.port}"})
        assert isinstance(bounded(wire, RequestSpec("GET", "http://127.0.0.1:9/x"), SHORT.budget), Stalled)


@pytest.mark.parametrize("warm", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("phase", WAYS)
def test_over_a_session_of_the_callers(real: MakeWire, phase: str, warm: bool) -> None:
    """Also over a connection that it had before."""
    kept: List[Optional[bool]] = [warm]

    def first(peer: Peer) -> Any:
        found = peer.head()
        if found is not None and kept.pop() if kept else False:
            peer.answer(200, b"[]")
            found = peer.head()
        return found

    with requests.Session() as session, RawServer(dripping(DRIPS[phase], first)) as server:
        if warm:
            assert session.get(f"{server.url}/x").text == "[]"
        wire = real(server.url, policy=SHORT, session=session)
        assert isinstance(bounded(wire, RequestSpec("GET", f"{server.url}/x"), SHORT.budget), Stalled)


def test_a_session_of_the_callers_does_not_read_the_body_of_a_redirect(real: MakeWire) -> None:
    def onward(peer: Peer) -> Any:
        found = peer.head()
        if found is not None and found[0].split()[1] == "/first":
            endless = itertools.repeat(b"x" * 60_000)
            peer.send(b"HTTP/1.1 302 X\r\nLocation: /second\r\n\r\n")
            for piece in endless:
                peer.send(piece)
        return found

    good = lambda: iter([OK + b"Content-Length: 2\r\n\r\n[]"])  # noqa: E731
    with requests.Session() as session, RawServer(dripping(good, onward)) as server:
        wire = real(server.url, policy=SHORT, session=session)
        assert wire.request(RequestSpec("GET", f"{server.url}/first")).json() == []
