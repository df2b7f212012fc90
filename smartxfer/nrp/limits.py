"""How many connections at once, and how many requests in a window of time.

Source: NRP / Invenio protocol, sections 3 (Rate limits and retrying) and 9.
"""

import contextlib
import logging
import threading
from typing import Any, Callable, Iterator, List, Mapping

from smartxfer.errors import UsageError
from smartxfer.nrp.errors import SOON
from smartxfer.seams import Clock
from smartxfer.transport import attempt

__all__ = ["RateWindow", "connection", "limit_connections"]

log = logging.getLogger("smartxfer.nrp")

#: How often a thread that waits for a connection looks whether its call is over, in seconds.
_TICK = 0.1


class _Limit:
    """So many connections at a time, whichever threads they belong to."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def acquire(self) -> None:
        """Wait for a connection, no longer than the call lasts."""
        while not self._free.acquire(timeout=_TICK):
            now = attempt.current()
            if now is not None and now.verdict is not None:
                raise now.verdict

    def release(self) -> None:
        """Give the connection back."""
        self._free.release()


_lock = threading.Lock()
_limits: List[_Limit] = []
_held = threading.local()


@contextlib.contextmanager
def limit_connections(count: int) -> Iterator[None]:
    """At most ``count`` files' bytes on the line at a time, in every thread, while the block lasts.

    >>> with limit_connections(5):
    ...     pass

    :param count: connections, at least 1.
    :raises UsageError: fewer.

    Blocks may be nested, and entered by several threads: every limit that is in force holds.
    """
    if type(count) is not int or count < 1:
        raise UsageError(f"limit_connections() takes a number of at least 1, not {count!r}")
    limit = _Limit(count)
    with _lock:
        _limits.append(limit)
    try:
        yield
    finally:
        with _lock:
            _limits.remove(limit)


@contextlib.contextmanager
def connection() -> Iterator[None]:
    """The right to one connection, under the limits in force; a thread that has it needs no second."""
    if getattr(_held, "depth", 0):
        yield
        return
    with _lock:
        limits = list(_limits)
    with contextlib.ExitStack() as stack:
        for limit in limits:
            limit.acquire()
            stack.callback(limit.release)
        _held.depth = 1
        try:
            yield
        finally:
            _held.depth = 0


class RateWindow:
    """What the answers tell of the rate limit: once a window is used up, the next call waits for its end.

    :param longest: seconds; a wait that is longer is left to the server's own refusal.
    """

    def __init__(self, clock: Clock, longest: float) -> None:
        self._clock = clock
        self._longest = longest
        self._lock = threading.Lock()
        self._ends = 0.0

    def note(self, headers: Mapping[str, str]) -> None:
        """Read ``X-RateLimit-Remaining``, and of the window's end what is there: seconds, or the moment."""
        if headers.get("X-RateLimit-Remaining", "").strip() != "0":
            return
        left = _number(headers.get("Retry-After", ""))
        if left is None:
            moment = _number(headers.get("X-RateLimit-Reset", ""))
            left = None if moment is None else moment - self._clock.wall()
        if left is not None and left <= self._longest:
            if left < SOON:  # a moving window has room soon, not at once
                left = SOON * (1 + self._clock.random())
            with self._lock:
                self._ends = max(self._ends, self._clock.monotonic() + left)

    def keep(self, pause: Callable[[float], Any]) -> None:
        """Wait until requests are counted anew, if they are used up."""
        with self._lock:
            left = self._ends - self._clock.monotonic()
            self._ends = 0.0 if left <= 0 else self._ends
        if left > 0:
            log.warning("the rate limit is used up; waiting %.1f s", left)
            pause(left)


def _number(text: str) -> Any:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None
