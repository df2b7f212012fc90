"""One call of the user's: its threads, its cancel flag, its deadline, its stall guard.

Jobs (one per file) offer tasks; worker threads do them, and the one that ends a task hands out those that
come after it.  The calling thread watches, so that it can be interrupted, and so that one place sees every
attempt that is under way.  Where no worker can be started it does the tasks itself, and watches between two
blocks of a file.

An operation is running, ending or left: see :mod:`smartxfer.transfer.state`.
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

from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.error_values import caused
from smartxfer.errors import Cancelled, DeadlineExceeded, SmartxferError
from smartxfer.seams import SYSTEM_CLOCK, Clock, pausing
from smartxfer.transfer.job import Job, Single, Work
from smartxfer.transfer.progress import Progress, Reporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transfer.state import Attempts, Lifecycle, stall_of
from smartxfer.transport.attempt import Attempt, Within
from smartxfer.transport.checks import Check
from smartxfer.transport.limits import Limits
from smartxfer.transport.retry import RetryPolicy
from smartxfer.transport.tries import Tries
from smartxfer.weak import weak_method
from smartxfer.workers import Workers, aside

__all__ = ["Operation"]

_TICK = 0.1
T = TypeVar("T")


class Operation:
    """Runs jobs, and ends them all on Ctrl-C, cancel, deadline or a failing progress callback.

    :param workers: most threads at a time.
    :param deadline: seconds from now.
    :param limits: the client's view of rate limits.
    :param errors: the service's; whatever a task raises becomes one of them.
    :param checks: decisions about another try that the service alone can make.
    """

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        workers: int,
        clock: Clock = SYSTEM_CLOCK,
        cancel: Optional[Cancel] = None,
        deadline: Optional[float] = None,
        progress: Progress = None,
        limits: Optional[Limits] = None,
        errors: ErrorFamily = GENERIC,
        checks: Sequence[Check] = (),
    ) -> None:
        self.policy, self.clock = policy, clock
        self.errors, self._limits, self._checks = errors, limits, checks
        # Weak: if Ctrl-C keeps __exit__() from being run, the threads end once nothing refers to this object.
        self.reporter = Reporter(progress, clock, weak_method(self._check_here))
        self._cancel, self._deadline, self.began = cancel, deadline, clock.monotonic()
        self._ends_at = None if deadline is None else self.began + deadline
        self._life = Lifecycle()
        #: True once the caller's ``cancel`` was set, even if it is not any more.
        self._cancelled = False
        self._attempts = Attempts()
        #: Guards small counts that several threads add to.
        self.lock = threading.Lock()
        self._workers = Workers(workers, "smartxfer")
        #: Guards what follows; no job is settled or abandoned under it, which may take long.  It and the
        #: bell are used in single steps: where Ctrl-C falls between two, a lock is never free again.
        self._turn = threading.RLock()
        #: Rung when a job has ended, or is not to go on.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        #: Tasks that wait for a worker, are under way, or have not been settled.
        self._running: Dict[Work, Job] = {}
        #: Jobs that a thread settles or abandons, with the outcomes that are still to be settled.
        self._settling: Dict[Job, Deque[Work]] = {}
        self._active: List[Job] = []
        #: A job's own failure, which is a bug.
        self._broken: Optional[BaseException] = None

    def __repr__(self) -> str:
        return f"<Operation, {self._life.phase.value}>"

    def __enter__(self) -> "Operation":
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        # Ctrl-C in one step does not leave out the others; an ExitStack would keep this object in a cycle.
        try:
            if error is not None:
                self._end_all(Cancelled("the transfer was interrupted"))
                self._drain()
        finally:
            try:
                self._leave()
            finally:
                try:
                    self._workers.close(0.0 if self._running else None)
                finally:
                    self.reporter.close()

    # -- for the calling thread -------------------------------------------------------------------------

    def call(self, step: Callable[[], T]) -> T:
        """Do one step in a worker, under the same watch as everything else."""
        job = Single(step)
        self.run([job], 1)
        return cast("T", job.outcome())

    def run(self, jobs: Iterable[Job], at_once: int) -> None:
        """Run the jobs, ``at_once`` of them at a time, until none has anything left to do.

        :raises Cancelled: the call was cancelled, or its progress callback raised.
        :raises DeadlineExceeded: the deadline passed.
        """
        try:
            waiting, self._active = iter(jobs), []
            while self._goes_on(waiting, at_once):
                done = self._workers.help()
                if done is not None and done.error is not None:
                    raise done.error  # Ctrl-C, which fell into the task
                if done is None and self._running:
                    with contextlib.suppress(queue.Empty):
                        self._bell.get(timeout=_TICK)
        except BaseException:
            # Nothing begins any more, whatever the caller does before it leaves the operation.
            self._end_all(Cancelled("the transfer was interrupted"))
            raise

    def _goes_on(self, waiting: Iterator[Job], at_once: int) -> bool:
        """Begin jobs, and look at what may end the call; return False once all jobs are done."""
        exhausted = self._begin(waiting, at_once)
        if self._broken is not None:
            raise self._broken
        if not self._running:
            self._heed_callback()
            self._abandon_idle()
            self.check()
            if exhausted and not self._open():
                return False
        self._watch()
        if time.monotonic() >= self._life.leave_at:
            self._leave()
            self._life.check()
        return True

    def _begin(self, waiting: Iterator[Job], at_once: int) -> bool:
        """Begin jobs until so many are open; return True if none are waiting any more."""
        while self._open() < at_once:
            job = next(waiting, None)
            if job is None:
                return True
            with self._turn:
                self._active.append(job)
                self._hand_out(job)
        return False

    def _open(self) -> int:
        """Return how many jobs have not come to their end."""
        with self._turn:
            self._active = [job for job in self._active if job.open or job in self._running.values()]
            return len(self._active)

    def _hand_out(self, job: Job) -> None:
        """Have the workers do what a job has ready; the turn is ours."""
        while not self._ending():
            task = job.next_task()
            if task is None:
                return
            work = Work(job, task, self._at_work, self._ended)
            self._running[work] = job
            self._workers.add(work)

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """Let a task be done, in the thread that took it, with waits that end when the call does."""
        self._life.check()  # a thread took it just before the tasks were taken back
        self.reporter.announce()
        with pausing(self.pause, self.clock.monotonic):
            yield

    def _ending(self) -> bool:
        """Whether nothing more is to begin, even if the calling thread has not seen it yet."""
        over = self._life.reason is not None or self._broken is not None or self._is_late()
        return over or self.reporter.failure is not None or self._is_cancelled()

    def _is_late(self) -> bool:
        return self._ends_at is not None and self.clock.monotonic() >= self._ends_at

    def _is_cancelled(self) -> bool:
        with self._turn:
            self._cancelled = self._cancelled or (self._cancel is not None and self._cancel.is_set())
            return self._cancelled

    def _ended(self, work: Work) -> None:
        """Settle a task, in the thread that did it or took it back, and hand out what comes after it.

        Outcomes of one job are settled one after the other: those that come meanwhile, by the thread that is
        at it.
        """
        with self._turn:
            if work not in self._running or work.reported:
                return
            work.reported = True  # _end_all() takes back twice what another thread has not settled yet
            if work.job in self._settling:
                self._settling[work.job].append(work)
                return
            outcomes = self._settling[work.job] = collections.deque([work])
        while True:
            with self._turn:
                if not outcomes:
                    last = self._life.left and work.job.open and work.job not in self._running.values()
                    if not last:
                        del self._settling[work.job]
                        return
                ended = outcomes.popleft() if outcomes else None
            if ended is None:  # the call is over, and the job still has files open and locked
                self._abandon(work.job)
                return
            self._settle(ended)

    def _settle(self, work: Work) -> None:
        broken: Optional[BaseException] = None
        try:
            if not self._life.left:  # else it is too late for the outcome
                work.job.settle(None if work.error is None else self.errors.of(work.error), work.value)
        except BaseException as bug:  # noqa: BLE001 - it is raised where the caller sees it
            broken = bug
        if isinstance(work.error, Exception):
            work.error = None  # it and the frames of its traceback would keep each other
        with self._turn:
            self._running.pop(work, None)
            try:
                if broken is None and not self._life.left:
                    self._hand_out(work.job)
            except BaseException as bug:  # noqa: BLE001
                broken = bug
            self._broken = self._broken or broken
            ring = not work.job.open or not self._running or self._ending()
        if ring:
            self._bell.put(None)

    def _heed_callback(self) -> None:
        if self.reporter.failure is not None and self._life.reason is None:
            error = Cancelled("the progress callback raised an exception")
            self._end_all(caused(error, self.reporter.failure))

    def _watch(self) -> None:
        self._heed_callback()
        if self._is_cancelled():
            self._end_all(Cancelled("the transfer was cancelled"))
        elif self._is_late():
            self._end_all(DeadlineExceeded(f"not done within {self._deadline} s"))
        for attempt in self._attempts.all():
            stalled = stall_of(attempt, self.clock.monotonic(), self.policy)
            if stalled is not None:
                attempt.end(stalled)

    def _end_all(self, reason: SmartxferError) -> None:
        """Go from running to ending; again, if it was broken off the first time."""
        reason = self._life.end(reason)
        self.reporter.hurry()
        for attempt in self._attempts.all():
            attempt.end(reason)
        with self._turn:  # in one step: a thread that is handing out tasks would add one between the two
            self._workers.clear()
            back = [work for work in self._running if not work.taken]
        for work in back:
            work.error = reason
            self._ended(work)

    def _drain(self) -> None:
        """Wait for tasks under way, within bounds: their sockets are shut, so that they end soon."""
        while self._running and time.monotonic() < self._life.leave_at:
            with contextlib.suppress(queue.Empty):
                self._bell.get(timeout=min(_TICK, max(0.0, self._life.leave_at - time.monotonic())))

    def _leave(self) -> None:
        """Go from running or ending to left: tasks still under way clean up after themselves."""
        with self._turn:
            self._life.leave()
        self._abandon_idle()

    def _abandon_idle(self) -> None:
        """Once the operation is ending: have jobs that nothing runs for close files and release locks."""
        if self._life.reason is None:
            return
        with self._turn:
            busy = {*self._running.values(), *self._settling}
            idle = [job for job in self._active if job.open and job not in busy]
            self._settling.update((job, collections.deque()) for job in idle)
            self._active = [job for job in self._active if job not in idle]
        for job in idle:
            self._abandon(job)

    def _abandon(self, job: Job) -> None:
        """Abandon a job that no thread is at but this one."""
        try:
            job.abandon(self._life.reason or Cancelled("the transfer was interrupted"))
        finally:
            with self._turn:
                self._settling.pop(job, None)

    # -- for worker threads -----------------------------------------------------------------------------

    def check(self) -> None:
        """Raise why the call is ending, if it is."""
        if self._workers.here:  # no other thread watches
            self._watch()
        self._life.check()

    def _check_here(self) -> None:
        if self._workers.here:
            self.check()

    @contextlib.contextmanager
    def attempt(self, tries: Optional[Tries] = None) -> Iterator[Attempt]:
        """One try of one request, under watch.

        :param tries: those that it is one of: what is left of their budget is all that it may take.
        """
        limits, here = (tries or self.tries("")).time_limits(), self._workers.here
        attempt = Attempt(self.policy.stall_window + 5.0, limits, watched=not here)
        if here and self._ends_at is not None:
            attempt.limit(self._ends_at - self.clock.monotonic())
        attempt.wait = self.pause if here else None
        with self._attempts.holding(attempt), attempt.entered():
            self.check()
            yield attempt

    def tries(self, what: str, idempotent: bool = True, checks: Sequence[Check] = ()) -> Tries:
        """A counter of tries whose pauses end when the call does; ``checks`` go before the service's."""
        return Tries(
            self.policy, self.clock, what, pause=self.pause, idempotent=idempotent,
            limits=self._limits, checks=(*checks, *self._checks),
        )  # fmt: skip

    def attempts(self, what: str, idempotent: bool = True) -> Iterator[ContextManager[Attempt]]:
        """Yield the tries of one request, by the policy and under watch."""
        return self.tries(what, idempotent).attempts(self.attempt, check=self.check)

    def retry(
        self,
        what: str,
        step: Callable[[], T],
        *,
        idempotent: bool = True,
        failed: Callable[[], None] = lambda: None,
        checks: Sequence[Check] = (),
        within: Within = contextlib.nullcontext,
    ) -> T:
        """Do ``step``, one try of one request, by the policy.

        :param what: the request in words, for the log.
        :param failed: told of each try that failed and will be followed by another.
        """
        tries = self.tries(what, idempotent, checks)
        attempts = tries.attempts(self.attempt, check=self.check, again=failed)
        while True:
            with next(attempts) as attempt, within(attempt):
                return step()

    def aside(self, step: Callable[[], T]) -> T:
        """Do what nothing can interrupt in a thread that nobody waits for once the call is over."""
        return aside(step, self.check)

    def pause(self, seconds: float) -> None:
        """Wait, no longer than the call lasts."""
        ends_at = self.clock.monotonic() + seconds
        while self._workers.here and self.clock.monotonic() < ends_at - _TICK:
            self.check()
            self.clock.wait(self._life.stopped, _TICK)
        left = ends_at - self.clock.monotonic() if self._workers.here else seconds
        self.clock.wait(self._life.stopped, left)
        self.check()
