"""Threads that work on parts of one file, and stop together."""

import os
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Callable, List, Optional, Type, TypeVar

from smartxfer.errors import UsageError

__all__ = ["Crew", "Stopped", "count_workers"]

_MOST = 4

Result = TypeVar("Result")


class Stopped(Exception):
    """Raised in a worker when its work is of no use any more."""


def count_workers(wanted: Optional[int] = None) -> int:
    """How many threads to use: what the caller wants, else one for each processor, up to 4.

    :raises UsageError: a number below 1.
    """
    if wanted is not None:
        if wanted < 1:
            raise UsageError(f"workers must be 1 or more, not {wanted!r}")
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST, len(os.sched_getaffinity(0)))
    return min(_MOST, os.cpu_count() or 1)


class Crew:
    """Some threads; when the ``with`` block fails they stop at their next buffer, and are waited for.

    :param workers: how many.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="smartxfer-delta")
        self._stop = threading.Event()

    def watched(self, read: Callable[[memoryview], int]) -> Callable[[memoryview], int]:
        """``read``, but raising :class:`Stopped` once the work is of no use any more."""

        def readinto(view: memoryview) -> int:
            if self._stop.is_set():
                raise Stopped
            return read(view)

        return readinto

    def start(self, work: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Have a thread do it as soon as one is free."""
        return self._pool.submit(work, *arguments)

    def finish(self, futures: "List[Future[Any]]") -> None:
        """Wait for all, or for the first that fails, and raise what it raised."""
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True)
