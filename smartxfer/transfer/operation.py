"""One call of the user's: its threads, its cancel flag, its deadline, its stall guard.

Lanes (one per file) offer tasks; worker threads do them; the calling thread watches, so that it can be
interrupted, and so that one place sees every attempt that is under way.
"""

import concurrent.futures
import contextlib
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, TypeVar

from smartxfer.errors import (
    Cancelled,
    CommunicationError,
    DeadlineExceeded,
    SmartxferError,
    Stalled,
)
from smartxfer.seams import SYSTEM_CLOCK, Clock
from smartxfer.transfer.progress import Progress, Reporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry import RetryPolicy, Tries

__all__ = ["Lane", "Operation"]

_TICK = 0.1
#: How long an interrupted call waits for its threads, in seconds.
_PATIENCE = 1.5

T = TypeVar("T")
Task = Callable[[], None]


class Lane:
    """One file's way through the engine: tasks in order, as many at once as it likes."""

    def next_task(self) -> Optional[Task]:
        """Something to do now in a worker thread, or None."""
        raise LookupError("a lane says what to do next")

    @property
    def open(self) -> bool:
        """Whether tasks will still come."""
        return False

    def settle(self, error: Optional[BaseException]) -> None:
        """A task ended, well or not; called in the calling thread."""

    def abandon(self, verdict: BaseException) -> None:
        """The call is over while tasks are left and none is under way: give up what is open."""


