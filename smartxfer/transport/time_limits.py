"""Time limits of one attempt: the time budget of the policy, and its stall rule for every read and write.

The thread that waits for the server applies them itself, so that a single request needs no second thread.
Before each blocking operation it calls ``next_timeout()``, and afterwards ``record_bytes()``.
"""

import socket
from typing import Optional

from smartxfer._system import Clock

__all__ = ["StallDetector", "TimeLimitExceeded", "TimeLimits"]

#: Largest and smallest block sent in one operation, if the sending thread applies the stall rule itself.
_MAX_SEND_BLOCK = 16 * 1024
_MIN_SEND_BLOCK = 512


class TimeLimitExceeded(socket.timeout):
    """The time budget is exhausted, or the connection has stalled."""


class TimeLimits:
    """Time limits of one attempt.

    :param budget: total seconds for all attempts of the request, without the time to send its body.
    :param deadline_at: time of ``clock.monotonic()`` at which the budget ends.
    :param stall_speed: bytes per second below which the connection counts as stalled ...
    :param stall_window: ... if measured over this many seconds of waiting.
    """

    __slots__ = (
        "_deadline_at",
        "_paused_at",
        "_send_seconds",
        "attempt",
        "budget",
        "clock",
        "stall_speed",
        "stall_window",
    )

    def __init__(
        self, clock: Clock, budget: float, deadline_at: float, stall_speed: float, stall_window: float
    ) -> None:
        self.clock = clock
        self.budget = budget
        self.stall_speed = stall_speed
        self.stall_window = stall_window
        self._deadline_at: Optional[float] = deadline_at
        self._paused_at: Optional[float] = None
        #: Seconds spent sending requests.
        self._send_seconds = 0.0
        #: The number of the attempt, from 1.
        self.attempt = 1

    def remaining(self) -> Optional[float]:
        """Return the seconds until the budget ends, which may be negative; None while it is not limited."""
        if self._deadline_at is None or self._paused_at is not None:
            return None
        return self._deadline_at - self.clock.monotonic()

    def lift_budget(self) -> None:
        """Remove the budget, because a file arrives: only the stall rule limits its duration."""
        self._deadline_at = None

    def pause(self) -> None:
        """Pause the budget while a request is being sent, because its body may be a file."""
        self._paused_at = self.clock.monotonic()

    def resume(self, *, request_sent: bool = False) -> None:
        """Resume the budget.

        :param request_sent: True if a request was sent during the pause.
        """
        if self._paused_at is not None:
            spent, self._paused_at = self.clock.monotonic() - self._paused_at, None
            self._deadline_at = None if self._deadline_at is None else self._deadline_at + spent
            self._send_seconds += spent if request_sent else 0.0

    def total_send_seconds(self) -> float:
        """Return the seconds spent sending requests, including a request that failed."""
        return self._send_seconds + (
            0.0 if self._paused_at is None else self.clock.monotonic() - self._paused_at
        )

    def is_exhausted(self) -> bool:
        """Return True if the budget has ended."""
        left = self.remaining()
        return left is not None and left <= 0

    def budget_message(self) -> str:
        """Return the message for an exhausted budget."""
        return f"the response was not complete within the budget of {self.budget:g} s"

    @property
    def send_block_size(self) -> int:
        """Number of bytes to send in one operation, so that a slow but permitted transfer does not stall."""
        return int(min(_MAX_SEND_BLOCK, max(_MIN_SEND_BLOCK, self.stall_speed * self.stall_window / 2)))


class StallDetector:
    """Stall rule for one message in one direction.

    Only the time spent in blocking operations counts, not the time between them.
    """

    __slots__ = ("_awaiting_first_byte", "_bytes_moved", "_limits", "_seconds_blocked")

    def __init__(self, limits: TimeLimits, *, awaiting_first_byte: bool) -> None:
        self._limits = limits
        self._bytes_moved = 0
        self._seconds_blocked = 0.0
        self._awaiting_first_byte = awaiting_first_byte

    def restart(self) -> None:
        """Restart the measurement at the next byte; until then the server may be processing the request."""
        self._awaiting_first_byte, self._bytes_moved, self._seconds_blocked = True, 0, 0.0

    def next_timeout(self, timeout: Optional[float]) -> Optional[float]:
        """Return how many seconds the next operation may block, at most ``timeout``.

        :raises TimeLimitExceeded: no time is left.
        """
        limits = self._limits
        left = limits.remaining()
        if left is not None:
            if left <= 0:
                raise TimeLimitExceeded(limits.budget_message())
            timeout = left if timeout is None else min(timeout, left)
        if self._awaiting_first_byte or not limits.stall_speed:
            return timeout
        allowed = min(
            limits.stall_window,
            max(limits.stall_window, self._bytes_moved / limits.stall_speed) - self._seconds_blocked,
        )
        if allowed <= 0:
            raise self._stall_error()
        return allowed if timeout is None else min(timeout, allowed)

    def record_bytes(self, count: int, seconds: float) -> None:
        """Record the bytes of an operation and the seconds that it took.

        :raises TimeLimitExceeded: too few bytes were moved in the stall window.
        """
        if self._awaiting_first_byte:
            self._awaiting_first_byte = count == 0
            self._bytes_moved = count
            return
        limits = self._limits
        self._bytes_moved += count
        self._seconds_blocked += seconds
        if self._seconds_blocked >= limits.stall_window:
            if self._bytes_moved < limits.stall_speed * self._seconds_blocked:
                raise self._stall_error()
            self._bytes_moved, self._seconds_blocked = 0, 0.0

    def build_timeout_error(self, seconds: float) -> TimeLimitExceeded:
        """Return the error for an operation that blocked as long as :meth:`next_timeout` allowed."""
        if self._limits.is_exhausted():
            return TimeLimitExceeded(self._limits.budget_message())
        if seconds >= self._limits.stall_window:  # bytes moved before this window do not count
            self._bytes_moved, self._seconds_blocked = 0, 0.0
        self._seconds_blocked += seconds
        return self._stall_error()

    def _stall_error(self) -> TimeLimitExceeded:
        limits = self._limits
        return TimeLimitExceeded(
            f"{self._bytes_moved} bytes in {self._seconds_blocked:.0f} s, less than "
            f"{limits.stall_speed} bytes/s, and the response has not ended"
        )
