"""Asking again and again until something has come to its end."""

from typing import Any, Callable, TypeVar

import attrs

from smartxfer._system import Clock

__all__ = ["PollIntervals", "poll"]

T = TypeVar("T")


@attrs.frozen
class PollIntervals:
    """Seconds between two requests: each pause is longer than the one before.

    :param first: seconds before the second request.
    :param longest: most seconds.
    :param growth: factor from one pause to the next.
    :param spread: part of a pause by which it is made shorter or longer at random.
    """

    initial: float
    maximum: float = float("inf")
    growth: float = 2.0
    jitter: float = 0.0


def poll(
    fetch_state: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout: float,
    intervals: PollIntervals,
    clock: Clock,
    sleep: Callable[[float], Any],
) -> T:
    """Return what ``fetch_state`` returned last: once it is done, or once the time is over.

    :param fetch_state: asks for the present state; it is called at least once.
    :param is_done: tells whether a state is final.
    :param timeout: most seconds to wait.
    :param sleep: waits that many seconds; it raises when the call is over.
    """
    ends_at = clock.monotonic() + timeout
    wait = intervals.initial
    while True:
        found = fetch_state()
        if is_done(found):
            return found
        left = ends_at - clock.monotonic()
        if left <= 0:
            return found
        factor = 1.0 + intervals.jitter * (2.0 * clock.random() - 1.0) if intervals.jitter else 1.0
        sleep(min(left, wait * factor))
        wait = min(wait * intervals.growth, intervals.maximum)
