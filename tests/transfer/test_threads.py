"""Calls without threads, and leftovers of calls with threads."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from smartxfer.delta.worker_threads import run_in_threads
from smartxfer.errors import Cancelled, DeadlineExceeded, LocalError, NetworkError
from smartxfer.nrp import limit_connections
from smartxfer.nrp.limits import acquire_connection
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.job import CallableJob, ScheduledTask
from smartxfer.transfer.source import BytesSource
from smartxfer.transport import Attempt, Body, RequestSpec, RetryPolicy, Success
from smartxfer.worker_pool import WorkerPool, run_in_daemon_thread
from tests.support.jobs import Tasks, engine_threads, operation
from tests.support.raw_server import PATIENCE, RawServer
from tests.support.sinks import raising
from tests.support.stopwatch import within


@pytest.fixture
def few_threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let so many threads start, and refuse the others as the system does at its limit."""

    def limit(most: int) -> List[str]:
        started: List[str] = []
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith("smartxfer"):  # not those of a server
                if len(started) >= most:
                    raise RuntimeError("can't start new thread")
                started.append(thread.name)
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        return started

    return limit


# -- fewer threads than wanted ---------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1, 2])
def test_every_task_is_done_once_with_the_threads_that_there_are(few_threads: Any, most: int) -> None:
    started = few_threads(most)
    done: List[int] = []
    with operation(max_workers=4) as doing:
        doing.run_jobs([Tasks(*[lambda n=n * 3 + k: done.append(n) for k in range(3)]) for n in range(6)], 6)
        assert doing.run_one(lambda: threading.current_thread() is threading.main_thread()) is (most == 0)
    assert (sorted(done), len(started)) == (list(range(18)), most)


def test_a_pool_that_is_not_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module registers a callback when it is loaded, which fails once the main thread has ended."""
    refused = raising(RuntimeError("can't register atexit after shutdown"))
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", refused)
    with operation() as doing:
        assert doing.run_one(lambda: 5) == 5


@pytest.mark.parametrize("what", ["a pause", "a wait at a rate limit", "a read of a dead line"])
def test_without_threads_the_deadline_ends(few_threads: Any, engine: Any, what: str) -> None:
    with RawServer(lambda peer: (peer.request(), peer.hang())) as server:
        made = engine(server.url, policy=RetryPolicy(backoff=600, backoff_cap=600))
        if what == "a wait at a rate limit":
            made.wire.rate_limits.block(server.url, 60.0)
        broken = raising(NetworkError("broken"))
        step = broken if what == "a pause" else lambda: made.wire.request_once(RequestSpec("GET", server.url))
        few_threads(0)
        with within(1.3), made.operation(deadline=0.3) as doing, pytest.raises(DeadlineExceeded):
            doing.run_one(lambda: doing.retry("x", step))
        assert bool(server.requests) == (what == "a read of a dead line")


def test_without_threads_a_cancel_is_seen_between_two_blocks(few_threads: Any) -> None:
    few_threads(0)
    cancel = threading.Event()
    moved: List[int] = []

    def task() -> None:
        for number in range(10):
            moved.append(number)
            if number == 3:
                cancel.set()
            doing.reporter.advance("x", 1)

    job, other = Tasks(task, lambda: pytest.fail("it has begun")), Tasks(lambda: pytest.fail("it has begun"))
    with operation(cancel=cancel) as doing, pytest.raises(Cancelled):
        doing.run_jobs([job, other], 2)
    assert moved == [0, 1, 2, 3]
    assert [type(error) for error in job.errors + other.errors] == [Cancelled, Cancelled]


def test_without_threads_ctrl_c_in_a_task_is_raised(few_threads: Any) -> None:
    few_threads(0)
    job = Tasks(raising(KeyboardInterrupt), lambda: None)
    with pytest.raises(KeyboardInterrupt), operation() as doing:
        doing.run_jobs([job], 1)
    assert [type(error) for error in job.errors] == [KeyboardInterrupt]


def test_aside_digest_and_delta_without_threads(few_threads: Any) -> None:
    few_threads(0)
    assert run_in_daemon_thread(lambda: 5, lambda: pytest.fail("nothing to wait for")) == 5
    source = HashingSource(BytesSource(b"abc"), "md5")
    assert [source.digest() for _ in range(2)] == ["900150983cd24fb0d6963f7d28e17f72"] * 2
    source.close()
    results: List[int] = []
    run_in_threads([lambda check, number=number: 2**number for number in range(5)], 4, results.append)  # type: ignore[misc]
    assert results == [1, 2, 4, 8, 16]


def test_a_delta_with_one_thread_computes_each_part_once(few_threads: Any) -> None:
    """Fails if work is repeated: a pool that cannot start its second thread has already queued the work."""
    few_threads(1)
    calls: List[int] = []
    run_in_threads([lambda check, number=number: number for number in range(8)], 4, calls.append)  # type: ignore[misc]
    assert calls == list(range(8))


def test_too_little_memory_is_an_error_that_says_what_to_do() -> None:
    with operation() as doing, pytest.raises(LocalError, match="memory") as caught:
        doing.run_one(raising(MemoryError))
    assert "max_workers=" in caught.value.hint


# -- no thread is left, no task is lost ------------------------------------------------------------------


def test_after_a_call_no_thread_of_it_is_left() -> None:
    for _ in range(20):
        with operation() as doing:
            doing.run_jobs([CallableJob(lambda: None) for _ in range(8)], 8)
        assert engine_threads() == []


def test_ctrl_c_while_a_thread_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = WorkerPool(2, "smartxfer")
    with monkeypatch.context() as patched:
        patched.setattr(concurrent.futures.ThreadPoolExecutor, "submit", raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workers.submit(ScheduledTask(CallableJob(lambda: None), lambda: None, contextlib.nullcontext, lambda work: None))
    assert not workers._busy_by_thread  # which close() waits for
    workers.close()


@pytest.mark.parametrize("at", range(11))
def test_ctrl_c_at_each_step_of_handing_out(at: int) -> None:
    """Interrupt the n-th line of queueing a task, and of starting its thread: no task is lost, none is left."""
    job = Tasks(lambda: None, lambda: None)
    lines: List[int] = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        ours = frame.f_code.co_name in ("_submit_ready_tasks", "submit") and "smartxfer" in frame.f_code.co_filename
        if ours and event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == at + 1:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    with within(1), pytest.raises(KeyboardInterrupt), operation() as doing:
        sys.settrace(trace)
        try:
            doing.run_jobs([job], 1)
        finally:
            sys.settrace(None)
    assert not job.unfinished or isinstance(job.abandoned, Cancelled)
    assert engine_threads() == []


_LATE = """
import atexit, sys, threading
if sys.argv[1] == "atexit-early":
    atexit.register(lambda: work())
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import RetryPolicy
if sys.argv[2] == "used":
    with TransferRunner(policy=RetryPolicy(), max_workers=2) as doing:
        doing.run_one(lambda: None)

