"""Tasks, uninterruptible work, and calls that end in the middle of either."""

from __future__ import annotations

import _thread
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from smartxfer.errors import Cancelled, UsageError
from smartxfer.transfer.job import Task
from smartxfer.transfer.runner import TransferRunner
from tests.support.jobs import Flag, Tasks, engine_threads, operation
from tests.support.raw_server import PATIENCE
from tests.support.sinks import raising
from tests.support.stopwatch import within


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert engine_threads() == []


def watch_calling_thread(doing: TransferRunner, check: Callable[[Callable[[], None]], Any]) -> None:
    """Call ``check`` in place of the check that the calling thread makes now and then, with that one."""
    real = doing._check_abort_conditions
    doing._check_abort_conditions = lambda: check(real)  # type: ignore[method-assign]


def interrupt_when(event: threading.Event, doing: TransferRunner) -> None:
    """Raise KeyboardInterrupt in the calling thread after an event."""

    def check(real: Any) -> None:
        assert event.wait(PATIENCE)
        raise KeyboardInterrupt

    watch_calling_thread(doing, check)


@pytest.mark.parametrize("method", ["run_one", "run_uninterruptible"])
def test_it_hands_back_what_the_step_returned_or_raised(method: str) -> None:
    with operation() as doing:
        call = getattr(doing, method)
        assert call(lambda: threading.current_thread().name).startswith("smartxfer")
        with pytest.raises(UsageError, match="mine"):
            call(raising(UsageError("mine")))
        assert call(lambda: 5) == 5


def test_an_ended_call_does_not_wait_for_uninterruptible_work() -> None:
    cancel, over = threading.Event(), threading.Event()
    with within(PATIENCE / 2), pytest.raises(Cancelled), operation(cancel=cancel) as doing:
        doing.run_one(lambda: doing.run_uninterruptible(lambda: (cancel.set(), over.wait(PATIENCE))))
    threads = engine_threads()
    assert {thread.name for thread in threads} <= {"smartxfer-aside"}
    over.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_a_call_that_never_began_is_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled), operation(cancel=cancel) as doing:
        doing.run_one(lambda: pytest.fail("it has begun"))


def test_a_job_between_two_tasks_is_abandoned_when_the_call_ends() -> None:
    cancel = threading.Event()
    with operation(cancel=cancel) as doing:
        blocked = Tasks(lambda: (cancel.set(), doing._lifecycle.aborted.wait(PATIENCE)))
        slow = Tasks(lambda: (doing._lifecycle.aborted.wait(PATIENCE), None), lambda: None)  # well, and with more to do
        with pytest.raises(Cancelled) as caught:
            doing.run_jobs([slow, blocked], 2)
    assert slow.errors == [None]
    assert slow.abandoned is caught.value
    assert blocked.abandoned is None


def test_a_worker_hands_out_what_comes_next_while_the_calling_thread_is_busy() -> None:
    third, seen = threading.Event(), []
    with operation() as doing:
        watch_calling_thread(doing, lambda real: (seen.append(third.wait(PATIENCE)), real()))
        job = Tasks(lambda: None, lambda: None, third.set)
        doing.run_jobs([job], 1)
    assert all(seen)
    assert job.errors == [None, None, None]


def test_nothing_begins_after_a_cancel_that_the_calling_thread_has_not_seen() -> None:
    cancel, first = threading.Event(), threading.Event()
    with operation(cancel=cancel) as doing:
        watch_calling_thread(doing, lambda real: first.is_set() and real())
        job = Tasks(lambda: (cancel.set(), None), lambda: pytest.fail("it has begun"))
        other = Tasks(lambda: doing._lifecycle.aborted.wait(PATIENCE))
        threading.Timer(0.2, first.set).start()
        with pytest.raises(Cancelled):
            doing.run_jobs([job, other], 2)
    assert job.errors == [None]
    assert isinstance(job.abandoned, Cancelled)


def test_a_cancel_during_the_last_task_is_too_late() -> None:
    cancel, watched = threading.Event(), threading.Event()
    with operation(cancel=cancel) as doing:
        watch_calling_thread(doing, lambda real: (real(), watched.set()))
        job = Tasks(lambda: watched.wait(PATIENCE), cancel.set)
        doing.run_jobs([job], 1)
    assert job.errors == [None, None]


@pytest.mark.parametrize("where", ["task_done", "next_task"])
def test_an_exception_in_a_job_is_raised_to_the_caller(where: str) -> None:
    class Broken(Tasks):
        def task_done(self, error: Optional[BaseException], value: Any) -> None:
            super().task_done(error, value)
            setattr(self, where, lambda *given: 1 / 0)
            if where == "task_done":
                self.task_done(None, None)

    with operation() as doing, pytest.raises(ZeroDivisionError):
        doing.run_jobs([Broken(lambda: None, lambda: None)], 1)


def test_an_exception_of_the_callers_ends_everything_once_it_has_left_run() -> None:
    """The caller closes journals and releases locks before the operation itself ends."""
    begun, released = threading.Event(), []
    with within(2), pytest.raises(KeyboardInterrupt), operation() as doing:
        first = lambda: (begun.set(), released.append(doing._lifecycle.aborted.wait(PATIENCE)))  # noqa: E731
        job = Tasks(first, lambda: pytest.fail("it has begun"))
        interrupt_when(begun, doing)
        try:
            doing.run_jobs([job], 1)
        finally:
            assert doing._lifecycle.aborted.is_set()
    assert (released, job.errors) == ([True], [None])
    assert isinstance(job.abandoned, Cancelled)


