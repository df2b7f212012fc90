"""State machine of a running transfer, its cancel flag and deadline, and its active attempts.

.. code-block:: text

    RUNNING ── abort(error) ──► ABORTING ── close() ──► CLOSED
       └───────────────────── close() ─────────────────────┘

**Running**: tasks start.  **Aborting**: the call is ending because of a cancellation, a deadline, Ctrl-C or a
failed callback.  No task starts, queued tasks are discarded, sockets are shut down, and running tasks have a
short time to end.  **Closed**: the call has returned.  A task that still runs closes its files and releases
its locks when it ends.

The stall detection aborts an attempt whose bytes move too slowly.
"""

import contextlib
import enum
import threading
import time
from typing import Iterator, List, Optional, Set

import attrs

from smartxfer._system import Clock
from smartxfer.errors import Cancelled, DeadlineExceeded, SmartxferError, Stalled
from smartxfer.transfer.protocols import Cancel
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = ["ActiveAttempts", "CallLimits", "Lifecycle", "Phase", "detect_stall"]

#: Seconds that an ending call waits for its threads: after Ctrl-C or cancellation, after the deadline.
_SHUTDOWN_TIMEOUT, _DEADLINE_SHUTDOWN_TIMEOUT = 1.5, 0.7


class CallLimits:
    """The cancel flag and the deadline of one call.

    :param cancel: flag of the caller.
    :param deadline: seconds from now; None for no deadline.
    """

    def __init__(self, cancel: Optional[Cancel], deadline: Optional[float], clock: Clock) -> None:
        self._cancel, self._deadline, self._clock = cancel, deadline, clock
        self._deadline_at = None if deadline is None else clock.monotonic() + deadline
        #: Stays True if the caller clears its flag again.
        self._cancelled = False

    def find_error(self) -> Optional[SmartxferError]:
        """Return the error of a call that was cancelled or whose deadline passed, else None."""
        if self._is_cancelled():
            return Cancelled("the transfer was cancelled")
        if self._deadline_passed():
            return DeadlineExceeded(f"not complete within deadline={self._deadline} (seconds)")
        return None

    def exceeded(self) -> bool:
        """Return True if the call was cancelled or its deadline passed."""
        return self._is_cancelled() or self._deadline_passed()

    def remaining(self) -> Optional[float]:
        """Return the seconds until the deadline; None without one."""
        return None if self._deadline_at is None else self._deadline_at - self._clock.monotonic()

    def _deadline_passed(self) -> bool:
        return self._deadline_at is not None and self._clock.monotonic() >= self._deadline_at

    def _is_cancelled(self) -> bool:
        if self._cancel is not None and self._cancel.is_set():
            self._cancelled = True
        return self._cancelled


class Phase(enum.Enum):
    """Phase of a transfer."""

    RUNNING = "running"
    ABORTING = "ending"
    CLOSED = "closed"


@attrs.frozen
class _State:
    phase: Phase = Phase.RUNNING
    abort_error: Optional[SmartxferError] = None
    close_at: float = float("inf")


class Lifecycle:
    """The state of one transfer.

    Each transition is a single assignment, so that Ctrl-C between two statements leaves a valid state.
    """

    def __init__(self) -> None:
        self._state = _State()
        #: Set once the transfer is ending; wakes waiting threads.
        self.aborted = threading.Event()

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._state.phase

    @property
    def abort_error(self) -> Optional[SmartxferError]:
        """The reason why the transfer is ending or was ended early; None if it was not."""
        return self._state.abort_error

    @property
    def closed(self) -> bool:
        """True once the call has returned."""
        return self._state.phase is Phase.CLOSED

    @property
    def close_at(self) -> float:
        """Time of ``time.monotonic()`` at which an ending transfer is closed, even if tasks still run."""
        return self._state.close_at

    def raise_if_aborted(self) -> None:
        """Raise the reason if the transfer is ending."""
        reason = self._state.abort_error
        if reason is not None:
            raise reason

    def abort(self, error: SmartxferError) -> SmartxferError:
        """End a running transfer; return the reason, which is the ``error`` of the first call."""
        if self._state.abort_error is None:
            timeout = _DEADLINE_SHUTDOWN_TIMEOUT if isinstance(error, DeadlineExceeded) else _SHUTDOWN_TIMEOUT
            phase = Phase.CLOSED if self.closed else Phase.ABORTING
            self._state = _State(phase, error, time.monotonic() + timeout)
        self.aborted.set()
        return self._state.abort_error or error

    def close(self) -> None:
        """Change the phase to closed."""
        self._state = attrs.evolve(self._state, phase=Phase.CLOSED)


class ActiveAttempts:
    """The attempts that are running in all threads of a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: Set[Attempt] = set()

    @contextlib.contextmanager
    def track(self, attempt: Attempt) -> Iterator[None]:
        """Register an attempt while the block lasts."""
        with self._lock:
            self._all.add(attempt)
        try:
            yield
        finally:
            with self._lock:
                self._all.discard(attempt)

    def snapshot(self) -> List[Attempt]:
        """Return the attempts that are running now."""
        with self._lock:
            return list(self._all)


def detect_stall(attempt: Attempt, now: float, policy: RetryPolicy) -> Optional[Stalled]:
    """Return the error of an attempt that was too slow in the last window, and start the next window.

    Also return an error for an attempt that used up its time budget while no body is being transferred.

    :param now: the monotonic time; all calls for one attempt must use the same clock.
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
        hint="check the connection, or set the limit with RetryPolicy(stall_speed=, stall_window=)",
    )
