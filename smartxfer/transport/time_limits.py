"""Time limits of one attempt: the policy's budget, and its stall rule for every read and write.

The thread that waits for the server applies them itself, so that a single request needs no second thread:
before each step it asks how long the step may block, and afterwards it reports how many bytes moved.
"""

import socket
from typing import Optional

from smartxfer._system import Clock

__all__ = ["StallDetector", "TimeLimitExceeded", "TimeLimits"]

#: Most bytes that are sent in one step, where the sending thread applies the stall rule itself.
_MAX_SEND_BLOCK = 16 * 1024
_MIN_SEND_BLOCK = 512


class TimeLimitExceeded(socket.timeout):
    """The server used up the budget, or moved fewer bytes than the stall rule asks for."""


class TimeLimits:
    """How long one attempt may take.

    :param budget: seconds that the request may take in all its attempts, without the sending of its body.
    :param has_size: when the budget ends, by ``clock.monotonic()``.
    :param stall_speed: bytes per second below which the server counts as stalled ...
    :param stall_window: ... when measured over this many seconds of waiting.
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
        #: Seconds that requests took to be sent.
        self._send_seconds = 0.0
        #: The number of the attempt, from 1.
        self.attempt = 1

    def remaining(self) -> Optional[float]:
        """Seconds until the budget ends, which may be less than 0; None while nothing counts."""
        if self._deadline_at is None or self._paused_at is not None:
            return None
        return self._deadline_at - self.clock.monotonic()

    def lift_budget(self) -> None:
        """End the budget: a file arrives, and only the stall rule limits how long that takes."""
        self._deadline_at = None

    def pause(self) -> None:
        """Stop counting: a request is being sent, and its body may be a file."""
        self._paused_at = self.clock.monotonic()

    def resume(self, *, request_sent: bool = False) -> None:
        """Count on.

        :param request_sent: a request has been sent, and its answer is awaited.
        """
        if self._paused_at is not None:
            spent, self._paused_at = self.clock.monotonic() - self._paused_at, None
            self._deadline_at = None if self._deadline_at is None else self._deadline_at + spent
            self._send_seconds += spent if request_sent else 0.0

    def total_send_seconds(self) -> float:
        """Return the seconds that requests took to be sent, or until they broke off."""
        return self._send_seconds + (
            0.0 if self._paused_at is None else self.clock.monotonic() - self._paused_at
        )

    def is_exhausted(self) -> bool:
        """Return True when the budget has ended."""
        left = self.remaining()
        return left is not None and left <= 0

    def budget_message(self) -> str:
        """Return in words that the budget has ended."""
        return f"the answer was not complete within the budget of {self.budget:g} s"

    @property
    def send_block_size(self) -> int:
        """Bytes to send in one step, so that a slow but admitted connection passes the stall rule."""
        return int(min(_MAX_SEND_BLOCK, max(_MIN_SEND_BLOCK, self.stall_speed * self.stall_window / 2)))


class StallDetector:
    """The stall rule for one message in one direction.

    Only the time spent in steps counts, not that between them.
    """

    __slots__ = ("_awaiting_first_byte", "_bytes_moved", "_limits", "_seconds_blocked")

    def __init__(self, limits: TimeLimits, *, awaiting_first_byte: bool) -> None:
        self._limits = limits
        self._bytes_moved = 0
        self._seconds_blocked = 0.0
        self._awaiting_first_byte = awaiting_first_byte

    def restart(self) -> None:
        """Measure anew from the next byte on: until it comes, the server may be at work."""
        self._awaiting_first_byte, self._bytes_moved, self._seconds_blocked = True, 0, 0.0

    def next_timeout(self, timeout: Optional[float]) -> Optional[float]:
        """Return how many seconds the next step may block, at most ``timeout``.

        :raises Overdue: none at all.
        """
        limits = self._limits
        left = limits.remaining()
        if left is not None:
            if left <= 0:
                raise TimeLimitExceeded(limits.budget_message())
            timeout = left if timeout is None else min(timeout, left)
        if self._awaiting_first_byte or not limits.stall_speed:
            return timeout
        silent = min(
            limits.stall_window,
            max(limits.stall_window, self._bytes_moved / limits.stall_speed) - self._seconds_blocked,
        )
        if silent <= 0:
            raise self._stall_error()
        return silent if timeout is None else min(timeout, silent)

    def record_bytes(self, count: int, seconds: float) -> None:
        """Report the bytes of a step and the seconds that it took.

        :raises Overdue: too few over the window, or the budget has ended before the message has.
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
        """Return the error for a step that blocked as long as :meth:`patience` allowed."""
        if self._limits.is_exhausted():
            return TimeLimitExceeded(self._limits.budget_message())
        if seconds >= self._limits.stall_window:  # whatever moved before
            self._bytes_moved, self._seconds_blocked = 0, 0.0
        self._seconds_blocked += seconds
        return self._stall_error()

    def _stall_error(self) -> TimeLimitExceeded:
        limits = self._limits
        return TimeLimitExceeded(
            f"{self._bytes_moved} bytes in {self._seconds_blocked:.0f} s, less than "
            f"{limits.stall_speed} bytes/s, and the response has not ended"
        )
