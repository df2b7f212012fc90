"""Connections at a time, and the pace that the repository asks for."""

import threading
from typing import Any, List

import pytest
from fakeclock import FakeClock

from smartxfer.errors import Cancelled, UsageError
from smartxfer.nrp.limits import RateWindow, connection, limit_connections
from smartxfer.transport.attempt import Attempt


@pytest.mark.parametrize("count", [0, -1, True, 1.0, "5", None])
def test_a_limit_is_a_number_of_at_least_one(count: Any) -> None:
    with pytest.raises(UsageError), limit_connections(count):
        pass


def _most_at_once(threads: int) -> int:
    """How many of several threads got as far as having a connection while nobody gave one back."""
    inside: List[int] = []
    full, leave = threading.Event(), threading.Event()
    lock = threading.Lock()
    most = [0]

    def work() -> None:
        with connection():
            with lock:
                inside.append(1)
                most[0] = max(most[0], len(inside))
                if len(inside) == 2:
                    full.set()
            assert leave.wait(5)
            with lock:
                inside.pop()

    crew = [threading.Thread(target=work) for _ in range(threads)]
    for thread in crew:
        thread.start()
    assert full.wait(5)
    leave.wait(0.05)
    leave.set()
    for thread in crew:
        thread.join(5)
    return most[0]


def test_a_limit_binds_threads_that_did_not_enter_it() -> None:
    with limit_connections(2):
        assert _most_at_once(6) == 2


def test_the_narrowest_of_nested_limits_holds() -> None:
    with limit_connections(5), limit_connections(2), limit_connections(4):
        assert _most_at_once(6) == 2


def test_a_thread_that_has_a_connection_needs_no_second() -> None:
    with limit_connections(1), connection(), connection():
        assert True


def test_a_limit_ends_with_its_block() -> None:
    with limit_connections(1):
        pass
    with connection():
        other = threading.Thread(target=lambda: connection().__enter__())
        other.start()
        other.join(5)
        assert not other.is_alive()


def test_who_waits_for_a_connection_is_cancelled() -> None:
    caught: List[BaseException] = []
    attempt = Attempt(send_timeout=5.0)
    waiting = threading.Event()

    def work() -> None:
        try:
            with attempt.entered():
                waiting.set()
                with connection():
                    raise AssertionError("there was none to be had")
        except Cancelled as error:
            caught.append(error)

    with limit_connections(1), connection():
        thread = threading.Thread(target=work)
        thread.start()
        assert waiting.wait(5)
        attempt.end(Cancelled("the transfer was cancelled"))
        thread.join(5)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"X-RateLimit-Remaining": "1", "Retry-After": "30"}, []),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "30"}, [30.0]),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "3600"}, []),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "soon"}, []),
        ({"X-RateLimit-Remaining": "0"}, []),
        ({}, []),
    ],
)
def test_a_window_that_is_used_up_is_waited_for(headers: "dict[str, str]", waits: List[float]) -> None:
    window = RateWindow(FakeClock(), 120.0)
    window.note(headers)
    waited: List[float] = []
    window.keep(waited.append)
    assert waited == pytest.approx(waits)


def test_the_moment_of_the_end_does_as_well() -> None:
    clock = FakeClock()
    window = RateWindow(clock, 120.0)
    window.note({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(clock.wall() + 20)})
    waited: List[float] = []
    window.keep(waited.append)
    assert waited == pytest.approx([20.0])