def test_a_job_is_abandoned_in_its_turn() -> None:
    """A worker may end its task exactly when the wait for it ends; only one thread then finishes the job."""
    begun, inside = threading.Event(), threading.Lock()
    overlaps: List[str] = []

    class Watched(Tasks):
        def task_done(self, error: Optional[BaseException], value: Any) -> None:
            self.alone("task_done", super().task_done, error, value)

        def cancel(self, abort_error: BaseException) -> None:
            self.alone("cancel", super().cancel, abort_error)

        def alone(self, name: str, method: Any, *given: Any) -> None:
            if not inside.acquire(blocking=False):
                overlaps.append(name)
                return
            try:
                time.sleep(0.05)  # long enough for another thread to come in
                method(*given)
            finally:
                inside.release()

    with pytest.raises(KeyboardInterrupt), operation() as doing:
        interrupt_when(begun, doing)
        job = Watched(lambda: (begun.set(), doing._lifecycle.aborted.wait(PATIENCE)), lambda: None)
        doing.run_jobs([job], 1)
    assert overlaps == []
    assert isinstance(job.abandoned, Cancelled)


def test_ctrl_c_in_the_middle_of_handing_out_loses_no_task() -> None:
    class Interrupting(Dict[Any, Any]):
        def __setitem__(self, future: Any, job: Any) -> None:
            super().__setitem__(future, job)
            raise KeyboardInterrupt

    with within(1), pytest.raises(KeyboardInterrupt), operation() as doing:
        doing._unfinished_tasks = Interrupting()
        job = Tasks(lambda: None)
        doing.run_jobs([job], 1)
    [error] = job.errors
    assert isinstance(error, Cancelled)


def test_a_task_that_is_handed_out_while_the_call_ends_never_begins() -> None:
    """A worker may have found the call running, and queue a task after the queue was emptied."""
    handing_out, emptied = threading.Event(), threading.Event()

    class Slow(Tasks):
        def next_task(self) -> Optional[Task]:
            found: Optional[Task] = super().next_task()
            if self.errors and found is not None:
                handing_out.set()
                emptied.wait(0.3)
            return found

    with pytest.raises(KeyboardInterrupt), operation() as doing:
        clear = doing._workers.discard_queued
        doing._workers.discard_queued = lambda: (clear(), emptied.set())[0]  # type: ignore[method-assign]
        interrupt_when(handing_out, doing)
        job = Slow(lambda: None, lambda: pytest.fail("it has begun"))
        doing.run_jobs([job], 1)
    first, second = job.errors
    assert first is None
    assert isinstance(second, Cancelled)


@pytest.mark.parametrize("step", ["_abort_all", "_join_running", "_close"])
def test_ctrl_c_at_the_end_of_a_call_leaves_no_thread(step: str) -> None:
    closed: List[bool] = []
    with pytest.raises(KeyboardInterrupt), operation() as doing:
        doing.run_one(lambda: None)
        setattr(doing, step, raising(KeyboardInterrupt))
        doing.reporter.close = lambda: closed.append(True)  # type: ignore[method-assign]
        raise ZeroDivisionError
    assert closed == [True]


def test_a_task_that_is_taken_back_is_settled_once() -> None:
    """The end of run() removes it, and so does the end of the operation, while a worker runs its job."""
    settling, ended = threading.Event(), threading.Event()

    class Slow(Tasks):
        unfinished = property(lambda self: len(self.errors) < 2)  # type: ignore[assignment]

        def next_task(self) -> Optional[Task]:
            return self.waiting.pop(0) if self.waiting else None

        def task_done(self, error: Optional[BaseException], value: Any) -> None:
            settling.set()
            assert ended.wait(PATIENCE)
            self.errors.append(error)

        def cancel(self, abort_error: BaseException) -> None:
            pytest.fail("its tasks have ended")

    with pytest.raises(KeyboardInterrupt), operation(max_workers=1) as doing:
        end_all, drain = doing._abort_all, doing._join_running
        interrupt_when(settling, doing)
        doing._join_running = lambda: (ended.set(), drain())  # type: ignore[method-assign, assignment, func-returns-value]
        job = Slow(lambda: None, lambda: None)
        try:
            doing.run_jobs([job], 1)
        finally:
            assert doing._lifecycle.abort_error is not None
            end_all(doing._lifecycle.abort_error)
    first, second = job.errors
    assert first is None
    assert isinstance(second, Cancelled)


def test_what_asks_for_a_cancel_and_raises() -> None:
    with pytest.raises(ZeroDivisionError), operation(cancel=Flag(raising(ZeroDivisionError))) as doing:
        doing.run_jobs([Tasks(lambda: None)], 1)


def test_a_thread_that_ends_after_the_call_leaves_its_job() -> None:
    """Ctrl-C does not wait for it; its files and locks are not held until the process ends."""
    over = threading.Event()
    events: List[Any] = []
    with pytest.raises(KeyboardInterrupt), operation(progress=events.append) as doing:
        doing.reporter.queue("x", None)
        # The second task is handed out when the calling thread only waits.
        job = Tasks(lambda: None, lambda: (_thread.interrupt_main(), over.wait(PATIENCE)))
        doing.run_jobs([job], 1)
    assert job.abandoned is None
    seen = len(events)
    threads = engine_threads()
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert isinstance(job.abandoned, Cancelled)
    doing.reporter.finish("x", "failed")
    assert len(events) == seen  # the call is over for its callback, too
