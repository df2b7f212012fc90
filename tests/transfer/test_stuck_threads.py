"""Calls whose threads do not end in time."""

from __future__ import annotations

import socket
import threading
from typing import Any, Dict, Iterator

import pytest

from smartxfer.delta.worker_threads import run_in_threads
from smartxfer.errors import Cancelled, DeadlineExceeded, Stalled
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.progress import ProgressReporter
from smartxfer.transfer.source import BytesSource
from smartxfer.transport import RequestSpec, RetryPolicy
from tests.support.fake_clock import JumpingClock
from tests.support.jobs import Tasks, engine_threads, operation
from tests.support.raw_server import PATIENCE
from tests.support.stopwatch import Stopwatch, within


class _Stuck:
    """A task in a call that nothing can interrupt."""

    def __init__(self) -> None:
        self.inside, self.over = threading.Event(), threading.Event()

    def __call__(self, *given: Any) -> int:
        self.inside.set()
        assert self.over.wait(PATIENCE)
        return 0


@pytest.fixture
def stuck() -> Iterator[_Stuck]:
    made = _Stuck()
    yield made
    made.over.set()
    for thread in engine_threads():
        thread.join(PATIENCE)


def _deadline(stuck: _Stuck) -> Dict[str, Any]:
    """Return settings of an operation whose deadline passes once a thread is stuck."""
    return {"deadline": 40.0, "clock": JumpingClock(stuck.inside.is_set, 45.0)}


@pytest.mark.parametrize(("how", "most"), [("deadline", 1.3), ("cancel", 2.0)])
def test_the_end_of_a_call_does_not_wait_for_a_task_that_is_stuck(stuck: _Stuck, how: str, most: float) -> None:
    cancel = threading.Event()
    settings: Dict[str, Any] = _deadline(stuck) if how == "deadline" else {"cancel": cancel}
    job, idle = Tasks(stuck, lambda: pytest.fail("it has begun")), Tasks(stuck)
    watch = Stopwatch()
    with pytest.raises((Cancelled, DeadlineExceeded)), operation(max_workers=1, **settings) as doing:
        threading.Thread(target=lambda: (stuck.inside.wait(PATIENCE), cancel.set())).start()
        doing.run_jobs([job, idle], 2)
    assert watch.seconds() < most
    assert idle.errors != []  # its files and locks are free at once
    assert job.abandoned is None  # those of the other one while a thread uses them
    stuck.over.set()
    for thread in engine_threads():
        thread.join(PATIENCE)
    assert job.abandoned is not None


def test_a_call_that_gave_up_begins_nothing_any_more(stuck: _Stuck) -> None:
    with pytest.raises(DeadlineExceeded), operation(deadline=0.1) as doing:
        with pytest.raises(DeadlineExceeded):
            doing.run_jobs([Tasks(stuck)], 1)
        watch = Stopwatch()
        doing.run_one(lambda: pytest.fail("it has begun"))
    assert watch.seconds() < 0.5


def test_a_callback_that_does_not_return_keeps_no_deadline(stuck: _Stuck) -> None:
    def work() -> None:
        doing.reporter.queue("a", 10)
        doing.reporter.advance("a", 10)

    watch = Stopwatch()
    with pytest.raises(DeadlineExceeded), operation(deadline=0.3, progress=stuck, max_workers=2) as doing:
        other = Tasks(lambda: (stuck.inside.wait(PATIENCE), doing.reporter.queue("b", 1)))
        doing.run_jobs([Tasks(work), other], 2)
    assert watch.seconds() < 1.5


def test_a_callback_is_not_called_by_the_calling_thread(stuck: _Stuck) -> None:
    """Files are announced there: a callback that does not return would keep the deadline from being seen."""
    here = threading.current_thread()

    def tell(event: Any) -> None:
        assert threading.current_thread() is not here
        stuck()

    with within(1.3), operation(progress=tell, **_deadline(stuck)) as doing, pytest.raises(DeadlineExceeded):
        doing.reporter.queue("a", 10)
        doing.run_jobs([Tasks(lambda: doing.reporter.start("a", 10, 0))], 1)
    assert stuck.inside.is_set()


def test_a_reporter_whose_callback_hangs_is_closed(stuck: _Stuck) -> None:
    reporter = ProgressReporter(stuck)
    threading.Thread(target=reporter.start, args=("a", 1, 0), name="smartxfer-test").start()
    assert stuck.inside.wait(PATIENCE)
    reporter.stop_waiting()
    with within(1):
        reporter.finish("a", "failed")
        reporter.close()


class _SlowSource(BytesSource):
    def __init__(self, stuck: _Stuck) -> None:
        super().__init__(b"abc")
        self.stuck, self.closed = stuck, threading.Event()

    def read_at(self, buffer: memoryview, offset: int) -> int:
        return 1 if threading.current_thread() is threading.main_thread() else self.stuck()

    def close(self) -> None:
        self.closed.set()


def test_a_source_whose_digest_is_stuck_in_a_read_is_closed_afterwards(stuck: _Stuck) -> None:
    source = _SlowSource(stuck)
    hashed = HashingSource(source, "md5")
    assert hashed.read_at(memoryview(bytearray(1)), 0) == 1  # the first read starts the thread
    assert stuck.inside.wait(PATIENCE)
    with within(1.5):
        hashed.close()
    assert not source.closed.is_set()
    stuck.over.set()
    assert source.closed.wait(PATIENCE)


@pytest.fixture
def slow_lookup(stuck: _Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name ``slow.invalid`` is looked up for ever."""
    real = socket.getaddrinfo

    def lookup(host: Any, *given: Any, **more: Any) -> Any:
        if host == "slow.invalid" and socket.AI_NUMERICHOST not in given:
            stuck()
        return real(host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def test_a_resolver_that_hangs_keeps_no_deadline(stuck: _Stuck, slow_lookup: None, engine: Any) -> None:
    made = engine("http://slow.invalid:9", policy=RetryPolicy(attempts=1))
    with within(1.3), made.operation(**_deadline(stuck)) as doing, pytest.raises(DeadlineExceeded):
        doing.run_one(lambda: doing.retry("x", lambda: made.wire.request_once(RequestSpec("GET", "http://slow.invalid:9/"))))
    # Only a daemon thread is left, for which no process waits at its end.
    left = engine_threads()
    assert all(thread.daemon for thread in left if thread.name == "smartxfer-aside")
    assert [thread.name for thread in left] == ["smartxfer-aside"]


def test_a_resolver_that_hangs_keeps_no_budget(slow_lookup: None, engine: Any) -> None:
    """Of a request that no other thread watches."""
    wire = engine("http://slow.invalid:9", policy=RetryPolicy(budget=0.3)).wire
    with within(1.3), pytest.raises(Stalled) as caught:
        wire.request(RequestSpec("POST", "http://slow.invalid:9/"))
    assert not caught.value.may_have_been_processed


def test_a_failed_delta_does_not_wait_for_a_read_that_hangs(stuck: _Stuck) -> None:
    def failing(check: Any) -> int:
        assert stuck.inside.wait(PATIENCE)
        raise ZeroDivisionError

    with within(2), pytest.raises(ZeroDivisionError):
        run_in_threads([stuck, failing], 2, lambda result: None)
