"""Servers that drip and flood, and the limits of a call to one."""

from __future__ import annotations

import itertools
import time
from typing import Any, Callable, Dict, Iterator, Tuple

import pytest

from smartxfer.errors import CommunicationError, DecodeError, NetworkError, SmartxferError, UnexpectedResponse
from smartxfer.transport import Body, HTTPTransport, RequestSpec, RetryPolicy, Success
from tests.support.raw_server import Peer
from tests.support.stopwatch import Stopwatch

MakeWire = Callable[..., HTTPTransport]
Drip = Callable[[], Iterator[bytes]]
ANY = Success({200}, Body.ANY)
#: The budget alone ends the call.
SHORT = RetryPolicy(budget=0.3, attempts=50)
#: The stall rule alone ends the call.
STALL = RetryPolicy(attempts=1, stall_speed=1000, stall_window=0.2)
#: Seconds that a loaded machine may need on top.
SLACK = 2.0


def slowly(start: bytes, unit: bytes, seconds: float = 0.02) -> Drip:
    """Some bytes at once, then ``unit`` again and again."""

    def pieces() -> Iterator[bytes]:
        yield start
        while True:
            time.sleep(seconds)
            yield unit

    return pieces


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
#: By phase: what a server says there that never ends.
DRIPS: Dict[str, Drip] = {
    "status line": slowly(b"HTTP/1.1 2", b"0"),
    "header line": slowly(OK + b"X: ", b"y"),
    "header lines": slowly(OK, b"X: y\r\n"),
    "interim answers": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "fields of an interim answer": slowly(b"HTTP/1.1 103 X\r\n", b"X: y\r\n"),
    "body": slowly(OK + b"Content-Length: 1000000\r\n\r\n[", b" "),
    "body without length": slowly(OK + b"Connection: close\r\n\r\n[", b" "),
    "chunk size": slowly(CHUNKED, b"0"),
    "chunk extension": slowly(CHUNKED + b"1;", b"x"),
    "chunks": slowly(CHUNKED, b"1\r\n \r\n"),
    "trailers": slowly(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X: y\r\n"),
    "nothing": slowly(b"", b""),
}


def dripping(drip: Drip, also: Callable[[Peer], Any] = lambda peer: peer.head()) -> Callable[[Peer], None]:
    def handler(peer: Peer) -> None:
        if also(peer) is None:
            return
        for piece in drip():
            if peer.server.ended.is_set():
                return
            peer.send(piece)

    return handler


def bounded(wire: HTTPTransport, call: RequestSpec, seconds: float, how: str = "request") -> SmartxferError:
    """Return what a call ends with, which is within ``seconds``."""
    watch = Stopwatch()
    with pytest.raises(CommunicationError) as caught:
        found = getattr(wire, how)(call)
        if how == "request_json_or_stream":
            found.read()
        if how == "stream":
            with found as (response, _):
                while wire.translate_errors(call.description, response.raw.read1, 65536, False):
                    pass
    assert watch.seconds() < seconds + SLACK
    return caught.value


def flood(start: bytes, unit: bytes) -> Drip:
    return lambda: itertools.chain([start], itertools.repeat(unit * (1 + 60_000 // len(unit))))


#: By name: what comes without end, and fast; and what it ends with.
FLOODS: Dict[str, Tuple[Drip, type]] = {
    "status line": (flood(b"HTTP/1.1 200 ", b"x"), NetworkError),
    "header line": (flood(OK + b"X: ", b"y"), NetworkError),
    "header lines": (flood(OK, b"X: y\r\n"), NetworkError),
    "interim answers": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), UnexpectedResponse),
    "large interim answers": (
        flood(b"", b"HTTP/1.1 103 X\r\nX: " + b"y" * 30_000 + b"\r\n\r\n"),
        DecodeError,
    ),
    "chunk extension": (flood(CHUNKED + b"1;", b"x"), NetworkError),
    "chunk extensions": (flood(CHUNKED, b"1;" + b"x" * 60_000 + b"\r\n \r\n"), DecodeError),
    "trailers": (flood(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X: y\r\n"), DecodeError),
    "large trailers": (flood(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X: " + b"y" * 60_000 + b"\r\n"), DecodeError),
    "body": (flood(OK + b"Connection: close\r\n\r\n[", b" "), DecodeError),
    "chunks": (flood(CHUNKED, b"1\r\n \r\n"), DecodeError),
}