def work():
    if sys.argv[1] == "thread":
        threading.main_thread().join()
    from smartxfer.transfer.job import CallableJob
    done = []
    with TransferRunner(policy=RetryPolicy(), max_workers=2) as doing:
        doing.run_jobs([CallableJob(lambda: done.append(1)) for _ in range(10)], 4)
        done.append(doing.run_uninterruptible(lambda: doing.run_one(lambda: 5)))
    print(done.count(1), done[-1], flush=True)

if sys.argv[1] == "thread":
    threading.Thread(target=work).start()
elif sys.argv[1] == "atexit":
    atexit.register(work)
"""


@pytest.mark.parametrize("used", ["used", "unused"])
@pytest.mark.parametrize("how", ["thread", "atexit", "atexit-early"])
def test_a_call_after_the_end_of_the_main_thread(how: str, used: str) -> None:
    """Detect RuntimeError on Python 3.9 and newer."""
    command = [sys.executable, "-c", _LATE, how, used]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parent)
    assert (done.stdout.split(), done.stderr) == (["10", "5"], "")


def test_a_call_that_the_main_thread_leaves_in_the_middle() -> None:
    """The workers finish the queued tasks, and no new workers are needed."""
    program = """
import threading
from smartxfer.transfer.job import CallableJob
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import RetryPolicy
begun = threading.Event()
def step():
    begun.set()
    threading.main_thread().join(0.05)
def work():
    with TransferRunner(policy=RetryPolicy(), max_workers=3) as doing:
        doing.run_jobs([CallableJob(step) for _ in range(40)], 6)
    print("done", flush=True)
threading.Thread(target=work).start()
begun.wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_workers_start_no_more_threads_than_they_need() -> None:
    class Item:
        started = False

        def run(self) -> None:
            names.append(threading.current_thread().name)

        def finish(self) -> None:
            if len(names) < 20:
                workers.submit(Item())

    names: List[str] = []
    workers = WorkerPool(8, "smartxfer-test")
    workers.submit(Item())
    workers.close()
    assert (len(names), len(set(names))) == (20, 1)


# -- forks ------------------------------------------------------------------------------------------------


def forking(test: Any) -> Any:
    """Mark a test that forks."""
    quiet = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")(quiet(test))


def in_a_child(step: Callable[[], Any]) -> int:
    """Do a step in a forked child; its exit code, or -14 where it never came back."""
    child = os.fork()
    if not child:
        import signal

        signal.alarm(10)
        try:
            step()
        except BaseException:  # noqa: BLE001 - only the exit code comes back
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


@forking
def test_a_limit_whose_connections_are_all_in_use() -> None:
    """Fails if a child process counts connections of its parent, which are never released there."""
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with acquire_connection(Attempt()):
            inside.set()
            over.wait(PATIENCE)

    def step() -> None:
        with acquire_connection(Attempt()):
            pass

    with limit_connections(1):
        thread = threading.Thread(target=hold)
        thread.start()
        assert inside.wait(PATIENCE)
        assert in_a_child(step) == 0
        over.set()
        thread.join(PATIENCE)
        step()


@forking
def test_in_the_middle_of_a_transfer(engine: Any) -> None:
    """From a task, as a callback may do it; the child uses the same client."""
    with RawServer(lambda peer: (peer.request(), peer.answer(200, b"again"))) as server:
        made = engine(server.url)
        call = RequestSpec("GET", server.url, success=Success({200}, Body.ANY))

        def step() -> None:
            with made.operation(max_workers=2) as own:
                assert own.run_one(lambda: own.retry("x", lambda: made.wire.request_once(call))).text == "again"

        codes = []
        with operation(max_workers=2) as doing:
            doing.run_jobs([Tasks(lambda: (made.wire.request_once(call), codes.append(in_a_child(step))))], 1)
        assert codes == [0]
