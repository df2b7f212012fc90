"""Threads, cancel, deadline, interrupt, stall guard."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, List, Optional

import pytest

from smartxfer.errors import Cancelled, DeadlineExceeded, NetworkError, Stalled
from smartxfer.transfer.lifecycle import Lifecycle, Phase
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import Body, RequestSpec, RetryPolicy, Success
from smartxfer.transport.attempt import Attempt, current_attempt
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import until
from tests.support.jobs import Tasks, engine_threads, operation
from tests.support.raw_server import PATIENCE, Peer, RawServer
from tests.support.sinks import raising
from tests.support.stopwatch import Stopwatch


def test_at_most_so_many_jobs_and_threads_at_once() -> None:
    inside: List[int] = []
    most: List[int] = []

    def task() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()

    jobs = [Tasks(task, task) for _ in range(20)]
    with operation(max_workers=8) as doing:
        doing.run_jobs(jobs, 3)
        doing.run_jobs([], 3)
    assert 1 <= max(most) <= 3
    assert all(job.errors == [None, None] for job in jobs)


def test_retry_makes_a_fresh_attempt_each_time() -> None:
    seen: List[Optional[Attempt]] = []
    failed: List[int] = []

    def step() -> int:
        seen.append(current_attempt())
        if len(seen) < 3:
            raise NetworkError("broken")
        return 7

    with operation(clock=FakeClock()) as doing:
        assert doing.run_one(lambda: doing.retry("GET x", step, on_retry=lambda: failed.append(1))) == 7
    assert None not in seen
    assert (len(set(map(id, seen))), failed) == (3, [1, 1])


# -- the end of a call ---------------------------------------------------------------------------------


def hanging(peer: Peer) -> None:
    peer.request()
    peer.hang()


def test_cancel_ends_a_blocked_read_within_a_second_and_the_client_lives_on(engine: Any) -> None:
    cancel = threading.Event()
    with RawServer(hanging) as server:
        made = engine(server.url)
        watches: List[Stopwatch] = []

        def later() -> None:
            until(lambda: len(server.requests) >= 4)
            watches.append(Stopwatch())
            cancel.set()

        thread = threading.Thread(target=later)
        thread.start()
        fetch = [
            Tasks(lambda: doing.retry("x", lambda: made.wire.request_once(RequestSpec("GET", server.url)))) for _ in range(6)
        ]
        with made.operation(cancel=cancel, max_workers=4) as doing:
            with pytest.raises(Cancelled, match="cancelled"):
                doing.run_jobs(fetch, 6)
        assert watches[0].seconds() < 1
        thread.join(PATIENCE)
        assert engine_threads() == []
        assert all(isinstance(job.errors[0], Cancelled) for job in fetch)
        server.handler = lambda peer: (peer.request(), peer.answer(200, b"again"))
        call = RequestSpec("GET", server.url, success=Success({200}, Body.ANY))
        assert made.wire.request(call).text == "again"


def test_cancel_ends_a_wait_between_tries() -> None:
    cancel = threading.Event()
    waiting = threading.Event()

    def step() -> None:
        waiting.set()
        raise NetworkError("broken")

    threading.Thread(target=lambda: (waiting.wait(PATIENCE), cancel.set())).start()
    before, watch = threading.enumerate(), Stopwatch()
    with operation(policy=RetryPolicy(backoff=600, backoff_cap=600), cancel=cancel) as doing:
        with pytest.raises(Cancelled):
            doing.run_one(lambda: doing.retry("GET x", step))
    assert watch.seconds() < 2
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    doing._lifecycle.aborted.set()  # else a thread that is left keeps the process from ending
    assert not [name for name in left if name.startswith("smartxfer")]


def test_a_deadline() -> None:
    watch = Stopwatch()
    with operation(deadline=0.3, policy=RetryPolicy(backoff=600, backoff_cap=600)) as doing:
        with pytest.raises(DeadlineExceeded, match=r"deadline=0\.3") as caught:
            doing.run_one(lambda: doing.retry("GET x", raising(NetworkError("broken"))))
    assert not isinstance(caught.value, OSError)
    assert watch.elapsed() > 0.25
    assert watch.seconds() < 2


@pytest.mark.parametrize("state", ["queued", "moving", "done"])
def test_a_callback_that_raises_cancels_and_is_chained(state: str) -> None:
    calls: List[str] = []

    def callback(event: Any) -> None:
        calls.append(event.state)
        if event.state == state:
            raise ZeroDivisionError("mine")

    def work() -> None:
        doing.reporter.queue("a", 10)
        doing.reporter.advance("a", 10)
        doing.reporter.finish("a", "done")

    with operation(progress=callback) as doing:
        with pytest.raises(Cancelled, match="callback") as caught:
            doing.run_jobs([Tasks(work)], 1)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (calls.count(state), calls[-1], engine_threads()) == (1, state, [])


def test_ctrl_c_drains_within_two_seconds() -> None:
    program = """
