"""Budget and stall rule hold in every phase of a request, and what surrounds a body is of bounded size."""

from __future__ import annotations

import io
import itertools
import ssl
import threading
import time
from typing import Iterator

import pytest

from smartxfer.errors import DecodeError, NetworkError, Stalled
from smartxfer.transport import RequestSpec, RetryPolicy
from tests.support.raw_server import Peer, RawServer
from tests.support.slow_servers import (
    ANY,
    CHUNKED,
    DRIPS,
    FLOODS,
    OK,
    SHORT,
    STALL,
    MakeWire,
    bounded,
    dripping,
    slowly,
)


@pytest.mark.parametrize("phase", DRIPS)
def test_the_budget_holds_in_every_phase(real: MakeWire, phase: str) -> None:
    with RawServer(dripping(DRIPS[phase])) as server:
        error = bounded(real(server.url, policy=SHORT), RequestSpec("GET", f"{server.url}/x"), SHORT.budget)
    assert isinstance(error, Stalled)
    assert "/x" in error.summary
    assert "RetryPolicy(" in error.hint


@pytest.mark.parametrize("phase", sorted(set(DRIPS) - {"nothing", "interim answers"}))
def test_the_stall_rule_holds_in_every_phase(real: MakeWire, phase: str) -> None:
    with RawServer(dripping(DRIPS[phase])) as server:
        wire = real(server.url, policy=STALL)
        error = bounded(wire, RequestSpec("GET", f"{server.url}/x"), STALL.stall_window)
    assert isinstance(error, Stalled)
    assert "less than 1000 bytes/s" in error.summary


def test_all_tries_have_one_budget(real: MakeWire) -> None:
    policy = RetryPolicy(budget=0.5, attempts=50, backoff=0.01, stall_speed=1000, stall_window=0.1)
    with RawServer(dripping(DRIPS["header line"])) as server:
        error = bounded(real(server.url, policy=policy), RequestSpec("GET", f"{server.url}/x"), policy.budget)
        assert server.connections > 2
    assert isinstance(error, NetworkError)


@pytest.mark.parametrize("how", ["request_json_or_stream", "stream"])
@pytest.mark.parametrize("phase", ["body", "body without length", "chunk extension", "chunks", "trailers"])
def test_a_file_that_drips(real: MakeWire, phase: str, how: str) -> None:
    """No budget ends the body, because a file may take long; the stall rule does, also after the call returned."""
    with RawServer(dripping(DRIPS[phase])) as server:
        call = RequestSpec("GET", f"{server.url}/x", success=ANY)
        error = bounded(real(server.url, policy=STALL), call, STALL.stall_window, how)
    assert isinstance(error, Stalled)


def test_a_large_body_lasts_longer_than_the_budget(real: MakeWire) -> None:
    def pieces() -> Iterator[bytes]:
        yield OK + b"Content-Length: 100000\r\n\r\n"
        for _ in range(10):
            time.sleep(0.06)
            yield b"x" * 10_000

    policy = RetryPolicy(attempts=1, budget=0.3, stall_speed=1000, stall_window=0.2)
    with RawServer(dripping(pieces)) as server:
        wire = real(server.url, policy=policy)
        with wire.request_json_or_stream(RequestSpec("GET", f"{server.url}/x", success=ANY)) as file:
            assert len(file.read()) == 100_000


def test_a_server_at_work_is_not_stalled(real: MakeWire) -> None:
    """For longer than the stall window, the server sends nothing but interim responses."""

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            time.sleep(0.1)
            yield b"HTTP/1.1 102 Processing\r\n\r\n"
        time.sleep(0.1)
        yield OK + b"Content-Length: 2\r\n\r\n"
        time.sleep(0.1)
        yield b"[]"

    policy = RetryPolicy(attempts=1, stall_speed=100_000, stall_window=0.05)
    with RawServer(dripping(pieces)) as server:
        assert real(server.url, policy=policy).request(RequestSpec("GET", f"{server.url}/x")).json() == []


