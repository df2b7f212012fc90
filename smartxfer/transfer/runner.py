"""Runner of the jobs of one public call: worker threads, cancellation, deadline and stall detection.

Each job (one per file) offers tasks.  Worker threads execute them, and the thread that finishes a task
submits the tasks that follow it.  The calling thread only monitors, so that Ctrl-C works and one place sees
every active attempt.  If no worker thread can be started, the calling thread executes the tasks itself and
checks for cancellation between two blocks of a file.

A runner is running, ending or closed: see :mod:`smartxfer.transfer.lifecycle`.
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
from smartxfer.errors import Cancelled, SmartxferError
from smartxfer.transfer.job import CallableJob, Job, ScheduledTask
from smartxfer.transfer.lifecycle import ActiveAttempts, CallLimits, Lifecycle, detect_stall
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
    """Runs jobs, and ends all of them on Ctrl-C, cancellation, deadline or a failing progress callback.

    :param max_workers: maximum number of concurrent threads.
    :param deadline: seconds from now.
    :param limits: rate limits that the client has observed.
    :param error_family: errors of the service; every error of a task is converted to one of them.
    :param retry_checks: retry rules that are specific to the service.
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
        self.started_at = clock.monotonic()
        self._call_limits = CallLimits(cancel, deadline, clock)
        self._lifecycle = Lifecycle()
        self._active_attempts = ActiveAttempts()
        #: Guards counters that several threads increment.
        self.lock = threading.Lock()
        self._workers = WorkerPool(max_workers, "smartxfer")
        #: Guards the attributes below.  Job callbacks are not called while it is held, because they may take
        #: long.  The lock is acquired only by ``with``: Ctrl-C between two statements would leave it locked.
        self._state_lock = threading.RLock()
        #: Receives an item when a job has ended or has to stop.
        self._wakeup: queue.SimpleQueue[None] = queue.SimpleQueue()
        #: Tasks that are queued, running, or whose outcome has not been processed.
        self._unfinished_tasks: Dict[ScheduledTask, Job] = {}
        #: Jobs whose outcomes a thread is processing, with the outcomes that are still to be processed.
        self._pending_outcomes: Dict[Job, Deque[ScheduledTask]] = {}
        self._unfinished_jobs: List[Job] = []
        #: An exception raised by a job callback itself, which is a bug.
        self._internal_error: Optional[BaseException] = None

    def __repr__(self) -> str:
        return f"<TransferRunner, {self._lifecycle.phase.value}>"

    def __enter__(self) -> "TransferRunner":
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        # Ctrl-C in one step does not skip the others.  An ExitStack would create a reference cycle.
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
        """Call ``step`` in a worker thread, with the same monitoring as all other tasks."""
        job = CallableJob(step)
        self.run_jobs([job], 1)
        return cast("T", job.result())

    def run_jobs(self, jobs: Iterable[Job], max_jobs: int) -> None:
        """Run the jobs, at most ``max_jobs`` at a time, until all have finished.

        :raises Cancelled: the call was cancelled, or its progress callback raised.
        :raises DeadlineExceeded: the deadline passed.
        """
        try:
            waiting, self._unfinished_jobs = iter(jobs), []
            while self._run_step(waiting, max_jobs):
                done = self._workers.run_in_calling_thread()
                if done is not None and done.error is not None:
                    raise done.error  # Ctrl-C during the task
                if done is None and self._unfinished_tasks:
                    with contextlib.suppress(queue.Empty):
                        self._wakeup.get(timeout=_POLL_INTERVAL)
        except BaseException:
            # No task may start any more, even if the caller keeps the runner open.
            self._abort_all(Cancelled("the transfer was interrupted"))
            raise

    def _run_step(self, waiting: Iterator[Job], max_jobs: int) -> bool:
        """Start jobs and check the conditions that end the call; return False once all jobs are done."""
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

    def _start_jobs(self, waiting: Iterator[Job], max_jobs: int) -> bool:
        """Start jobs until ``max_jobs`` are unfinished; return True if no job is waiting."""
        while self._count_unfinished_jobs() < max_jobs:
            job = next(waiting, None)
            if job is None:
                return True
            with self._state_lock:
                self._unfinished_jobs.append(job)
                self._submit_ready_tasks(job)
        return False

    def _count_unfinished_jobs(self) -> int:
        with self._state_lock:
            busy = self._unfinished_tasks.values()
            self._unfinished_jobs = [job for job in self._unfinished_jobs if job.unfinished or job in busy]
            return len(self._unfinished_jobs)

    def _submit_ready_tasks(self, job: Job) -> None:
        """Submit every task that the job has ready.  The caller holds ``_state_lock``."""
        while not self._should_stop():
            task = job.next_task()
            if task is None:
                return
            scheduled = ScheduledTask(job, task, self._task_context, self._process_outcome)
            self._unfinished_tasks[scheduled] = job
            self._workers.submit(scheduled)

    @contextlib.contextmanager
    def _task_context(self) -> Iterator[None]:
        """Surround a task in its worker thread: waits within the block end when the call ends."""
        self._lifecycle.raise_if_aborted()  # the thread took the task just before the queue was cleared
        self.reporter.flush_queued()
        with override_sleep(self.sleep, self.clock.monotonic):
            yield

    def _should_stop(self) -> bool:
        """Return True if no task may start, even if the calling thread has not noticed the reason yet."""
        stopping = self._lifecycle.abort_error is not None or self._internal_error is not None
        return stopping or self.reporter.failure is not None or self._call_limits.exceeded()

    def _process_outcome(self, task: ScheduledTask) -> None:
        """Pass the outcome of a task to its job, and submit the tasks that follow it.

        The outcomes of one job are processed one after the other: a thread that is processing one also
        processes those that other threads report until it is done.
        """
        with self._state_lock:
            if task not in self._unfinished_tasks or task.reported:
                return
            task.reported = True  # _abort_all() may report a task again that is being processed
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
            if ended is None:  # the call has returned, and the job still has open and locked files
                self._cancel_job(task.job)
                return
            self._apply_outcome(ended)

    def _apply_outcome(self, task: ScheduledTask) -> None:
        broken: Optional[BaseException] = None
        try:
            if not self._lifecycle.closed:  # after that the job is cancelled instead
                task.job.task_done(
                    None if task.error is None else self.error_family.convert(task.error), task.value
                )
        except BaseException as bug:  # noqa: BLE001 - it is raised in the calling thread
            broken = bug
        if isinstance(task.error, Exception):
            task.error = None  # breaks a reference cycle with the frames of its traceback
        with self._state_lock:
            self._unfinished_tasks.pop(task, None)
            try:
                if broken is None and not self._lifecycle.closed:
                    self._submit_ready_tasks(task.job)
            except BaseException as bug:  # noqa: BLE001
                broken = bug
            self._internal_error = self._internal_error or broken
            wake = not task.job.unfinished or not self._unfinished_tasks or self._should_stop()
        if wake:
            self._wakeup.put(None)

    def _check_progress_callback(self) -> None:
        if self.reporter.failure is not None and self._lifecycle.abort_error is None:
            error = Cancelled("the progress callback raised an exception")
            self._abort_all(with_cause(error, self.reporter.failure))

    def _check_abort_conditions(self) -> None:
        self._check_progress_callback()
        exceeded = self._call_limits.find_error()
        if exceeded is not None:
            self._abort_all(exceeded)
        for attempt in self._active_attempts.snapshot():
            stalled = detect_stall(attempt, self.clock.monotonic(), self.policy)
            if stalled is not None:
                attempt.abort(stalled)

    def _abort_all(self, abort_error: SmartxferError) -> None:
        """Change the state from running to ending; repeat the steps if Ctrl-C interrupted the first call."""
        abort_error = self._lifecycle.abort(abort_error)
        self.reporter.stop_waiting()
        for attempt in self._active_attempts.snapshot():
            attempt.abort(abort_error)
        with self._state_lock:  # another thread could submit a task between these two statements
            self._workers.discard_queued()
            discarded = [task for task in self._unfinished_tasks if not task.started]
        for task in discarded:
            task.error = abort_error
            self._process_outcome(task)

    def _join_running(self) -> None:
        """Wait a bounded time for running tasks; they end soon because their sockets are shut down."""
        while self._unfinished_tasks and time.monotonic() < self._lifecycle.close_at:
            left = self._lifecycle.close_at - time.monotonic()
            with contextlib.suppress(queue.Empty):
                self._wakeup.get(timeout=min(_POLL_INTERVAL, max(0.0, left)))

    def _close(self) -> None:
        """Change the state to closed: tasks that still run release their resources when they end."""
        with self._state_lock:
            self._lifecycle.close()
        self._cancel_idle_jobs()

    def _cancel_idle_jobs(self) -> None:
        """Cancel the jobs that no thread is working on, once the runner is ending."""
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
        """Cancel a job that no other thread is working on."""
        try:
            job.cancel(self._lifecycle.abort_error or Cancelled("the transfer was interrupted"))
        finally:
            with self._state_lock:
                self._pending_outcomes.pop(job, None)

    # -- for worker threads -----------------------------------------------------------------------------

    def raise_if_aborted(self) -> None:
        """Raise the reason if the call is ending."""
        if self._workers.is_calling_thread_working:  # no other thread monitors this one
            self._check_abort_conditions()
        self._lifecycle.raise_if_aborted()

    def _raise_if_aborted_in_caller(self) -> None:
        if self._workers.is_calling_thread_working:
            self.raise_if_aborted()

    @contextlib.contextmanager
    def attempt(self, retry_state: Optional[RetryState] = None) -> Iterator[Attempt]:
        """Begin one monitored attempt of one request.

        :param retry_state: of the request; the attempt may take what is left of its time budget.
        """
        limits = (retry_state or self.new_retry_state("")).time_limits()
        in_calling_thread = self._workers.is_calling_thread_working
        attempt = Attempt(self.policy.stall_window + 5.0, limits, monitored=not in_calling_thread)
        seconds_left = self._call_limits.remaining()
        if in_calling_thread and seconds_left is not None:
            attempt.limit_timeouts(seconds_left)
        attempt.sleep_function = self.sleep if in_calling_thread else None
        with self._active_attempts.track(attempt), attempt.activate():
            self.raise_if_aborted()
            yield attempt

    def new_retry_state(
        self, description: str, idempotent: bool = True, retry_checks: Sequence[RetryRule] = ()
    ) -> RetryState:
        """Return the retry state of a request; ``retry_checks`` take precedence over the service's rules."""
        return RetryState(
            self.policy, self.clock, description, sleep=self.sleep, idempotent=idempotent,
            rate_limits=self._limits, rules=(*retry_checks, *self._retry_checks),
        )  # fmt: skip

    def attempts(self, description: str, idempotent: bool = True) -> Iterator[ContextManager[Attempt]]:
        """Yield monitored attempts of one request, as many as the retry policy allows."""
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
        """Call ``send``, which makes one attempt of a request, as often as the retry policy allows.

        :param description: of the request, for the log.
        :param on_retry: called after each failed attempt that is followed by another one.
        """
        attempts = self.new_retry_state(description, idempotent, retry_checks).attempts(
            self.attempt, raise_if_aborted=self.raise_if_aborted, before_retry=on_retry
        )
        while True:
            with next(attempts) as attempt, attempt_context(attempt):
                return send()

    def run_uninterruptible(self, step: Callable[[], T]) -> T:
        """Call ``step``, which cannot be interrupted, in a daemon thread that may outlast the call."""
        return run_in_daemon_thread(step, self.raise_if_aborted)

    def sleep(self, seconds: float) -> None:
        """Sleep; raise when the call ends."""
        ends_at = self.clock.monotonic() + seconds
        while self._workers.is_calling_thread_working and self.clock.monotonic() < ends_at - _POLL_INTERVAL:
            self.raise_if_aborted()
            self.clock.wait_for_event(self._lifecycle.aborted, _POLL_INTERVAL)
        left = ends_at - self.clock.monotonic() if self._workers.is_calling_thread_working else seconds
        self.clock.wait_for_event(self._lifecycle.aborted, left)
        self.raise_if_aborted()