import _thread, socket, sys, threading, time
from smartxfer.transfer.job import CallableJob
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import HTTPTransport, Origin, RequestSpec, RetryPolicy

sys.path.append(sys.argv[1])
from tests.support.stopwatch import Stopwatch

listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(50)
url = "http://127.0.0.1:%d" % listener.getsockname()[1]
wire = HTTPTransport(Origin.parse(url), build_error=None, user_agent="t", policy=RetryPolicy(), timeout=(60, 60))

def work():
    try:
        operation.retry("x", lambda: wire.request_once(RequestSpec("GET", url)))
    finally:
        time.sleep(0.3)  # a thread that needs a moment to end is waited for

def interrupt():
    listener.accept()
    watches.append(Stopwatch())
    _thread.interrupt_main()

watches = []
threading.Thread(target=interrupt, daemon=True).start()
try:
    with TransferRunner(policy=RetryPolicy(), max_workers=4) as operation:
        operation.run_jobs([CallableJob(work) for _ in range(100)], 100)
except KeyboardInterrupt:
    threads = threading.active_count()  # at once: the stopwatch takes a moment
    print("%.3f" % watches[0].seconds(), threads)
"""
    words = [sys.executable, "-c", program, str(Path(__file__).resolve().parent.parent.parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        watch = Stopwatch(process.pid)
        try:
            printed, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    seconds, threads = printed.split()
    assert float(seconds) < 2
    assert int(threads) <= 2  # the main one, and the interrupting one if it is still ending
    assert watch.seconds() < 10


# -- the stall guard -----------------------------------------------------------------------------------


def guarded(doing: TransferRunner, clock: FakeClock, course: Any) -> Attempt:
    """An attempt that moves as ``course`` says: (seconds, bytes, guarded)."""
    attempt = Attempt()
    with doing._active_attempts.track(attempt):
        doing._check_abort_conditions()
        for seconds, count, on in course:
            clock.advance(seconds)
            attempt.bytes_moved += count
            attempt.body_in_flight = on
            doing._check_abort_conditions()
    return attempt


@pytest.mark.parametrize(
    ("course", "stalled"),
    [
        ([(0, 0, True), (59, 0, True)], False),
        ([(0, 0, True), (60, 0, True)], True),
        ([(0, 0, True), (60, 60 * 1024 - 1, True)], True),
        ([(0, 0, True), (60, 60 * 1024, True)], False),
        ([(0, 0, True), (30, 70_000, True), (30, 0, True), (59, 0, True)], False),
        ([(0, 0, True), (30, 70_000, True), (30, 0, True), (60, 0, True)], True),
        ([(0, 0, True), (40, 0, False), (300, 0, False)], False),  # the server thinks
    ],
)
def test_slower_than_the_policy_is_stalled(course: Any, stalled: bool) -> None:
    clock = FakeClock()
    with operation(policy=RetryPolicy(), clock=clock) as doing:
        attempt = guarded(doing, clock, course)
    assert isinstance(attempt.abort_error, Stalled) is stalled
    assert attempt.abort_error is None or "stall_speed=" in attempt.abort_error.hint


# -- states -----------------------------------------------------------------------------------------------


def test_it_begins_in_running() -> None:
    life = Lifecycle()
    assert (life.phase, life.abort_error, life.closed, life.aborted.is_set()) == (Phase.RUNNING, None, False, False)
    assert life.close_at == float("inf")
    life.raise_if_aborted()


def test_the_first_reason_counts() -> None:
    life, first = Lifecycle(), Cancelled("first")
    assert life.abort(first) is first
    assert life.abort(DeadlineExceeded("second")) is first
    assert (life.phase, life.aborted.is_set()) == (Phase.ABORTING, True)
    with pytest.raises(Cancelled, match="first"):
        life.raise_if_aborted()


@pytest.mark.parametrize(("reason", "most"), [(Cancelled("x"), 1.5), (DeadlineExceeded("x"), 0.7)])
def test_how_long_threads_are_waited_for(reason: Cancelled, most: float) -> None:
    life = Lifecycle()
    before = time.monotonic()
    life.abort(reason)
    assert before + most <= life.close_at <= time.monotonic() + most


def test_left_is_the_last_state() -> None:
    life = Lifecycle()
    life.close()
    life.raise_if_aborted()  # it has come to its end
    assert life.closed
    life.abort(Cancelled("late"))
    assert life.phase is Phase.CLOSED
    life.close()
    with pytest.raises(Cancelled, match="late"):
        life.raise_if_aborted()
