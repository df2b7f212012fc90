"""Asking again and again until something has come to its end."""

from typing import Any, Callable, TypeVar

import attrs

from smartxfer.seams import Clock

__all__ = ["Pauses", "poll"]

T = TypeVar("T")


@attrs.frozen
class Pauses:
    """Seconds between two requests: each pause is longer than the one before.

    :param first: seconds before the second request.
    :param longest: most seconds.
    :param growth: factor from one pause to the next.
    :param spread: part of a pause by which it is made shorter or longer at random.
    """

    first: float
    longest: float = float("inf")
    growth: float = 2.0
    spread: float = 0.0


def poll(
    look: Callable[[], T],
    done: Callable[[T], bool],
    *,
    seconds: float,
    pauses: Pauses,
    clock: Clock,
    pause: Callable[[float], Any],
) -> T:
    """Return what ``look`` returned last: once it is done, or once the time is over.

    :param look: asks for the present state; it is called at least once.
    :param done: tells whether a state is final.
    :param seconds: most seconds to wait.
    :param pause: waits that many seconds; it raises when the call is over.
    """
    ends_at = clock.monotonic() + seconds
    wait = pauses.first
    while True:
        found = look()
        if done(found):
            return found
        left = ends_at - clock.monotonic()
        if left <= 0:
            return found
        factor = 1.0 + pauses.spread * (2.0 * clock.random() - 1.0) if pauses.spread else 1.0
        pause(min(left, wait * factor))
        wait = min(wait * pauses.growth, pauses.longest)