class Operation:
    """Runs lanes, and ends them all on Ctrl-C, cancel, deadline or a failing progress callback.

    :param workers: most threads at a time.
    :param deadline: seconds from now.
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
    ) -> None:
        self.policy = policy
        self.clock = clock
        self.reporter = Reporter(progress, clock)
        self._cancel = cancel
        self._ends_at = None if deadline is None else clock.monotonic() + deadline
        self._deadline = deadline
        self._stopped = threading.Event()
        self._verdict: Optional[SmartxferError] = None
        self._attempts: Set[Attempt] = set()
        #: Guards small counts that several threads add to.
        self.lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, "smartxfer")
        self._running: Dict[concurrent.futures.Future[None], Lane] = {}
        self._active: List[Lane] = []

    def __enter__(self) -> "Operation":
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        try:
            if error is not None:
                self._end_all(Cancelled("the transfer was interrupted"))
                self._drain()
                self._abandon_idle()
        finally:
            self._pool.shutdown(wait=not self._running)
            self.reporter.close()

    # -- for the calling thread -------------------------------------------------------------------------

    def call(self, step: Callable[[], T]) -> T:
        """Do one step in a worker, under the same watch as everything else."""
        outcome: List[T] = []

        def task() -> None:
            outcome.append(step())

        lane = _Single(task)
        self.run([lane], 1)
        if lane.error is not None:
            raise lane.error
        return outcome[0]

    def run(self, lanes: Iterable[Lane], at_once: int) -> None:
        """Run the lanes, ``at_once`` of them at a time, until none has anything left to do.

        :raises Cancelled: the call was cancelled, or its progress callback raised.
        :raises DeadlineExceeded: the deadline passed.
        """
        waiting = iter(lanes)
        active = self._active = []
        exhausted = False
        while True:
            while not exhausted and len(active) < at_once:
                lane = next(waiting, None)
                exhausted = lane is None
                if lane is not None:
                    self._start(lane)
                    active.append(lane)
            if not self._running:
                self._heed_callback()
                self._abandon_idle()
                self.check()
                if exhausted and not active:
                    return
            self._watch()
            for lane in self._collect():
                self._start(lane)
            active[:] = [lane for lane in active if lane.open or lane in self._running.values()]

    def _start(self, lane: Lane) -> None:
        while self._verdict is None:
            task = lane.next_task()
            if task is None:
                return
            self._running[self._pool.submit(task)] = lane

    def _collect(self) -> List[Lane]:
        if not self._running:
            return []
        done, _ = concurrent.futures.wait(
            self._running, timeout=_TICK, return_when=concurrent.futures.FIRST_COMPLETED
        )
        lanes = []
        for future in done:
            lane = self._running.pop(future)
            lane.settle(future.exception())
            if lane not in lanes:
                lanes.append(lane)
        return lanes

    def _heed_callback(self) -> None:
        if self.reporter.failure is not None and self._verdict is None:
            error = Cancelled("the progress callback raised an exception")
            error.__cause__ = self.reporter.failure
            self._end_all(error)

    def _watch(self) -> None:
        self._heed_callback()
        if self._cancel is not None and self._cancel.is_set():
            self._end_all(Cancelled("the transfer was cancelled"))
        elif self._ends_at is not None and self.clock.monotonic() >= self._ends_at:
            self._end_all(DeadlineExceeded(f"not done within {self._deadline} s"))
        with self.lock:
            attempts = list(self._attempts)
        for attempt in attempts:
            self._guard(attempt)

    def _guard(self, attempt: Attempt) -> None:
        now = self.clock.monotonic()
        if not attempt.guarded or attempt.marked_at is None:
            attempt.mark, attempt.marked_at = attempt.moved, now
            return
        window = now - attempt.marked_at
        if window < self.policy.stall_window:
            return
        moved = attempt.moved - attempt.mark
        if moved < self.policy.stall_speed * window:
            attempt.end(
                Stalled(
                    f"{moved} bytes in {window:.0f} s, less than {self.policy.stall_speed} bytes/s",
                    hint="the line is slow or dead; RetryPolicy(stall_speed=, stall_window=) sets the limit",
                )
            )
        attempt.mark, attempt.marked_at = attempt.moved, now

    def _end_all(self, verdict: SmartxferError) -> None:
        if self._verdict is None:
            self._verdict = verdict
        self._stopped.set()
        with self.lock:
            attempts = list(self._attempts)
        for attempt in attempts:
            attempt.end(self._verdict)
        for future in list(self._running):
            if future.cancel():
                lane = self._running.pop(future)
                lane.settle(self._verdict)

    def _abandon_idle(self) -> None:
        """After the verdict: have lanes that nothing runs for let go of files and locks."""
        if self._verdict is None:
            return
        busy = set(self._running.values())
        for lane in [lane for lane in self._active if lane.open and lane not in busy]:
            lane.abandon(self._verdict)
            self._active.remove(lane)

    def _drain(self) -> None:
        """Wait for running tasks, within bounds: their sockets are shut, so that they end soon."""
        done, _ = concurrent.futures.wait(list(self._running), timeout=_PATIENCE)
        for future in done:
            self._running.pop(future).settle(future.exception())

    # -- for worker threads -----------------------------------------------------------------------------

    def check(self) -> None:
        """Raise the verdict, if the call is over."""
        if self._verdict is not None:
            raise self._verdict

    @contextlib.contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """One try of one request, under watch."""
        # The stall guard speaks first; the time-out is there for when it cannot.
        attempt = Attempt(send_timeout=self.policy.stall_window + 5.0)
        with self.lock:
            self._attempts.add(attempt)
        try:
            self.check()
            with attempt.entered():
                yield attempt
        finally:
            with self.lock:
                self._attempts.discard(attempt)

    def tries(self, what: str, idempotent: bool = True) -> Tries:
        """A counter of tries whose pauses end when the call does."""
        return Tries(self.policy, self.clock, what, pause=self.pause, idempotent=idempotent)

    def retry(
        self,
        what: str,
        step: Callable[[], T],
        *,
        idempotent: bool = True,
        failed: Optional[Callable[[], None]] = None,
    ) -> T:
        """Do ``step``, one try of one request, by the policy.

        :param what: the request in words, for the log.
        :param failed: told of each try that failed and will be followed by another.
        """
        tries = self.tries(what, idempotent)
        while True:
            try:
                with self.attempt():
                    return step()
            except CommunicationError as failure:
                error = failure
            self.check()
            tries.failed(error)
            if failed is not None:
                failed()

    def pause(self, seconds: float) -> None:
        """Wait, no longer than the call lasts."""
        self.clock.wait(self._stopped, seconds)
        self.check()


class _Single(Lane):
    """A lane of one task."""

    def __init__(self, task: Task) -> None:
        self._task: Optional[Task] = task
        self.error: Optional[BaseException] = None

    def next_task(self) -> Optional[Task]:
        task, self._task = self._task, None
        return task

    def settle(self, error: Optional[BaseException]) -> None:
        self.error = error
