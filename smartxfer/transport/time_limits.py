"""Time limits of one attempt: the policy's budget, and its stall rule for every read and write.

The thread that waits for the server applies them itself, so that a single request needs no second thread:
before each step it asks how long the step may block, and afterwards it reports how many bytes moved.
"""

import socket
from typing import Optional

from smartxfer.seams import Clock

__all__ = ["Flow", "Overdue", "TimeLimits"]

#: Most bytes that are sent in one step, where the sending thread applies the stall rule itself.
_LARGEST_STEP = 16 * 1024
_SMALLEST_STEP = 512


class Overdue(socket.timeout):
    """The server used up the budget, or moved fewer bytes than the stall rule asks for."""


class TimeLimits:
    """How long one attempt may take.

    :param budget: seconds that the request may take in all its attempts, without the sending of its body.
    :param ends_at: when the budget ends, by ``clock.monotonic()``.
    :param speed: bytes per second below which the server counts as stalled ...
    :param window: ... when measured over this many seconds of waiting.
    """

    __slots__ = ("_ends_at", "_paused_at", "_sent", "attempt", "budget", "clock", "speed", "window")

    def __init__(self, clock: Clock, budget: float, ends_at: float, speed: float, window: float) -> None:
        self.clock = clock
        self.budget = budget
        self.speed = speed
        self.window = window
        self._ends_at: Optional[float] = ends_at
        self._paused_at: Optional[float] = None
        #: Seconds that requests took to be sent.
        self._sent = 0.0
        #: The number of the attempt, from 1.
        self.attempt = 1

    def left(self) -> Optional[float]:
        """Seconds until the budget ends, which may be less than 0; None while nothing counts."""
        if self._ends_at is None or self._paused_at is not None:
            return None
        return self._ends_at - self.clock.monotonic()

    def lift(self) -> None:
        """End the budget: a file arrives, and only the stall rule limits how long that takes."""
        self._ends_at = None

    def pause(self) -> None:
        """Stop counting: a request is being sent, and its body may be a file."""
        self._paused_at = self.clock.monotonic()

    def resume(self, *, sent: bool = False) -> None:
        """Count on.

        :param sent: a request has been sent, and its answer is awaited.
        """
        if self._paused_at is not None:
            spent, self._paused_at = self.clock.monotonic() - self._paused_at, None
            self._ends_at = None if self._ends_at is None else self._ends_at + spent
            self._sent += spent if sent else 0.0

    def sending(self) -> float:
        """Return the seconds that requests took to be sent, or until they broke off."""
        return self._sent + (0.0 if self._paused_at is None else self.clock.monotonic() - self._paused_at)

    def over(self) -> bool:
        """Return True when the budget has ended."""
        left = self.left()
        return left is not None and left <= 0

    def spent(self) -> str:
        """Return in words that the budget has ended."""
        return f"the answer was not complete within the budget of {self.budget:g} s"

    @property
    def step(self) -> int:
        """Bytes to send in one step, so that a slow but admitted connection passes the stall rule."""
        return int(min(_LARGEST_STEP, max(_SMALLEST_STEP, self.speed * self.window / 2)))


class Flow:
    """The stall rule for one message in one direction.

    Only the time spent in steps counts, not that between them.
    """

    __slots__ = ("_fresh", "_limits", "_moved", "_waited")

    def __init__(self, limits: TimeLimits, *, fresh: bool) -> None:
        self._limits = limits
        self._moved = 0
        self._waited = 0.0
        self._fresh = fresh

    def restart(self) -> None:
        """Measure anew from the next byte on: until it comes, the server may be at work."""
        self._fresh, self._moved, self._waited = True, 0, 0.0

    def patience(self, timeout: Optional[float]) -> Optional[float]:
        """Return how many seconds the next step may block, at most ``timeout``.

        :raises Overdue: none at all.
        """
        limits = self._limits
        left = limits.left()
        if left is not None:
            if left <= 0:
                raise Overdue(limits.spent())
            timeout = left if timeout is None else min(timeout, left)
        if self._fresh or not limits.speed:
            return timeout
        silent = min(limits.window, max(limits.window, self._moved / limits.speed) - self._waited)
        if silent <= 0:
            raise self._stalled()
        return silent if timeout is None else min(timeout, silent)

    def moved(self, count: int, seconds: float) -> None:
        """Report the bytes of a step and the seconds that it took.

        :raises Overdue: too few over the window, or the budget has ended before the message has.
        """
        if self._fresh:
            self._fresh = count == 0
            self._moved = count
            return
        limits = self._limits
        self._moved += count
        self._waited += seconds
        if self._waited >= limits.window:
            if self._moved < limits.speed * self._waited:
                raise self._stalled()
            self._moved, self._waited = 0, 0.0

    def timed_out(self, seconds: float) -> Overdue:
        """Return the error for a step that blocked as long as :meth:`patience` allowed."""
        if self._limits.over():
            return Overdue(self._limits.spent())
        if seconds >= self._limits.window:  # whatever moved before
            self._moved, self._waited = 0, 0.0
        self._waited += seconds
        return self._stalled()

    def _stalled(self) -> Overdue:
        limits = self._limits
        return Overdue(
            f"{self._moved} bytes in {self._waited:.0f} s, less than {limits.speed} bytes/s, "
            "and the answer has not ended"
        )
