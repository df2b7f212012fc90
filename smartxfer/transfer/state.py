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
from smartxfer.transport.retry import RetryPolicy

__all__ = ["Attempts", "Lifecycle", "Phase", "stall_of"]

#: Seconds that a call which is over waits for its threads: after Ctrl-C or cancel, after the deadline.
_PATIENCE, _SHORT_PATIENCE = 1.5, 0.7


class Phase(enum.Enum):
    """What a transfer does."""

    RUNNING = "running"
    ENDING = "ending"
    LEFT = "left"


@attrs.frozen
class _State:
    phase: Phase = Phase.RUNNING
    reason: Optional[SmartxferError] = None
    leave_at: float = float("inf")


class Lifecycle:
    """The state of one transfer.

    Each step to another state is one assignment: where Ctrl-C falls between two lines, the state is the old
    one or the new one.
    """

    def __init__(self) -> None:
        self._state = _State()
        #: Set once the transfer is ending: what waits is woken.
        self.stopped = threading.Event()

    @property
    def phase(self) -> Phase:
        """The state: running, ending or left."""
        return self._state.phase

    @property
    def reason(self) -> Optional[SmartxferError]:
        """Why the transfer is ending, or was left before its end; else None."""
        return self._state.reason

    @property
    def left(self) -> bool:
        """True once the call has returned."""
        return self._state.phase is Phase.LEFT

    @property
    def leave_at(self) -> float:
        """Time of ``time.monotonic()`` at which an ending transfer is left, whatever still runs."""
        return self._state.leave_at

    def check(self) -> None:
        """Raise the reason, if there is one."""
        reason = self._state.reason
        if reason is not None:
            raise reason

    def end(self, reason: SmartxferError) -> SmartxferError:
        """Go from running to ending; return the reason, which is the first one that was given."""
        if self._state.reason is None:
            patience = _SHORT_PATIENCE if isinstance(reason, DeadlineExceeded) else _PATIENCE
            phase = Phase.LEFT if self.left else Phase.ENDING
            self._state = _State(phase, reason, time.monotonic() + patience)
        self.stopped.set()
        return self._state.reason or reason

    def leave(self) -> None:
        """Go to left."""
        self._state = attrs.evolve(self._state, phase=Phase.LEFT)


class Attempts:
    """The attempts that are under way, in all threads of a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: Set[Attempt] = set()

    @contextlib.contextmanager
    def holding(self, attempt: Attempt) -> Iterator[None]:
        """Count an attempt among them while the block lasts."""
        with self._lock:
            self._all.add(attempt)
        try:
            yield
        finally:
            with self._lock:
                self._all.discard(attempt)

    def all(self) -> List[Attempt]:
        """Return those of this moment."""
        with self._lock:
            return list(self._all)


def stall_of(attempt: Attempt, now: float, policy: RetryPolicy) -> Optional[Stalled]:
    """Return the error of an attempt that was too slow over the last window, and begin the next window.

    One that used up its budget while no body moves is ended, too.

    :param now: the time, by the clock that is always asked here.
    """
    limits = attempt.time_limits
    if not attempt.guarded and limits is not None and limits.over():
        return Stalled(limits.spent())
    if not attempt.guarded or attempt.marked_at is None:
        attempt.mark, attempt.marked_at = attempt.moved, now
        return None
    window = now - attempt.marked_at
    if window < policy.stall_window:
        return None
    moved = attempt.moved - attempt.mark
    attempt.mark, attempt.marked_at = attempt.moved, now
    if moved >= policy.stall_speed * window:
        return None
    return Stalled(
        f"{moved} bytes in {window:.0f} s, less than {policy.stall_speed} bytes/s",
        hint="the line is slow or dead; RetryPolicy(stall_speed=, stall_window=) sets the limit",
    )
