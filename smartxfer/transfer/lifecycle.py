"""The states of a running transfer, what leads from one to the next, and the attempts that are under way.

.. code-block:: text

    RUNNING ── end(reason) ──► ENDING ── leave() ──► LEFT
       └─────────────────── leave() ───────────────────┘

**Running**: tasks begin.  **Ending**: there is a reason (a cancel, a deadline, Ctrl-C, a callback that
failed).  Nothing begins any more, tasks that have not begun are taken back, sockets are shut, and tasks
that run have a moment to end.  **Left**: the call has returned.  A task that outlasted that moment closes
its files and releases its locks when it ends.

The stall guard ends an attempt whose bytes move too slowly.
"""

import contextlib
import enum
import threading
import time
from typing import Iterator, List, Optional, Set

import attrs

from smartxfer.errors import DeadlineExceeded, SmartxferError, Stalled
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = ["ActiveAttempts", "Lifecycle", "Phase", "detect_stall"]

#: Seconds that a call which is over waits for its threads: after Ctrl-C or cancel, after the deadline.
_SHUTDOWN_TIMEOUT, _DEADLINE_SHUTDOWN_TIMEOUT = 1.5, 0.7


class Phase(enum.Enum):
    """What a transfer does."""

    RUNNING = "running"
    ABORTING = "ending"
    CLOSED = "left"


@attrs.frozen
class _State:
    phase: Phase = Phase.RUNNING
    abort_error: Optional[SmartxferError] = None
    close_at: float = float("inf")


class Lifecycle:
    """The state of one transfer.

    Each step to another state is one assignment: where Ctrl-C falls between two lines, the state is the old
    one or the new one.
    """

    def __init__(self) -> None:
        self._state = _State()
        #: Set once the transfer is ending: what waits is woken.
        self.aborted = threading.Event()

    @property
    def phase(self) -> Phase:
        """The state: running, ending or left."""
        return self._state.phase

    @property
    def abort_error(self) -> Optional[SmartxferError]:
        """Why the transfer is ending, or was left before its end; else None."""
        return self._state.abort_error

    @property
    def closed(self) -> bool:
        """True once the call has returned."""
        return self._state.phase is Phase.CLOSED

    @property
    def close_at(self) -> float:
        """Time of ``time.monotonic()`` at which an ending transfer is left, whatever still runs."""
        return self._state.close_at

    def raise_if_aborted(self) -> None:
        """Raise the reason, if there is one."""
        reason = self._state.abort_error
        if reason is not None:
            raise reason

    def abort(self, error: SmartxferError) -> SmartxferError:
        """Go from running to ending; return the reason, which is the first one that was given."""
        if self._state.abort_error is None:
            patience = (
                _DEADLINE_SHUTDOWN_TIMEOUT if isinstance(error, DeadlineExceeded) else _SHUTDOWN_TIMEOUT
            )
            phase = Phase.CLOSED if self.closed else Phase.ABORTING
            self._state = _State(phase, error, time.monotonic() + patience)
        self.aborted.set()
        return self._state.abort_error or error

    def close(self) -> None:
        """Go to left."""
        self._state = attrs.evolve(self._state, phase=Phase.CLOSED)


class ActiveAttempts:
    """The attempts that are under way, in all threads of a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: Set[Attempt] = set()

    @contextlib.contextmanager
    def track(self, attempt: Attempt) -> Iterator[None]:
        """Count an attempt among them while the block lasts."""
        with self._lock:
            self._all.add(attempt)
        try:
            yield
        finally:
            with self._lock:
                self._all.discard(attempt)

    def snapshot(self) -> List[Attempt]:
        """Return those of this moment."""
        with self._lock:
            return list(self._all)


def detect_stall(attempt: Attempt, now: float, policy: RetryPolicy) -> Optional[Stalled]:
    """Return the error of an attempt that was too slow over the last window, and begin the next window.

    One that used up its budget while no body moves is ended, too.

    :param now: the time, by the clock that is always asked here.
    """
    limits = attempt.time_limits
    if not attempt.body_in_flight and limits is not None and limits.is_exhausted():
        return Stalled(limits.budget_message())
    if not attempt.body_in_flight or attempt.checkpoint_time is None:
        attempt.checkpoint_bytes, attempt.checkpoint_time = attempt.bytes_moved, now
        return None
    window = now - attempt.checkpoint_time
    if window < policy.stall_window:
        return None
    moved = attempt.bytes_moved - attempt.checkpoint_bytes
    attempt.checkpoint_bytes, attempt.checkpoint_time = attempt.bytes_moved, now
    if moved >= policy.stall_speed * window:
        return None
    return Stalled(
        f"{moved} bytes in {window:.0f} s, less than {policy.stall_speed} bytes/s",
        hint="the line is slow or dead; RetryPolicy(stall_speed=, stall_window=) sets the limit",
    )
