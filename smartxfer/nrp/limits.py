"""Limits of concurrent connections, and the rate limit of the repository.

Source: NRP / Invenio protocol, sections 3 (Rate limits and retrying) and 9.
"""

import contextlib
import os
import threading
from typing import Iterator, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.transport import Attempt

__all__ = ["acquire_connection", "get_rate_limit_wait", "limit_connections"]

#: How often a thread that waits for a connection checks whether its call was aborted, in seconds.
_POLL_INTERVAL = 0.1


class _ConnectionLimit:
    """Limit of concurrent connections of all threads."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._semaphore = threading.BoundedSemaphore(count)

    def reset_after_fork(self) -> None:
        """Release all connections in a forked child, which does not have the threads that used them."""
        self._semaphore = threading.BoundedSemaphore(self._count)

    def acquire(self, attempt: Attempt) -> None:
        """Wait for a connection, until the attempt is aborted."""
        while not self._semaphore.acquire(timeout=_POLL_INTERVAL):
            if attempt.abort_error is not None:
                raise attempt.abort_error

    def release(self) -> None:
        """Release the connection."""
        with contextlib.suppress(ValueError):  # it was acquired before the fork
            self._semaphore.release()


class _ActiveLimits:
    """The limits that are in force."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.limits: List[_ConnectionLimit] = []

    def reset_after_fork(self) -> None:
        self.lock = threading.Lock()
        for limit in self.limits:
            limit.reset_after_fork()


_active_limits = _ActiveLimits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_active_limits.reset_after_fork)


@contextlib.contextmanager
def limit_connections(count: int) -> Iterator[None]:
    """Limit the number of concurrent file transfers to ``count``, across all threads, during the block.

    >>> with limit_connections(5):
    ...     pass

    :param count: connections, at least 1.
    :raises UsageError: the number is invalid.

    Blocks can be nested, and entered by several threads: all limits apply together.
    """
    if type(count) is not int or count < 1:
        raise UsageError(f"count must be a number of at least 1, not {count!r}", hint="pass count=4")
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
    """Acquire one connection for an attempt from each limit in force, and release it after the block.

    :raises SmartxferError: the reason why the attempt was aborted while it waited.
    """
    with _active_limits.lock:
        limits = list(_active_limits.limits)
    with contextlib.ExitStack() as stack:
        for limit in limits:
            limit.acquire(attempt)
            stack.callback(limit.release)
        yield


def get_rate_limit_wait(headers: Mapping[str, str], now: float) -> Optional[float]:
    """Return the seconds until the exhausted rate limit is reset; None if requests remain.

    :param headers: headers of a response, with the remaining requests and the time of the reset.
    :param now: seconds since the epoch.
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    seconds = _parse_number(headers.get("Retry-After", ""))
    if seconds is None:
        reset_time = _parse_number(headers.get("X-RateLimit-Reset", ""))
        seconds = None if reset_time is None else reset_time - now
    return None if seconds is None else max(0.0, seconds)


def _parse_number(text: str) -> Optional[float]:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None
