"""The cookies of a session: a server that sets too many gets those that fit into a header line."""

from __future__ import annotations

import http.cookiejar
from typing import Any

import requests

from smartxfer.transport import RetryPolicy
from smartxfer.transport.cookies import BoundedCookieJar
from smartxfer.transport.session import create_session
from tests.support.raw_server import Peer, RawServer, Request, answering


def _size(jar: Any) -> int:
    return sum(len(cookie.name) + len(cookie.value or "") for cookie in jar)


def test_the_oldest_cookies_are_dropped() -> None:
    jar = BoundedCookieJar()
    for number in range(20):
        jar.set(f"c{number}", "v" * 1000, domain="a.example.org", path="/")
    assert "c19" in jar
    assert "c0" not in jar
    assert 5000 < _size(jar) < 8000


def test_a_cookie_that_is_too_long_is_not_stored() -> None:
    jar = BoundedCookieJar()
    jar.set("session", "1")
    jar.set("long", "v" * 8000)
    assert jar.get_dict() == {"session": "1"}


def test_a_cookie_is_replaced_and_removed() -> None:
    jar = BoundedCookieJar()
    jar.set("session", "1" * 4000)
    jar.set("session", "2" * 4000)
    assert jar.get_dict() == {"session": "2" * 4000}
    jar.set("session", None)
    assert jar.get_dict() == {}


def test_a_flood_of_cookies_makes_no_header_that_servers_refuse() -> None:
    def reply(request: Request, peer: Peer) -> None:
        peer.answer(200, b"", *(f"Set-Cookie: c{number}={'v' * 1000}; Path=/" for number in range(30)))

    with RawServer(answering(reply)) as server, create_session(RetryPolicy(), 1) as session:
        for _ in range(2):
            session.get(server.url)
        assert isinstance(session.cookies, http.cookiejar.CookieJar)
        assert 0 < len(server.requests[1].headers["cookie"]) < 8000


def test_a_session_that_is_closed_has_no_connection_left_though_an_error_is_kept() -> None:
    with RawServer(answering(lambda request, peer: peer.answer(200, b"{}"))) as server:
        session = create_session(RetryPolicy(), 1)
        session.get(server.url)
        adapter: Any = session.get_adapter(server.url)
        pools = adapter.poolmanager.pools
        [pool] = [pools.get(key) for key in pools.keys()]  # noqa: SIM118 - kept, as by the traceback of an error
        [connection] = [one for one in pool.pool.queue if one is not None]
        assert connection.sock is not None
        session.close()
        assert connection.sock is None
        assert isinstance(session, requests.Session)
