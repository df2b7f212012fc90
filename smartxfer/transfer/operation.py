"""One call of the user's: its threads, its cancel flag, its deadline, its stall guard.

Lanes (one per file) offer tasks; worker threads do them, and the one that ends a task hands out those that
come after it.  The calling thread watches, so that it can be interrupted, and so that one place sees every
attempt that is under way.
"""

import concurrent.futures
import contextlib
import functools
import queue
import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, TypeVar

from smartxfer.errors import (
    Cancelled,
    CommunicationError,
    DeadlineExceeded,
    SmartxferError,
    Stalled,
)
from smartxfer.seams import SYSTEM_CLOCK, Clock, pausing
from smartxfer.transfer.lane import Lane, Single, Task
from smartxfer.transfer.progress import Progress, Reporter
from smartxfer.transfer.protocols import Cancel
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.limits import Limits
from smartxfer.transport.retry import RetryPolicy, Tries

__all__ = ["Operation"]

_TICK = 0.1
#: How long an interrupted call waits for its threads, in seconds.
_PATIENCE = 1.5

T = TypeVar("T")


class Operation:
    """Runs lanes, and ends them all on Ctrl-C, cancel, deadline or a failing progress callback.

    :param workers: most threads at a time.
    :param deadline: seconds from now.
    :param limits: the client's view of rate limits.
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
    ) -> None:
        self.policy = policy
        self._limits = limits
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
        #: Guards the lanes and what is running of them.  It and the bell are used in single steps: where
        #: Ctrl-C falls between two, as in a Condition, the lock is never free again.
        self._turn = threading.RLock()
        #: Rung when a lane has ended, or is not to go on.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._running: Dict[concurrent.futures.Future[None], Lane] = {}
        self._active: List[Lane] = []
        #: A lane's own failure, which is a bug.
        self._broken: Optional[BaseException] = None
        self._cancelled = self._left = False

    def __enter__(self) -> "Operation":
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        try:
            if error is not None:
                self._end_all(Cancelled("the transfer was interrupted"))
                self._drain()
                self._abandon_idle()
        finally:
            self._left = True
            self._pool.shutdown(wait=not self._running)
            self.reporter.close()

    # -- for the calling thread -------------------------------------------------------------------------

    def call(self, step: Callable[[], T]) -> T:
        """Do one step in a worker, under the same watch as everything else."""
        outcome: List[T] = []

        def task() -> None:
            outcome.append(step())

        lane = Single(task)
        self.run([lane], 1)
        if lane.error is not None:
            raise lane.error
        return outcome[0]

    def run(self, lanes: Iterable[Lane], at_once: int) -> None:
        """Run the lanes, ``at_once`` of them at a time, until none has anything left to do.

        :raises Cancelled: the call was cancelled, or its progress callback raised.
        :raises DeadlineExceeded: the deadline passed.
        """
        try:
            self._run(iter(lanes), at_once)
        except BaseException:
            # Nothing begins any more, whatever the caller does before it leaves the operation.
            self._end_all(Cancelled("the transfer was interrupted"))
            raise

    def _run(self, waiting: Iterator[Lane], at_once: int) -> None:
        self._active = []
        exhausted = False
        while True:
            while not exhausted and self._open() < at_once:
                lane = next(waiting, None)
                exhausted = lane is None
                if lane is not None:
                    self._begin(lane)
            with self._turn:
                if self._broken is not None:
                    raise self._broken
                if not self._running:
                    self._heed_callback()
                    self._abandon_idle()
                    self.check()
                    if exhausted and not self._open():
                        return
            self._watch()
            if self._running:
                self._listen(_TICK)

    def _listen(self, seconds: float) -> None:
        """Wait for the bell, no longer than that."""
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=seconds)

    def _open(self) -> int:
        """How many lanes have not come to their end."""
        with self._turn:
            running = self._running.values()
            self._active = [lane for lane in self._active if lane.open or lane in running]
            return len(self._active)

    def _begin(self, lane: Lane) -> None:
        with self._turn:
            self._active.append(lane)
            self._hand_out(lane)

    def _hand_out(self, lane: Lane) -> None:
        """Have the pool do what a lane has ready; the turn is ours."""
        while not self._ending():
            task = lane.next_task()
            if task is None:
                return
            future = self._pool.submit(self._do, task)
            self._running[future] = lane
            future.add_done_callback(functools.partial(self._ended, lane))

    def _do(self, task: Task) -> None:
        with pausing(self.pause, self.clock.monotonic):
            task()

    def _ending(self) -> bool:
        """Whether nothing more is to begin, even if the calling thread has not seen it yet."""
        over = self._verdict is not None or self._broken is not None
        return over or self.reporter.failure is not None or self._is_cancelled()

    def _is_cancelled(self) -> bool:
        with self._turn:
            self._cancelled = self._cancelled or (self._cancel is not None and self._cancel.is_set())
            return self._cancelled

    def _ended(self, lane: Lane, future: "concurrent.futures.Future[None]") -> None:
        """Settle a task, in the thread that did it (or took it back), and hand out what comes after it."""
        with self._turn:
            if self._running.pop(future, None) is None:
                return
            if self._left:
                # Too late for the call, but the lane still has files open and locked.
                if lane.open and lane not in self._running.values():
                    lane.abandon(self._verdict or Cancelled("the transfer was interrupted"))
                return
            ring = True
            try:
                lane.settle(self._verdict if future.cancelled() else future.exception())
                self._hand_out(lane)
                ring = not lane.open or not self._running or self._ending()
            except BaseException as bug:  # noqa: BLE001 - it is raised where the caller sees it
                self._broken = self._broken or bug
            if ring:
                self._bell.put(None)

    def _heed_callback(self) -> None:
        if self.reporter.failure is not None and self._verdict is None:
            error = Cancelled("the progress callback raised an exception")
            error.__cause__ = self.reporter.failure
            self._end_all(error)

    def _watch(self) -> None:
        self._heed_callback()
        if self._is_cancelled():
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
        with self._turn:
            waiting = list(self._running)
        for future in waiting:
            future.cancel()

    def _drain(self) -> None:
        """Wait for running tasks, within bounds: their sockets are shut, so that they end soon."""
        ends_at = time.monotonic() + _PATIENCE
        while self._running and time.monotonic() < ends_at:
            self._listen(min(_TICK, max(0.0, ends_at - time.monotonic())))
            with self._turn:  # Ctrl-C may have kept one from telling us
                done = [(lane, future) for future, lane in self._running.items() if future.done()]
            for lane, future in done:
                self._ended(lane, future)

    def _abandon_idle(self) -> None:
        """After the verdict: have lanes that nothing runs for let go of files and locks."""
        if self._verdict is None:
            return
        with self._turn:
            busy = set(self._running.values())
            for lane in [lane for lane in self._active if lane.open and lane not in busy]:
                lane.abandon(self._verdict)
                self._active.remove(lane)

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
        return Tries(
            self.policy,
            self.clock,
            what,
            pause=self.pause,
            idempotent=idempotent,
            limits=self._limits,
        )

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

    def aside(self, step: Callable[[], T]) -> T:
        """Do what nothing can interrupt in a thread that nobody waits for once the call is over."""
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            try:
                outcome.set_result(step())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
                outcome.set_exception(error)

        threading.Thread(target=work, name="smartxfer-aside", daemon=True).start()
        while not concurrent.futures.wait([outcome], timeout=_TICK).done:
            self.check()
        return outcome.result()

    def pause(self, seconds: float) -> None:
        """Wait, no longer than the call lasts."""
        self.clock.wait(self._stopped, seconds)
        self.check()
