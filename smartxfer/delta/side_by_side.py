"""Parts of one file in several threads of the engine; the first failure ends them all."""

import collections
import os
from typing import Any, Callable, Deque, Generic, Iterable, Iterator, List, Optional, TypeVar

from smartxfer.delta.backend import ReadInto
from smartxfer.errors import UsageError
from smartxfer.transfer.job import Job, Task
from smartxfer.transfer.operation import Operation
from smartxfer.transport import RetryPolicy

__all__ = ["count_workers", "in_threads", "watched"]

_MOST = 4

T = TypeVar("T")
Check = Callable[[], None]


def count_workers(wanted: Optional[int] = None) -> int:
    """Return how many threads to use: what the caller wants, else one for each processor, up to 4.

    :raises UsageError: a number below 1.
    """
    if wanted is not None:
        if wanted < 1:
            raise UsageError(f"workers must be 1 or more, not {wanted!r}")
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return min(_MOST, len(os.sched_getaffinity(0)))
    return min(_MOST, os.cpu_count() or 1)


def in_threads(parts: Iterable[Callable[[Check], T]], workers: int, take: Callable[[T], None]) -> None:
    """Do all parts, and take their results in order; the first failure is raised, and ends the others.

    No more than two results for each thread wait to be taken.

    :param parts: each is given a check, which raises once its result is not wanted any more.
    :param take: called by one thread at a time.
    """
    with Operation(policy=RetryPolicy(), workers=workers) as operation:
        operation.run([_Parts(iter(parts), 2 * workers, take, operation.check)], 1)


def watched(check: Check, read: ReadInto) -> ReadInto:
    """Return ``read`` with a check before each call."""

    def readinto(view: memoryview) -> int:
        check()
        return read(view)

    return readinto


class _Parts(Job, Generic[T]):
    """The parts as the engine's threads do them.

    :param most: results that may wait for one before them.
    :param check: given to each part.
    """

    def __init__(
        self, parts: Iterator[Callable[[Check], T]], most: int, take: Callable[[T], None], check: Check
    ) -> None:
        self._parts = parts
        self._most = most
        self._take = take
        self._check = check
        #: In order, each a list of one result, or of none as long as it is not there.
        self._results: Deque[List[T]] = collections.deque()
        self._open = True

    @property
    def open(self) -> bool:
        """True while parts are left or under way."""
        return self._open

    def next_task(self) -> Optional[Task]:
        """Return the next part, unless too many results wait."""
        if not self._open or len(self._results) >= self._most:
            return None
        part = next(self._parts, None)
        if part is None:
            self._open = bool(self._results)
            return None
        result: List[T] = []
        self._results.append(result)
        return lambda: result.append(part(self._check))

    def settle(self, error: Optional[BaseException], value: Any) -> None:
        """Take the results that are due; a failure is raised in the calling thread, and ends the call."""
        if error is not None:
            self._open = False
            raise error
        while self._open and self._results and self._results[0]:
            self._take(self._results.popleft()[0])

    def abandon(self, reason: BaseException) -> None:
        """Begin no further part."""
        self._open = False