# -- floods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(FLOODS) - {"chunks"}))
def test_a_flood_ends_by_its_size(real: MakeWire, name: str) -> None:
    drip, kind = FLOODS[name]
    with RawServer(dripping(drip)) as server:
        wire = real(server.url, policy=RetryPolicy(attempts=1))
        error = bounded(wire, RequestSpec("GET", f"{server.url}/x", max_response_bytes=1 << 20), 1.0)
    assert isinstance(error, kind)


@pytest.mark.parametrize("name", ["chunk extensions", "trailers", "large trailers"])
def test_a_flood_around_a_file_ends_by_its_size(real: MakeWire, name: str) -> None:
    with RawServer(dripping(FLOODS[name][0])) as server:
        call = RequestSpec("GET", f"{server.url}/x", success=ANY)
        error = bounded(real(server.url, policy=RetryPolicy(attempts=1)), call, 1.0, "stream")
    assert isinstance(error, DecodeError)


@pytest.mark.parametrize("name", ["body", "trailers", "interim answers"])
def test_an_error_whose_body_never_ends_is_that_error(real: MakeWire, name: str) -> None:
    drip = slowly(b"HTTP/1.1 418 X\r\nConnection: close\r\n\r\n", b"x")
    with RawServer(dripping(drip)) as server:
        error = bounded(real(server.url, policy=STALL), RequestSpec("GET", f"{server.url}/x"), STALL.stall_window)
    assert getattr(error, "status", None) == 418


def test_small_chunks_are_admitted(real: MakeWire) -> None:
    """Servers that flush every few bytes send as many sizes as bytes."""
    count = 30_000
    answer = CHUNKED + b"1\r\n \r\n" * count + b"2;a=b\r\n[]\r\n0\r\nX: y\r\n\r\n"
    with RawServer(dripping(lambda: iter([answer]))) as server:
        found = real(server.url, policy=RetryPolicy(attempts=1)).request(RequestSpec("GET", f"{server.url}/x"))
    assert len(found.content) == count + 2


# -- sending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("body", ["bytes", "file"])
def test_a_server_that_hardly_reads(
    real: MakeWire, tls: ssl.SSLContext, bundle: str, secure: bool, body: str
) -> None:
    def sipping(peer: Peer) -> None:
        peer.head()
        while not peer.server.ended.wait(0.02):
            peer.sock.recv(1)

    data = bytes(8 << 20)
    with RawServer(sipping, tls=tls if secure else None) as server:
        wire = real(server.url, policy=STALL, verify=bundle)
        call = RequestSpec("PUT", f"{server.url}/x", body=data if body == "bytes" else io.BytesIO(data))
        assert isinstance(bounded(wire, call, 1.0), Stalled)


def test_sending_does_not_use_up_the_budget(real: MakeWire) -> None:
    """A body moves well above the stall speed, for longer than the budget."""

    def reading(peer: Peer) -> None:
        found = peer.head()
        assert found is not None
        left = int(found[1]["content-length"])
        for _ in range(8):
            time.sleep(0.05)
            left -= len(peer.file.read(1 << 20))
        peer.file.read(left)
        peer.answer(200, b"[]")

    policy = RetryPolicy(attempts=1, budget=0.2, stall_speed=1000, stall_window=0.2)
    with RawServer(reading) as server:
        wire = real(server.url, policy=policy)
        assert wire.request(RequestSpec("PUT", f"{server.url}/x", body=bytes(16 << 20))).json() == []


def test_no_thread_is_left(real: MakeWire) -> None:
    with RawServer(lambda peer: peer.answer(200, b"[]") if peer.request() else None) as server:
        before = set(threading.enumerate())
        wire = real(server.url, policy=SHORT)
        assert wire.request(RequestSpec("GET", f"{server.url}/x")).json() == []
        assert {t for t in set(threading.enumerate()) - before if t.name != "rawserver"} == set()


def test_a_chain_of_redirects_has_one_budget(real: MakeWire) -> None:
    def onward(peer: Peer) -> None:
        for hop in itertools.count():
            if peer.head() is None:
                return
            time.sleep(0.2)
            peer.answer(302, b"", f"Location: /{hop}")

    with RawServer(onward) as server:
        error = bounded(real(server.url, policy=SHORT), RequestSpec("GET", f"{server.url}/x"), SHORT.budget)
    assert isinstance(error, Stalled)
