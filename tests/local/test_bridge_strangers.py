"""Unwanted clients of the bridge: ambiguous requests, and sessions by the thousand."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
from typing import Any, Iterator, List

import pytest

from smartxfer.jetstream_bridge import Bridge
from smartxfer.local.jsonrpc import Session, Sessions
from tests.support.local.bridge_calls import Calls, stand_in

CALL = b'{"jsonrpc": "2.0", "id": 1, "method": "echo", "params": {}}'

package = stand_in()


@pytest.fixture
def bridge(package: Any) -> Iterator[Bridge]:
    package.INTERFACES.clear()
    with Bridge("transfer.example.org", 8886) as bridge:
        yield bridge
    assert bridge.listener.crashes == []
    assert not any(interface.connected for interface in package.INTERFACES)


# -- ambiguous requests -----------------------------------------------------------------------------------------

LENGTH = b"Content-Length: %d\r\n" % len(CALL)
JSON = b"Host: x\r\nContent-Type: application/json\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CALL), CALL)


def _chunked(size: bytes, end: bytes = b"\r\n") -> bytes:
    return JSON + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + CALL + end + b"0\r\n\r\n"


#: By name: headers, empty line and body.
AMBIGUOUS = {
    "two lengths": JSON + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + CALL,
    "two lengths, the longer first": JSON + LENGTH + b"Content-Length: 0\r\n\r\n" + CALL,
    "a list of lengths": JSON + b"Content-Length: 0, %d\r\n\r\n" % len(CALL) + CALL,
    "a length with a sign": JSON + b"Content-Length: +%d\r\n\r\n" % len(CALL) + CALL,
    "a length and chunks": JSON + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "two codings": JSON + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "an unknown coding": JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "a blank before the colon": JSON + b"Content-Length : %d\r\n\r\n" % len(CALL) + CALL,
    "a folded line": JSON + b"X: 1\r\n Content-Length: 0\r\n" + LENGTH + b"\r\n" + CALL,
    "two hosts": JSON + b"Host: y\r\n" + LENGTH + b"\r\n" + CALL,
    "a bare CR": JSON + b"X: 1\rContent-Length: 0\r\n" + LENGTH + b"\r\n" + CALL,
    "a NUL": JSON + b"X: 1\0\r\n" + LENGTH + b"\r\n" + CALL,
    "no name": JSON + b": 1\r\n" + LENGTH + b"\r\n" + CALL,
}


def _ask(bridge: Bridge, rest: bytes) -> bytes:
    """Return everything that the bridge sends until it closes the connection or waits for more."""
    with socket.create_connection(("127.0.0.1", bridge.listener.port), 10) as sock:
        sock.sendall(b"POST /jsonrpc HTTP/1.1\r\n" + rest)
        sock.shutdown(socket.SHUT_WR)
        said = b""
        with contextlib.suppress(ConnectionError):  # closed before everything was read
            for part in iter(lambda: sock.recv(65536), b""):
                said += part
        return said


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(bridge: Bridge, package: Any, name: str) -> None:
    """A proxy in front of the bridge could parse it as another request."""
    said = _ask(bridge, AMBIGUOUS[name])
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1, "nothing after it is read as a request"
    assert package.INTERFACES == []


#: Lengths of a chunk that Python's int() reads, and others that are wrong.
LENGTHS = (
    b"-%x" % len(CALL), b"+%x" % len(CALL), b"0x%x" % len(CALL), b"%x_%x" % divmod(len(CALL), 16),
    b" %x" % len(CALL), b"%x" % (len(CALL) - 1),
)  # fmt: skip


@pytest.mark.parametrize("rest", [*map(_chunked, LENGTHS), _chunked(b"%x" % len(CALL), end=b"xx")])
def test_a_chunk_whose_length_only_python_reads(bridge: Bridge, package: Any, rest: bytes) -> None:
    """The call is not executed, and the following bytes are not parsed as a request."""
    said = _ask(bridge, rest + b"POST /jsonrpc HTTP/1.1\r\n" + JSON + LENGTH + b"\r\n" + CALL)
    assert b"200" not in said[:16]
    assert said.count(b"HTTP/1.1 ") <= 1
    assert [interface.called for interface in package.INTERFACES] == []


@pytest.mark.parametrize(
    "rest",
    [
        JSON + LENGTH + LENGTH + b"\r\n" + CALL,
        JSON + b"Cookie: a=1\r\nCookie: b=2\r\n" + LENGTH + b"\r\n" + CALL,
        JSON + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        JSON + b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS,
    ],
)  # fmt: skip
def test_what_can_be_read_in_one_way_is_answered(bridge: Bridge, rest: bytes) -> None:
    said = _ask(bridge, rest)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b'"result"' in said


# -- sessions by the thousand ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1100, pytest.param(3000, marks=pytest.mark.slow)])
def test_sessions_without_a_login_push_out_no_login(bridge: Bridge, package: Any, count: int) -> None:
    """A client without login opens sessions in a loop: sessions with a login survive."""
    user = Calls(bridge.url).login()
    stranger = http.client.HTTPConnection("127.0.0.1", bridge.listener.port, timeout=30)
    login = user.http.cookies["JSSESSION"]
    for _ in range(count):
        stranger.request("POST", "/jsonrpc", CALL, {"Content-Type": "application/json"})
        assert b'"result"' in stranger.getresponse().read()
    assert user("send.getManifests") == []
    assert user.http.cookies["JSSESSION"] == login
    open_now = sum(interface.connected for interface in package.INTERFACES)
    assert open_now <= 251, "connections to the server are bounded, too"
    user.http.close()
    stranger.close()


def _sessions(ended: List[Any]) -> Sessions:
    ticks = itertools.count(1)
    return Sessions(dict, ended.append, lambda: float(next(ticks)), lambda state: "user" in state)


def _login(sessions: Sessions, address: str = "") -> Session:
    session = sessions.new(address)
    session.state["user"] = "ann"
    return session


def test_a_flood_of_one_address_ends_its_own_sessions() -> None:
    ended: List[Any] = []
    sessions = _sessions(ended)
    one = sessions.new("192.0.2.1")
    for _ in range(1000):
        sessions.new("192.0.2.2")
    assert sessions.find(one.id) is one
    assert len(sessions.all()) == 250
    assert len(ended) == 751


def test_a_flood_of_logins_of_one_address_ends_its_own() -> None:
    sessions = _sessions([])
    user = _login(sessions, "192.0.2.1")
    for _ in range(1100):
        _login(sessions, "192.0.2.2")
    assert sessions.find(user.id) is user
    assert len(sessions.all()) <= 1001


def test_a_session_with_a_call_at_work_is_ended_last() -> None:
    """A session with a running login has no login yet."""
    sessions = _sessions([])
    first = sessions.new()

    def login() -> Any:
        for _ in range(1000):
            sessions.new()
        return {"found": sessions.find(first.id) is first}

    assert first.call_once(1, b"", login) == {"found": True}
    for _ in range(300):
        sessions.new()
    assert sessions.find(first.id) is None
