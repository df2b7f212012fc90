"""Threads that work on parts of one file, and stop together."""

import os
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from types import TracebackType
from typing import Any, Callable, List, Optional, Type, TypeVar

from smartxfer.errors import UsageError
from smartxfer.workers import Workers

__all__ = ["Crew", "Stopped", "count_workers"]

_MOST = 4
#: Seconds that a failed call waits for threads that are in a read or write.
_PATIENCE = 1.5

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


class _Part:
    """One part of the work, with its result."""

    def __init__(self, work: Callable[..., Any], arguments: Any) -> None:
        self.result: Future[Any] = Future()
        self.taken = False
        self._work, self._arguments = work, arguments

    def do(self) -> None:
        """Compute the result."""
        try:
            self.result.set_result(self._work(*self._arguments))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            self.result.set_exception(error)

    def end(self) -> None:
        """Nothing more: who waits for the result has it."""


class Crew:
    """Some threads; when the ``with`` block fails they stop at their next buffer.

    They are waited for, after a failure no longer than a moment.  Where no thread can be started the calling
    thread does the work.

    :param workers: how many.
    """

    def __init__(self, workers: int) -> None:
        self._workers = Workers(workers, "smartxfer-delta")
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
        part = _Part(work, arguments)
        self._workers.add(part)
        self._workers.help()
        return part.result

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
            self._workers.clear()
        self._workers.close(None if kind is None else _PATIENCE)
