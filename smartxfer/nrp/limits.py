"""How many connections at once, and how many requests in a window of time.

Source: NRP / Invenio protocol, sections 3 (Rate limits and retrying) and 9.
"""

import contextlib
import os
import threading
from typing import Iterator, List, Mapping, Optional

from smartxfer.errors import UsageError
from smartxfer.transport import attempt

__all__ = ["connection", "limit_connections", "window_left"]

#: How often a thread that waits for a connection looks whether its call is over, in seconds.
_TICK = 0.1


class _Limit:
    """So many connections at a time, whichever threads they belong to."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    def renew(self) -> None:
        """In a forked child: the threads that had connections are not in it."""
        self._free = threading.BoundedSemaphore(self._count)

    def acquire(self) -> None:
        """Wait for a connection, no longer than the call lasts."""
        while not self._free.acquire(timeout=_TICK):
            now = attempt.current()
            if now is not None and now.verdict is not None:
                raise now.verdict

    def release(self) -> None:
        """Give the connection back."""
        with contextlib.suppress(ValueError):  # taken before the fork
            self._free.release()


_lock = threading.Lock()
_limits: List[_Limit] = []
_held = threading.local()


def _renew() -> None:
    global _lock, _held
    _lock, _held = threading.Lock(), threading.local()
    for limit in _limits:
        limit.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


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


def window_left(headers: Mapping[str, str], now: float) -> Optional[float]:
    """Return the seconds to the end of a rate window that an answer has used up; None where it has not.

    :param headers: of the answer: what remains, and the end of the window in seconds or as a moment.
    :param now: seconds since the epoch.
    """
    if headers.get("X-RateLimit-Remaining", "").strip() != "0":
        return None
    left = _number(headers.get("Retry-After", ""))
    if left is None:
        moment = _number(headers.get("X-RateLimit-Reset", ""))
        left = None if moment is None else moment - now
    return None if left is None else max(0.0, left)


def _number(text: str) -> Optional[float]:
    text = text.strip()
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None
