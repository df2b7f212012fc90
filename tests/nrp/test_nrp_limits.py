"""The limit of concurrent connections, and the request rate that the repository asks for."""

import threading
from typing import Any, List, Optional

import pytest
from responses import RequestsMock

from smartxfer.errors import Cancelled, UsageError
from smartxfer.nrp import get_client
from smartxfer.nrp.limits import acquire_connection, get_rate_limit_wait, limit_connections
from smartxfer.transport.attempt import Attempt
from tests.support import canned_records as canned
from tests.support.fake_clock import FakeClock

NOW = 1_700_000_000


@pytest.mark.parametrize("count", [0, -1, True, 1.0, "5", None])
def test_a_limit_is_a_number_of_at_least_one(count: Any) -> None:
    with pytest.raises(UsageError), limit_connections(count):
        pass


def _most_at_once(threads: int) -> int:
    """Return how many threads had a connection at the same time, while none was released."""
    inside: List[int] = []
    full, leave = threading.Event(), threading.Event()
    lock = threading.Lock()
    most = [0]

    def work() -> None:
        with acquire_connection(Attempt()):
            with lock:
                inside.append(1)
                most[0] = max(most[0], len(inside))
                if len(inside) == 2:
                    full.set()
            assert leave.wait(5)
            with lock:
                inside.pop()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for thread in workers:
        thread.start()
    assert full.wait(5)
    leave.wait(0.05)
    leave.set()
    for thread in workers:
        thread.join(5)
    return most[0]


def test_the_narrowest_of_nested_limits_holds() -> None:
    with limit_connections(5), limit_connections(2), limit_connections(4):
        assert _most_at_once(6) == 2


def test_a_limit_ends_with_its_block() -> None:
    with limit_connections(1):
        pass
    with acquire_connection(Attempt()):
        other = threading.Thread(target=lambda: acquire_connection(Attempt()).__enter__())
        other.start()
        other.join(5)
        assert not other.is_alive()


def test_who_waits_for_a_connection_is_cancelled() -> None:
    caught: List[BaseException] = []
    attempt = Attempt(send_timeout=5.0)
    waiting = threading.Event()

    def work() -> None:
        try:
            waiting.set()
            with acquire_connection(attempt):
                raise AssertionError("there was none to be had")
        except Cancelled as error:
            caught.append(error)

    with limit_connections(1), acquire_connection(Attempt()):
        thread = threading.Thread(target=work)
        thread.start()
        assert waiting.wait(5)
        attempt.abort(Cancelled("the transfer was cancelled"))
        thread.join(5)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"X-RateLimit-Remaining": "1", "Retry-After": "30"}, None),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "30"}, 30.0),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "0"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "Retry-After": "soon"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW + 20)}, 20.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW - 20)}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "-5"}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({}, None),
    ],
)
def test_how_long_a_window_that_is_used_up_lasts(headers: "dict[str, str]", left: Optional[float]) -> None:
    assert get_rate_limit_wait(headers, NOW) == left


@pytest.mark.parametrize(("left", "waits"), [("30", [30.25]), ("0", [0.75]), ("3600", []), ("9" * 400, [])])
def test_a_window_that_is_used_up_is_waited_for(web: RequestsMock, left: str, waits: List[float]) -> None:
    clock = FakeClock()
    used_up = {"X-RateLimit-Remaining": "0", "Retry-After": left}
    hits = {"hits": {"hits": [], "total": 0}, "links": {}}
    web.get(f"{canned.API}/records", json=hits, headers=used_up)
    with get_client(canned.BASE, clock=clock) as api:
        assert list(api.records.search()) == []
        assert clock.waits == []
        api.get("records")
    assert clock.waits == waits
