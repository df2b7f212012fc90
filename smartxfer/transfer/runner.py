"""One call of the user's: its threads, its cancel flag, its deadline, its stall guard.

Jobs (one per file) offer tasks; worker threads do them, and the one that ends a task hands out those that
come after it.  The calling thread watches, so that it can be interrupted, and so that one place sees every
attempt that is under way.  Where no worker can be started it does the tasks itself, and watches between two
blocks of a file.

An operation is running, ending or left: see :mod:`smartxfer.transfer.lifecycle`.
"""

import collections
import contextlib
import queue
import threading
import time
from typing import (
    Any,
    Callable,
    ContextManager,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    TypeVar,
    cast,
)

from smartxfer._system import SYSTEM_CLOCK, Clock, override_sleep
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.error_values import with_cause
from smartxfer.errors import Cancelled, DeadlineExceeded, SmartxferError
from smartxfer.transfer.job import CallableJob, Job, ScheduledTask
from smartxfer.transfer.lifecycle import ActiveAttempts, Lifecycle, detect_stall
from smartxfer.transfer.progress import Progress, ProgressReporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transport.attempt import Attempt, AttemptContext
from smartxfer.transport.rate_limits import RateLimits
from smartxfer.transport.retry_checks import RetryRule
from smartxfer.transport.retry_policy import RetryPolicy
from smartxfer.transport.retry_state import RetryState
from smartxfer.weak import weak_method
from smartxfer.worker_pool import WorkerPool, run_in_daemon_thread

__all__ = ["TransferRunner"]

_POLL_INTERVAL = 0.1
T = TypeVar("T")


