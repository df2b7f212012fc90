"""Polling of a state until it is final."""

from typing import Any, Callable, TypeVar

import attrs

from smartxfer._system import Clock

__all__ = ["PollIntervals", "poll"]

T = TypeVar("T")


@attrs.frozen
class PollIntervals:
    """Increasing delays between requests.

    :param initial: seconds before the second request.
    :param maximum: maximum delay in seconds.
    :param growth: factor from one delay to the next.
    :param jitter: fraction of a delay by which it is changed at random.
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
    """Return the last state: when it is final, or when the timeout has passed.

    :param fetch_state: requests the current state; it is called at least once.
    :param is_done: returns True if a state is final.
    :param timeout: maximum seconds to wait.
    :param sleep: sleeps for some seconds; raises if the call is ending.
    """
    ends_at = clock.monotonic() + timeout
    wait = intervals.initial
    while True:
        state = fetch_state()
        if is_done(state):
            return state
        left = ends_at - clock.monotonic()
        if left <= 0:
            return state
        factor = 1.0 + intervals.jitter * (2.0 * clock.random() - 1.0) if intervals.jitter else 1.0
        sleep(min(left, wait * factor))
        wait = min(wait * intervals.growth, intervals.maximum)
