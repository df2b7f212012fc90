"""One view of a server's rate limit for all threads of a client."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from smartxfer._system import Clock
from smartxfer.errors import Cancelled, NetworkError, RateLimited, ServerError
from smartxfer.transport import Attempt, HTTPTransport, RequestSpec, RetryPolicy, RetryState
from smartxfer.transport.rate_limits import RateLimits
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import RawServer, answering, scripted, status

MakeWire = Callable[..., HTTPTransport]
HERE, THERE = "http://h/a", "http://other/a"

ok = status(200, b"{}", "Content-Type: application/json")


def refusal(url: str = HERE, **data: Any) -> RateLimited:
    return RateLimited("too many", url=url, **{"status": 429, "retry_after": 0.0, **data})


@pytest.fixture
def limits(clock: FakeClock) -> RateLimits:
    return RateLimits(RetryPolicy(), clock)


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, [0.75]), (0.0, [0.75]), (0.1, [0.75]), (3.0, [3.25]), (120.0, [120.25])]
)
def test_a_refusal_is_a_pause_for_every_thread(limits: RateLimits, clock: FakeClock, asked: Any, waits: Any) -> None:
    limits.record_error(refusal(retry_after=asked))
    limits.wait(THERE)
    assert clock.waits == []
    limits.wait("http://H:80/another?query")
    assert clock.waits == waits
    limits.wait(HERE)
    assert clock.waits == waits


@pytest.mark.parametrize("asked", [120.1, 86400.0, float("inf"), float("nan")])
def test_a_wait_over_the_cap_is_left_to_each_request(limits: RateLimits, clock: FakeClock, asked: float) -> None:
    limits.record_error(refusal(retry_after=asked))
    limits.wait(HERE)
    assert clock.waits == []


@pytest.mark.parametrize(("code", "asked"), [(503, None), (500, 3.0), (403, 3.0)])
def test_other_errors_are_no_limit(limits: RateLimits, clock: FakeClock, code: int, asked: Any) -> None:
    limits.record_error(ServerError("down", status=code, url=HERE, retry_after=asked))
    limits.wait(HERE)
    assert clock.waits == []


def test_who_makes_one_try_only_is_not_kept_waiting(clock: FakeClock) -> None:
    limits = RateLimits(RetryPolicy(attempts=1), clock)
    limits.record_error(refusal(retry_after=3.0))
    limits.wait(HERE)
    assert clock.waits == []


def test_threads_do_not_come_back_together(limits: RateLimits, clock: FakeClock) -> None:
    chances = iter([0.0, 0.4, 0.8])
    clock.random = lambda: next(chances)  # type: ignore[method-assign]
    limits.record_error(refusal(retry_after=2.0))
    seen = []
    for _ in range(3):
        before = clock.monotonic()
        limits.wait(HERE)
        seen.append(clock.monotonic() - before)
        clock.advance(before - clock.monotonic())
    assert seen == pytest.approx([2.0, 2.2, 2.4])


def test_a_pause_that_others_prolong_is_bounded(limits: RateLimits, clock: FakeClock) -> None:
    """Fails if a thread waits for as long as others are refused, and never asks itself."""

    class Busy(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            busy.record_error(refusal(retry_after=50.0))

    crowded = Busy(chance=0.0)
    busy = RateLimits(RetryPolicy(), crowded)
    busy.record_error(refusal(retry_after=50.0))
    busy.wait(HERE)
    assert crowded.waits == [50.0, 50.0, 20.0]


class _Noticed(Clock):
    """A clock that says when a wait begins."""

    def __init__(self) -> None:
        self.waiting = threading.Event()

    def wait_for_event(self, event: threading.Event, seconds: float) -> bool:
        self.waiting.set()
        return super().wait_for_event(event, seconds)


def test_a_pause_ends_with_the_attempt() -> None:
    """Detect a wait that neither cancel nor deadline ends."""
    clock, attempt, caught = _Noticed(), Attempt(), []
    limits = RateLimits(RetryPolicy(), clock)
    limits.record_error(refusal(retry_after=100.0))

    def work() -> None:
        with attempt.activate():
            try:
                limits.wait(HERE)
            except Cancelled as error:
                caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert clock.waiting.wait(5)
    attempt.abort(Cancelled("the transfer was cancelled"))
    thread.join(5)
    assert not thread.is_alive()
    assert len(caught) == 1


def test_an_attempt_that_was_ended_does_not_begin_a_pause() -> None:
    attempt = Attempt()
    attempt.abort(Cancelled("the transfer was cancelled"))
    with attempt.activate(), pytest.raises(Cancelled):
        attempt.sleep(Clock(), 100.0)


# -- tries ---------------------------------------------------------------------------------------------------


def tried(limits: RateLimits, clock: FakeClock, most: int, between: Callable[[], Any], **policy: Any) -> int:
    """Return how many attempts, up to ``most``, are made before the refusal is raised."""
    tries = RetryState(RetryPolicy(**policy), clock, "GET x", rate_limits=limits)
    for _ in range(most):
        try:
            tries.wait_or_raise(refusal())
        except RateLimited:
            break
        between()
    return tries.failure_count


def test_tries_are_not_used_up_while_others_are_served(limits: RateLimits, clock: FakeClock) -> None:
    """Fails if a file gives up at a limit which lets the other files pass."""
    assert tried(limits, clock, 50, lambda: limits.record_response(HERE, 200)) == 50


@pytest.mark.parametrize(("url", "code"), [(THERE, 200), (HERE, 429), (HERE, 503)])
def test_tries_are_used_up_while_nothing_is_served(
    limits: RateLimits, clock: FakeClock, url: str, code: int
) -> None:
    assert tried(limits, clock, 50, lambda: limits.record_response(url, code)) == 6


def test_the_waits_at_a_limit_are_bounded(limits: RateLimits, clock: FakeClock) -> None:
    """Fails if a request is refused for ever while others are served."""
    count = tried(limits, clock, 1000, lambda: limits.record_response(HERE, 200), limit_budget=30.0)
    # Each of its refusals is a pause for the others: they become rarer.
    assert clock.waits == [0.75, 1.5, 3.0, 6.0, 6.0, 6.0, 6.0]
    assert count == len(clock.waits) + 1


def test_other_failures_count_while_others_are_served(limits: RateLimits, clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(), clock, "GET x", rate_limits=limits)
    with pytest.raises(NetworkError):
        for _ in range(50):
            limits.record_response(HERE, 200)
            tries.wait_or_raise(NetworkError("broken"))
    assert tries.failure_count == 6


# -- the wire -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "-5", "soon", "Mon, 01 Jan 2001 00:00:00 GMT", None])
def test_a_refused_request_is_not_repeated_at_once(make_wire: MakeWire, clock: FakeClock, value: Any) -> None:
    """Detect six requests in a row, which a moving window refuses all."""
    fields = [] if value is None else [f"Retry-After: {value}"]
    with RawServer(answering(status(429, b"", *fields))) as server:
        with pytest.raises(RateLimited):
            make_wire(server.url).request(RequestSpec("GET", f"{server.url}/x"))
        assert len(server.requests) == 6
    assert clock.waits == [0.75, 1.5, 3.0, 6.0, 12.0]


@pytest.mark.parametrize("way", ["request_once", "request", "request_json_or_stream", "stream"])
def test_every_way_of_asking_waits_out_the_pause(make_wire: MakeWire, clock: FakeClock, way: str) -> None:
    with RawServer(answering(ok)) as server:
        wire = make_wire(server.url)
        wire.rate_limits.block(server.url, 7.0)
        asked = getattr(wire, way)(RequestSpec("GET", f"{server.url}/x"))
        if way == "stream":
            with asked:
                pass
    assert clock.waits == [7.25]


def test_one_refusal_is_noted_for_other_requests(make_wire: MakeWire, clock: FakeClock) -> None:
    with RawServer(scripted(status(503, b"", "Retry-After: 7"), ok)) as server:
        wire = make_wire(server.url)
        with pytest.raises(ServerError):
            wire.request_once(RequestSpec("GET", f"{server.url}/x"))
        assert clock.waits == []
        assert wire.request_once(RequestSpec("GET", f"{server.url}/y")).status == 200
    assert clock.waits == [7.25]
