"""Parallel processing of the parts of one file, by worker threads of the engine."""

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


def resolve_worker_count(workers: Optional[int] = None) -> int:
    """Return the number of threads to use: ``workers``, or one per processor, up to 4.

    :raises UsageError: the number is below 1.
    """
    if workers is not None:
        if workers < 1:
            raise UsageError(f"workers must be 1 or more, not {workers!r}", hint="pass workers=1 or more")
        return workers
    if hasattr(os, "sched_getaffinity"):
        return min(_MAX_DEFAULT_WORKERS, len(os.sched_getaffinity(0)))
    return min(_MAX_DEFAULT_WORKERS, os.cpu_count() or 1)


def run_in_threads(
    parts: Iterable[Callable[[AbortCheck], T]], workers: int, on_result: Callable[[T], None]
) -> None:
    """Run all parts and pass their results to ``on_result`` in order; the first failure aborts the others.

    At most two results per thread are queued.

    :param parts: functions that get an abort check, which raises after another part failed.
    :param on_result: called by one thread at a time.
    """
    with TransferRunner(policy=RetryPolicy(), max_workers=workers) as runner:
        runner.run_jobs([_OrderedPartsJob(iter(parts), 2 * workers, on_result, runner.raise_if_aborted)], 1)


def with_abort_check(check: AbortCheck, read: ReadInto) -> ReadInto:
    """Return a function that calls ``check`` before each call of ``read``."""

    def readinto(view: memoryview) -> int:
        check()
        return read(view)

    return readinto


class _OrderedPartsJob(Job, Generic[T]):
    """Job of the engine whose tasks are the parts.

    :param max_pending: results that may be queued because an earlier one is missing.
    :param check: abort check, passed to each part.
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
        #: In order of the parts; each is a list of one result, or empty while the part runs.
        self._pending_results: Deque[List[T]] = collections.deque()
        self._unfinished = True

    @property
    def unfinished(self) -> bool:
        """True while parts are left or running."""
        return self._unfinished

    def next_task(self) -> Optional[Task]:
        """Return the next part, or None if too many results are queued."""
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
        """Pass on the results that are next in order; a failure is raised, which aborts the job."""
        if error is not None:
            self._unfinished = False
            raise error
        while self._unfinished and self._pending_results and self._pending_results[0]:
            self._on_result(self._pending_results.popleft()[0])

    def cancel(self, abort_error: BaseException) -> None:
        """Start no further part."""
        self._unfinished = False
