"""The attempts of a call that are under way, and the stall guard: one whose bytes move too slowly ends."""

import contextlib
import threading
from typing import Iterator, List, Optional, Set

from smartxfer.errors import Stalled
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry import RetryPolicy

__all__ = ["Attempts", "stall_of"]


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
