"""Tasks, uninterruptible work, and calls that end in the middle of either."""

from __future__ import annotations

import _thread
import contextlib
import threading
import time
from typing import Any, Dict, Iterator, List, Optional

import pytest

from smartxfer.errors import Cancelled, UsageError
from smartxfer.transfer.job import Job, Task
from tests.support.jobs import Tasks, engine_threads, operation
from tests.support.raw_server import PATIENCE
from tests.support.stopwatch import Stopwatch


def test_call_hands_back_what_the_step_gave_or_raised() -> None:
    with operation() as doing:
        assert doing.run_one(lambda: threading.current_thread().name).startswith("smartxfer")
        with pytest.raises(UsageError, match="mine"):
            doing.run_one(lambda: (_ for _ in ()).throw(UsageError("mine")))
        assert doing.run_one(lambda: 5) == 5
    assert engine_threads() == []


def test_aside_hands_back_what_the_step_gave_or_raised() -> None:
    with operation() as doing:
        assert doing.run_uninterruptible(lambda: 5) == 5
        with pytest.raises(UsageError, match="mine"):
            doing.run_uninterruptible(lambda: (_ for _ in ()).throw(UsageError("mine")))


def test_an_ended_call_does_not_wait_for_uninterruptible_work() -> None:
    cancel, over = threading.Event(), threading.Event()
    watch = Stopwatch()
    with pytest.raises(Cancelled), operation(cancel=cancel) as doing:
        doing.run_one(lambda: doing.run_uninterruptible(lambda: (cancel.set(), over.wait(PATIENCE))))
    assert watch.seconds() < PATIENCE / 2
    assert engine_threads() == [thread for thread in threading.enumerate() if thread.name == "smartxfer-aside"]
    over.set()


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
    third = threading.Event()
    with operation() as doing:
        real = doing._check_abort_conditions

        def watch() -> None:
            assert third.wait(PATIENCE)
            real()

        doing._check_abort_conditions = watch  # type: ignore[method-assign]
        job = Tasks(lambda: None, lambda: None, third.set)
        doing.run_jobs([job], 1)
    assert job.errors == [None, None, None]


def test_nothing_begins_after_a_cancel_that_the_calling_thread_has_not_seen() -> None:
    cancel, first = threading.Event(), threading.Event()
    with operation(cancel=cancel) as doing:
        real = doing._check_abort_conditions

        def watch() -> None:
            if first.is_set():
                real()

        doing._check_abort_conditions = watch  # type: ignore[method-assign]
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
        real = doing._check_abort_conditions
        doing._check_abort_conditions = lambda: (real(), watched.set())[0]  # type: ignore[method-assign]
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
    assert engine_threads() == []


def test_an_exception_of_the_callers_ends_everything() -> None:
    released: List[Any] = []

    begun = threading.Event()

    def interrupted() -> None:
        with operation() as doing:
            real = doing._check_abort_conditions

            def watch() -> Any:
                assert begun.wait(PATIENCE)
                doing._check_abort_conditions = real  # type: ignore[method-assign]
                raise KeyboardInterrupt

            doing._check_abort_conditions = watch  # type: ignore[method-assign]
            doing.run_jobs([Tasks(lambda: (begun.set(), released.append(doing._lifecycle.aborted.wait(PATIENCE))))], 1)

    watch = Stopwatch()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert watch.seconds() < 2
    assert released == [True]
    assert engine_threads() == []


def test_nothing_begins_once_an_exception_has_left_run() -> None:
    """The caller closes journals and releases locks before the operation itself ends."""
    begun = threading.Event()

    def first() -> None:
        begun.set()
        doing._lifecycle.aborted.wait(PATIENCE)

    def watch() -> None:
        assert begun.wait(PATIENCE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), operation() as doing:
        job = Tasks(first, lambda: pytest.fail("it has begun"))
        doing._check_abort_conditions = watch  # type: ignore[method-assign]
        try:
            doing.run_jobs([job], 1)
        finally:
            assert doing._lifecycle.aborted.is_set()
    assert job.errors == [None]
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
            with inside_released(inside):
                method(*given)

    def first() -> None:
        begun.set()
        doing._lifecycle.aborted.wait(PATIENCE)

    def watch() -> None:
        assert begun.wait(PATIENCE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), operation() as doing:
        doing._check_abort_conditions = watch  # type: ignore[method-assign]
        job = Watched(first, lambda: None)
        doing.run_jobs([job], 1)
    assert overlaps == []
    assert isinstance(job.abandoned, Cancelled)


