"""Parts of one file in several threads of the engine; the first failure ends them all."""

import collections
import os
from typing import Any, Callable, Deque, Generic, Iterable, Iterator, List, Optional, TypeVar

from smartxfer.delta.backend import ReadInto
from smartxfer.errors import UsageError
from smartxfer.transfer.job import Job, Task
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import RetryPolicy

__all__ = ["resolve_worker_count", "run_in_threads", "with_abort_check"]

_MAX_DEFAULT_WORKERS = 4

T = TypeVar("T")
AbortCheck = Callable[[], None]


def resolve_worker_count(wanted: Optional[int] = None) -> int:
    """Return how many threads to use: what the caller wants, else one for each processor, up to 4.

    :raises UsageError: a number below 1.
    """
    if wanted is not None:
        if wanted < 1:
            raise UsageError(f"workers must be 1 or more, not {wanted!r}", hint="pass workers=1 or more")
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return min(_MAX_DEFAULT_WORKERS, len(os.sched_getaffinity(0)))
    return min(_MAX_DEFAULT_WORKERS, os.cpu_count() or 1)


def run_in_threads(
    parts: Iterable[Callable[[AbortCheck], T]], workers: int, on_result: Callable[[T], None]
) -> None:
    """Do all parts, and take their results in order; the first failure is raised, and ends the others.

    No more than two results for each thread wait to be taken.

    :param parts: each is given a check, which raises once its result is not wanted any more.
    :param on_result: called by one thread at a time.
    """
    with TransferRunner(policy=RetryPolicy(), max_workers=workers) as runner:
        runner.run_jobs([_OrderedPartsJob(iter(parts), 2 * workers, on_result, runner.raise_if_aborted)], 1)


def with_abort_check(check: AbortCheck, read: ReadInto) -> ReadInto:
    """Return ``read`` with a check before each call."""

    def readinto(view: memoryview) -> int:
        check()
        return read(view)

    return readinto


class _OrderedPartsJob(Job, Generic[T]):
    """The parts as the engine's threads do them.

    :param max_pending: results that may wait for one before them.
    :param check: given to each part.
    """

    def __init__(
        self,
        parts: Iterator[Callable[[AbortCheck], T]],
        max_pending: int,
        on_result: Callable[[T], None],
        check: AbortCheck,
    ) -> None:
        self._parts = parts
        self._max_pending = max_pending
        self._on_result = on_result
        self._check = check
        #: In order, each a list of one result, or of none as long as it is not there.
        self._pending_results: Deque[List[T]] = collections.deque()
        self._unfinished = True

    @property
    def unfinished(self) -> bool:
        """True while parts are left or under way."""
        return self._unfinished

    def next_task(self) -> Optional[Task]:
        """Return the next part, unless too many results wait."""
        if not self._unfinished or len(self._pending_results) >= self._max_pending:
            return None
        part = next(self._parts, None)
        if part is None:
            self._unfinished = bool(self._pending_results)
            return None
        result: List[T] = []
        self._pending_results.append(result)
        return lambda: result.append(part(self._check))

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """Take the results that are due; a failure is raised in the calling thread, and ends the call."""
        if error is not None:
            self._unfinished = False
            raise error
        while self._unfinished and self._pending_results and self._pending_results[0]:
            self._on_result(self._pending_results.popleft()[0])

    def cancel(self, abort_error: BaseException) -> None:
        """Begin no further part."""
        self._unfinished = False