class TransferRunner:
    """Runs jobs, and ends them all on Ctrl-C, cancel, deadline or a failing progress callback.

    :param max_workers: most threads at a time.
    :param deadline: seconds from now.
    :param limits: the client's view of rate limits.
    :param error_family: the service's; whatever a task raises becomes one of them.
    :param retry_checks: decisions about another try that the service alone can make.
    """

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        max_workers: int,
        clock: Clock = SYSTEM_CLOCK,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
        progress: Progress = None,
        limits: Optional[RateLimits] = None,
        error_family: ErrorFamily = GENERIC_ERRORS,
        retry_checks: Sequence[RetryRule] = (),
    ) -> None:
        self.policy, self.clock = policy, clock
        self.error_family, self._limits, self._retry_checks = error_family, limits, retry_checks
        # Weak: if Ctrl-C keeps __exit__() from being run, the threads end once nothing refers to this object.
        self.reporter = ProgressReporter(progress, clock, weak_method(self._raise_if_aborted_in_caller))
        self._cancel, self._deadline, self.started_at = cancel, deadline, clock.monotonic()
        self._deadline_at = None if deadline is None else self.started_at + deadline
        self._lifecycle = Lifecycle()
        #: True once the caller's ``cancel`` was set, even if it is not any more.
        self._cancel_seen = False
        self._active_attempts = ActiveAttempts()
        #: Guards small counts that several threads add to.
        self.lock = threading.Lock()
        self._workers = WorkerPool(max_workers, "smartxfer")
        #: Guards what follows; no job is settled or abandoned under it, which may take long.  It and the
        #: bell are used in single steps: where Ctrl-C falls between two, a lock is never free again.
        self._state_lock = threading.RLock()
        #: Rung when a job has ended, or is not to go on.
        self._wakeup: queue.SimpleQueue[None] = queue.SimpleQueue()
        #: Tasks that wait for a worker, are under way, or have not been settled.
        self._unfinished_tasks: Dict[ScheduledTask, Job] = {}
        #: Jobs that a thread settles or abandons, with the outcomes that are still to be settled.
        self._pending_outcomes: Dict[Job, Deque[ScheduledTask]] = {}
        self._unfinished_jobs: List[Job] = []
        #: A job's own failure, which is a bug.
        self._internal_error: Optional[BaseException] = None

    def __repr__(self) -> str:
        return f"<Operation, {self._lifecycle.phase.value}>"

    def __enter__(self) -> "TransferRunner":
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        # Ctrl-C in one step does not leave out the others; an ExitStack would keep this object in a cycle.
        try:
            if error is not None:
                self._abort_all(Cancelled("the transfer was interrupted"))
                self._join_running()
        finally:
            try:
                self._close()
            finally:
                try:
                    self._workers.close(0.0 if self._unfinished_tasks else None)
                finally:
                    self.reporter.close()

    # -- for the calling thread -------------------------------------------------------------------------

    def run_one(self, step: Callable[[], T]) -> T:
        """Do one step in a worker, under the same watch as everything else."""
        job = CallableJob(step)
        self.run_jobs([job], 1)
        return cast("T", job.result())

    def run_jobs(self, jobs: Iterable[Job], max_jobs: int) -> None:
        """Run the jobs, ``max_jobs`` of them at a time, until none has anything left to do.

        :raises Cancelled: the call was cancelled, or its progress callback raised.
        :raises DeadlineExceeded: the deadline passed.
        """
        try:
            waiting, self._unfinished_jobs = iter(jobs), []
            while self._run_step(waiting, max_jobs):
                done = self._workers.run_in_calling_thread()
                if done is not None and done.error is not None:
                    raise done.error  # Ctrl-C, which fell into the task
                if done is None and self._unfinished_tasks:
                    with contextlib.suppress(queue.Empty):
                        self._wakeup.get(timeout=_POLL_INTERVAL)
        except BaseException:
            # Nothing begins any more, whatever the caller does before it leaves the operation.
            self._abort_all(Cancelled("the transfer was interrupted"))
            raise

    def _run_step(self, waiting: Iterator[Job], max_jobs: int) -> bool:
        """Begin jobs, and look at what may end the call; return False once all jobs are done."""
        exhausted = self._start_jobs(waiting, max_jobs)
        if self._internal_error is not None:
            raise self._internal_error
        if not self._unfinished_tasks:
            self._check_progress_callback()
            self._cancel_idle_jobs()
            self.raise_if_aborted()
            if exhausted and not self._count_unfinished_jobs():
                return False
        self._check_abort_conditions()
        if time.monotonic() >= self._lifecycle.close_at:
            self._close()
            self._lifecycle.raise_if_aborted()
        return True

    def _start_jobs(self, waiting: Iterator[Job], at_once: int) -> bool:
        """Begin jobs until so many are open; return True if none are waiting any more."""
        while self._count_unfinished_jobs() < at_once:
            job = next(waiting, None)
            if job is None:
                return True
            with self._state_lock:
                self._unfinished_jobs.append(job)
                self._submit_ready_tasks(job)
        return False

    def _count_unfinished_jobs(self) -> int:
        """Return how many jobs have not come to their end."""
        with self._state_lock:
            self._unfinished_jobs = [
                job
                for job in self._unfinished_jobs
                if job.unfinished or job in self._unfinished_tasks.values()
            ]
            return len(self._unfinished_jobs)

    def _submit_ready_tasks(self, job: Job) -> None:
        """Have the workers do what a job has ready; the turn is ours."""
        while not self._should_stop():
            task = job.next_task()
            if task is None:
                return
            work = ScheduledTask(job, task, self._task_context, self._process_outcome)
            self._unfinished_tasks[work] = job
            self._workers.submit(work)

    @contextlib.contextmanager
    def _task_context(self) -> Iterator[None]:
        """Let a task be done, in the thread that took it, with waits that end when the call does."""
        self._lifecycle.raise_if_aborted()  # a thread took it just before the tasks were taken back
        self.reporter.flush_queued()
        with override_sleep(self.sleep, self.clock.monotonic):
            yield

    def _should_stop(self) -> bool:
        """Whether nothing more is to begin, even if the calling thread has not seen it yet."""
        over = (
            self._lifecycle.abort_error is not None
            or self._internal_error is not None
            or self._deadline_passed()
        )
        return over or self.reporter.failure is not None or self._is_cancelled()

    def _deadline_passed(self) -> bool:
        return self._deadline_at is not None and self.clock.monotonic() >= self._deadline_at

    def _is_cancelled(self) -> bool:
        with self._state_lock:
            self._cancel_seen = self._cancel_seen or (self._cancel is not None and self._cancel.is_set())
            return self._cancel_seen

    def _process_outcome(self, task: ScheduledTask) -> None:
        """Settle a task, in the thread that did it or took it back, and hand out what comes after it.

        Outcomes of one job are settled one after the other: those that come meanwhile, by the thread that is
        at it.
        """
        with self._state_lock:
            if task not in self._unfinished_tasks or task.reported:
                return
            task.reported = True  # _abort_all() takes back twice what another thread has not settled yet
            if task.job in self._pending_outcomes:
                self._pending_outcomes[task.job].append(task)
                return
            outcomes = self._pending_outcomes[task.job] = collections.deque([task])
        while True:
            with self._state_lock:
                if not outcomes:
                    last = (
                        self._lifecycle.closed
                        and task.job.unfinished
                        and task.job not in self._unfinished_tasks.values()
                    )
                    if not last:
                        del self._pending_outcomes[task.job]
                        return
                ended = outcomes.popleft() if outcomes else None
            if ended is None:  # the call is over, and the job still has files open and locked
                self._cancel_job(task.job)
                return
            self._apply_outcome(ended)

    def _apply_outcome(self, task: ScheduledTask) -> None:
        broken: Optional[BaseException] = None
        try:
            if not self._lifecycle.closed:  # else it is too late for the outcome
                task.job.task_done(
                    None if task.error is None else self.error_family.convert(task.error), task.value
                )
        except BaseException as bug:  # noqa: BLE001 - it is raised where the caller sees it
            broken = bug
        if isinstance(task.error, Exception):
            task.error = None  # it and the frames of its traceback would keep each other
        with self._state_lock:
            self._unfinished_tasks.pop(task, None)
            try:
                if broken is None and not self._lifecycle.closed:
                    self._submit_ready_tasks(task.job)
            except BaseException as bug:  # noqa: BLE001
                broken = bug
            self._internal_error = self._internal_error or broken
            ring = not task.job.unfinished or not self._unfinished_tasks or self._should_stop()
        if ring:
            self._wakeup.put(None)

    def _check_progress_callback(self) -> None:
        if self.reporter.failure is not None and self._lifecycle.abort_error is None:
            error = Cancelled("the progress callback raised an exception")
            self._abort_all(with_cause(error, self.reporter.failure))

    def _check_abort_conditions(self) -> None:
        self._check_progress_callback()
        if self._is_cancelled():
            self._abort_all(Cancelled("the transfer was cancelled"))
        elif self._deadline_passed():
            late = f"not complete within deadline={self._deadline} (seconds)"
            self._abort_all(DeadlineExceeded(late))
        for attempt in self._active_attempts.snapshot():
            stalled = detect_stall(attempt, self.clock.monotonic(), self.policy)
            if stalled is not None:
                attempt.abort(stalled)

    def _abort_all(self, abort_error: SmartxferError) -> None:
        """Go from running to ending; again, if it was broken off the first time."""
        abort_error = self._lifecycle.abort(abort_error)
        self.reporter.stop_waiting()
        for attempt in self._active_attempts.snapshot():
            attempt.abort(abort_error)
        with (
            self._state_lock
        ):  # in one step: a thread that is handing out tasks would add one between the two
            self._workers.discard_queued()
            back = [work for work in self._unfinished_tasks if not work.started]
        for work in back:
            work.error = abort_error
            self._process_outcome(work)

    def _join_running(self) -> None:
        """Wait for tasks under way, within bounds: their sockets are shut, so that they end soon."""
        while self._unfinished_tasks and time.monotonic() < self._lifecycle.close_at:
            with contextlib.suppress(queue.Empty):
                self._wakeup.get(
                    timeout=min(_POLL_INTERVAL, max(0.0, self._lifecycle.close_at - time.monotonic()))
                )

    def _close(self) -> None:
        """Go from running or ending to left: tasks still under way clean up after themselves."""
        with self._state_lock:
            self._lifecycle.close()
        self._cancel_idle_jobs()

    def _cancel_idle_jobs(self) -> None:
        """Once the operation is ending: have jobs that nothing runs for close files and release locks."""
        if self._lifecycle.abort_error is None:
            return
        with self._state_lock:
            busy = {*self._unfinished_tasks.values(), *self._pending_outcomes}
            idle = [job for job in self._unfinished_jobs if job.unfinished and job not in busy]
            self._pending_outcomes.update((job, collections.deque()) for job in idle)
            self._unfinished_jobs = [job for job in self._unfinished_jobs if job not in idle]
        for job in idle:
            self._cancel_job(job)

    def _cancel_job(self, job: Job) -> None:
        """Abandon a job that no thread is at but this one."""
        try:
            job.cancel(self._lifecycle.abort_error or Cancelled("the transfer was interrupted"))
        finally:
            with self._state_lock:
                self._pending_outcomes.pop(job, None)

    # -- for worker threads -----------------------------------------------------------------------------

    def raise_if_aborted(self) -> None:
        """Raise why the call is ending, if it is."""
        if self._workers.is_calling_thread_working:  # no other thread watches
            self._check_abort_conditions()
        self._lifecycle.raise_if_aborted()

    def _raise_if_aborted_in_caller(self) -> None:
        if self._workers.is_calling_thread_working:
            self.raise_if_aborted()

    @contextlib.contextmanager
    def attempt(self, retry_state: Optional[RetryState] = None) -> Iterator[Attempt]:
        """One try of one request, under watch.

        :param retry_state: those that it is one of: what is left of their budget is all that it may take.
        """
        limits, here = (
            (retry_state or self.new_retry_state("")).time_limits(),
            self._workers.is_calling_thread_working,
        )
        attempt = Attempt(self.policy.stall_window + 5.0, limits, monitored=not here)
        if here and self._deadline_at is not None:
            attempt.limit_timeouts(self._deadline_at - self.clock.monotonic())
        attempt.sleep_function = self.sleep if here else None
        with self._active_attempts.track(attempt), attempt.activate():
            self.raise_if_aborted()
            yield attempt

    def new_retry_state(
        self, description: str, idempotent: bool = True, retry_checks: Sequence[RetryRule] = ()
    ) -> RetryState:
        """Return the retry state of a request; ``retry_checks`` are asked before the service's."""
        return RetryState(
            self.policy, self.clock, description, sleep=self.sleep, idempotent=idempotent,
            rate_limits=self._limits, rules=(*retry_checks, *self._retry_checks),
        )  # fmt: skip

    def attempts(self, description: str, idempotent: bool = True) -> Iterator[ContextManager[Attempt]]:
        """Yield the tries of one request, by the policy and under watch."""
        return self.new_retry_state(description, idempotent).attempts(
            self.attempt, raise_if_aborted=self.raise_if_aborted
        )

    def retry(
        self,
        description: str,
        send: Callable[[], T],
        *,
        idempotent: bool = True,
        on_retry: Callable[[], None] = lambda: None,
        retry_checks: Sequence[RetryRule] = (),
        attempt_context: AttemptContext = contextlib.nullcontext,
    ) -> T:
        """Do ``send``, one try of one request, by the policy.

        :param description: the request in words, for the log.
        :param on_retry: told of each try that failed and will be followed by another.
        """
        tries = self.new_retry_state(description, idempotent, retry_checks)
        attempts = tries.attempts(self.attempt, raise_if_aborted=self.raise_if_aborted, before_retry=on_retry)
        while True:
            with next(attempts) as attempt, attempt_context(attempt):
                return send()

    def run_uninterruptible(self, step: Callable[[], T]) -> T:
        """Do what nothing can interrupt in a thread that nobody waits for once the call is over."""
        return run_in_daemon_thread(step, self.raise_if_aborted)

    def sleep(self, seconds: float) -> None:
        """Wait, no longer than the call lasts."""
        ends_at = self.clock.monotonic() + seconds
        while self._workers.is_calling_thread_working and self.clock.monotonic() < ends_at - _POLL_INTERVAL:
            self.raise_if_aborted()
            self.clock.wait_for_event(self._lifecycle.aborted, _POLL_INTERVAL)
        left = ends_at - self.clock.monotonic() if self._workers.is_calling_thread_working else seconds
        self.clock.wait_for_event(self._lifecycle.aborted, left)
        self.raise_if_aborted()