@contextlib.contextmanager
def inside_released(lock: threading.Lock) -> Iterator[None]:
    try:
        time.sleep(0.05)  # long enough for another thread to come in
        yield
    finally:
        lock.release()


def test_ctrl_c_in_the_middle_of_handing_out_loses_no_task() -> None:
    class Interrupting(Dict[Any, Any]):
        def __setitem__(self, future: Any, job: Any) -> None:
            super().__setitem__(future, job)
            raise KeyboardInterrupt

    watch = Stopwatch()
    with pytest.raises(KeyboardInterrupt), operation() as doing:
        doing._unfinished_tasks = Interrupting()
        job = Tasks(lambda: None)
        doing.run_jobs([job], 1)
    [error] = job.errors
    assert isinstance(error, Cancelled)
    assert watch.seconds() < 1
    assert engine_threads() == []


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

    def watch() -> None:
        assert handing_out.wait(PATIENCE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), operation() as doing:
        clear = doing._workers.discard_queued

        def cleared() -> None:
            clear()
            emptied.set()

        doing._workers.discard_queued = cleared  # type: ignore[method-assign]
        doing._check_abort_conditions = watch  # type: ignore[method-assign]
        job = Slow(lambda: None, lambda: pytest.fail("it has begun"))
        doing.run_jobs([job], 1)
    first, second = job.errors
    assert first is None
    assert isinstance(second, Cancelled)


@pytest.mark.parametrize("step", ["_abort_all", "_join_running", "_close"])
def test_ctrl_c_at_the_end_of_a_call_leaves_no_thread(step: str) -> None:
    def interrupted(*given: Any) -> None:
        raise KeyboardInterrupt

    closed: List[bool] = []
    with pytest.raises(KeyboardInterrupt), operation() as doing:
        doing.run_one(lambda: None)
        setattr(doing, step, interrupted)
        doing.reporter.close = lambda: closed.append(True)  # type: ignore[method-assign]
        raise ZeroDivisionError
    assert closed == [True]
    assert engine_threads() == []


def test_a_task_that_is_taken_back_is_settled_once() -> None:
    """The end of run() removes it, and so does the end of the operation, while a worker runs its job."""
    settling, ended = threading.Event(), threading.Event()

    class Slow(Job):
        def __init__(self) -> None:
            self.left, self.errors = 2, []  # type: ignore[var-annotated]

        @property
        def unfinished(self) -> bool:
            return len(self.errors) < 2

        def next_task(self) -> Optional[Task]:
            self.left -= 1
            return (lambda: None) if self.left >= 0 else None

        def task_done(self, error: Optional[BaseException], value: Any) -> None:
            settling.set()
            assert ended.wait(PATIENCE)
            self.errors.append(error)

        def cancel(self, abort_error: BaseException) -> None:
            pytest.fail("its tasks have ended")

    def watch() -> None:
        assert settling.wait(PATIENCE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), operation(max_workers=1) as doing:
        end_all, drain = doing._abort_all, doing._join_running
        doing._check_abort_conditions = watch  # type: ignore[method-assign]
        doing._join_running = lambda: (ended.set(), drain())  # type: ignore[method-assign, assignment, func-returns-value]
        job = Slow()
        try:
            doing.run_jobs([job], 1)
        finally:
            assert doing._lifecycle.abort_error is not None
            end_all(doing._lifecycle.abort_error)
    first, second = job.errors
    assert first is None
    assert isinstance(second, Cancelled)


def test_what_asks_for_a_cancel_and_raises() -> None:
    class Spiteful:
        def is_set(self) -> bool:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), operation(cancel=Spiteful()) as doing:
        doing.run_jobs([Tasks(lambda: None)], 1)
    assert engine_threads() == []


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
