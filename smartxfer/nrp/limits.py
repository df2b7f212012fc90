"""How many connections at once, and how many requests in a window of time.

Source: NRP / Invenio protocol, sections 3 (Rate limits and retrying) and 9.
"""

import contextlib
import os
import threading
from typing import Iterator, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.transport import Attempt

__all__ = ["acquire_connection", "get_rate_limit_wait", "limit_connections"]

#: How often a thread that waits for a connection looks whether its call is over, in seconds.
_POLL_INTERVAL = 0.1


class _ConnectionLimit:
    """So many connections at a time, whichever threads they belong to."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._semaphore = threading.BoundedSemaphore(count)

    def reset_after_fork(self) -> None:
        """In a forked child: the threads that had connections are not in it."""
        self._semaphore = threading.BoundedSemaphore(self._count)

    def acquire(self, attempt: Attempt) -> None:
        """Wait for a connection, no longer than an attempt lasts."""
        while not self._semaphore.acquire(timeout=_POLL_INTERVAL):
            if attempt.abort_error is not None:
                raise attempt.abort_error

    def release(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(ValueError):  # taken before the fork
            self._semaphore.release()


class _ActiveLimits:
    """The limits of the moment."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.limits: List[_ConnectionLimit] = []

    def reset_after_fork(self) -> None:
        """In a forked child: the threads that had the lock, or connections, are not in it."""
        self.lock = threading.Lock()
        for limit in self.limits:
            limit.reset_after_fork()


_active_limits = _ActiveLimits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_active_limits.reset_after_fork)


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
        raise UsageError(
            f"limit_connections() takes a number of at least 1, not {count!r}",
            hint="call limit_connections(4)",
        )
    limit = _ConnectionLimit(count)
    with _active_limits.lock:
        _active_limits.limits.append(limit)
    try:
        yield
    finally:
        with _active_limits.lock:
            _active_limits.limits.remove(limit)


@contextlib.contextmanager
def acquire_connection(attempt: Attempt) -> Iterator[None]:
    """The right to one connection for an attempt, under the limits in force.

    :raises SmartxferError: the attempt was ended while it waited; it is the reason.
    """
    with _active_limits.lock:
        limits = list(_active_limits.limits)
    with contextlib.ExitStack() as stack:
        for limit in limits:
            limit.acquire(attempt)
            stack.callback(limit.release)
        yield


def get_rate_limit_wait(headers: Mapping[str, str], now: float) -> Optional[float]:
    """Return the seconds to the end of a rate window that an answer has used up; None where it has not.

    :param headers: of the answer: what remains, and the end of the window in seconds or as a moment.
    :param now: seconds since the epoch.
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    left = _parse_number(headers.get("Retry-After", ""))
    if left is None:
        moment = _parse_number(headers.get("X-RateLimit-Reset", ""))
        left = None if moment is None else moment - now
    return None if left is None else max(0.0, left)


def _parse_number(text: str) -> Optional[float]:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None
