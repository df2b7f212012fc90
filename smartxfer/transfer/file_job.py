"""Base class of the upload and download jobs."""

import abc
import collections
import itertools
import logging
from typing import Any, Deque, Iterable, Iterator, Optional

from smartxfer.errors import SmartxferError
from smartxfer.transfer.job import Job, Task
from smartxfer.transfer.result import FileResult
from smartxfer.transfer.runner import TransferRunner

__all__ = ["FileJob", "TaskQueue"]

log = logging.getLogger("smartxfer.transfer")


class TaskQueue:
    """Tasks that wait for a worker, in order.  The items of an iterable are created one at a time.

    :param first: the first task.
    """

    def __init__(self, first: Task) -> None:
        self._ready: Deque[Task] = collections.deque([first])
        self._deferred: Iterator[Task] = iter(())

    def __bool__(self) -> bool:
        return bool(self._ready)

    def append(self, task: Task) -> None:
        """Add a task before those that have not been created."""
        self._ready.append(task)

    def extend(self, tasks: Iterable[Task]) -> None:
        """Add tasks after all others; only the next one is created."""
        self._deferred = itertools.chain(self._deferred, tasks)
        self._create_next()

    def pop(self) -> Task:
        """Remove and return the next task, and create the one after it."""
        task = self._ready.popleft()
        self._create_next()
        return task

    def clear(self) -> None:
        """Discard all tasks."""
        self._ready.clear()
        self._deferred = iter(())

    def _create_next(self) -> None:
        if not self._ready:
            self._ready.extend(itertools.islice(self._deferred, 1))


class FileJob(Job):
    """Transfer of one file: it begins, moves its parts in parallel, and finishes.

    The first failure ends it.

    :param direction: ``"upload"`` or ``"download"``, for the log.
    :param max_tasks: maximum number of concurrent tasks.
    """

    def __init__(self, direction: str, name: str, runner: TransferRunner, max_tasks: int) -> None:
        self._direction = direction
        self._name = name
        self._runner = runner
        self._max_tasks = max_tasks
        self._tasks = TaskQueue(self._begin)
        self._in_flight = 0
        self._finishing = False
        self._failure: Optional[BaseException] = None
        self._resumed = self._retries = 0
        self._started_at = runner.clock.monotonic()
        self._seconds = 0.0

    @property
    def unfinished(self) -> bool:
        """True while tasks are waiting or running."""
        return bool(self._tasks or self._in_flight)

    def next_task(self) -> Optional[Task]:
        """Return the next task, or None if none is ready or ``max_tasks`` are running."""
        if self._in_flight >= self._max_tasks or not self._tasks:
            return None
        self._in_flight += 1
        return self._tasks.pop()

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """Queue the final task after the last part; after a failure, discard all tasks."""
        self._in_flight -= 1
        if error is not None:
            self._record_failure(error)
        if self._failure is not None:
            self._tasks.clear()
        elif not self.unfinished:
            self._on_parts_done()
        if not self.unfinished:
            self._end()

    def cancel(self, abort_error: BaseException) -> None:
        """Discard all tasks and close open files."""
        self._tasks.clear()
        self._in_flight = 0
        self._failure = self._failure or abort_error
        self._end()

    @property
    @abc.abstractmethod
    def result(self) -> FileResult:
        """The result of the file."""

    # -- the file, in worker threads --------------------------------------------------------------------

    @abc.abstractmethod
    def _begin(self) -> None:
        """Open the file and queue its parts."""

    @abc.abstractmethod
    def _finish(self) -> None:
        """Complete the transfer once all parts have been moved."""

    @abc.abstractmethod
    def _close(self) -> None:
        """Close open files."""

    def _record_failure(self, error: BaseException) -> None:
        """Keep the first failure."""
        self._failure = self._failure or error

    def _on_parts_done(self) -> None:
        """Queue the final task, once, after all parts have succeeded."""
        if not self._finishing:
            self._finishing = True
            self._tasks.append(self._finish)

    def _end(self) -> None:
        self._seconds = self._runner.clock.monotonic() - self._started_at
        self._close()
        if self._failure is not None:
            self._runner.reporter.finish(self._name, "failed")
        _log_end(self._direction, self.result)

    # -- reports ----------------------------------------------------------------------------------------

    def _report_start(self, size: Optional[int], resumed: int) -> None:
        """Report the start of the transfer.

        :param size: bytes, or None if it is unknown.
        :param resumed: bytes that an earlier run has moved.
        """
        self._resumed = resumed
        _log_start(self._direction, self._name, size, resumed)
        self._runner.reporter.start(self._name, size, resumed)

    def _report_retry(self) -> None:
        """Report a failed attempt that is followed by another one."""
        self._retries += 1
        self._runner.reporter.advance(self._name, 0, "retrying")

    def _report_done(self) -> None:
        self._runner.reporter.finish(self._name, "done")

    def _build_result(self, **details: Any) -> FileResult:
        """Return the result, with the fields that the subclass adds."""
        return FileResult(
            self._name,
            resumed=self._resumed,
            retries=self._retries,
            seconds=self._seconds,
            error=self._failure,
            **details,
        )


def _log_start(direction: str, name: str, size: Optional[int], resumed: int) -> None:
    """Log the start of a transfer, and how many bytes an earlier run has moved.

    :param direction: ``"upload"`` or ``"download"``.
    :param size: bytes, or None if it is unknown.
    """
    size_text = "unknown size" if size is None else f"{size} bytes"
    if resumed:
        log.info("%s of %s is resumed: %d of %s are complete", direction, name, resumed, size_text)
    else:
        log.info("%s of %s begins: %s", direction, name, size_text)


def _log_end(direction: str, result: FileResult) -> None:
    """Log the end of a transfer: its bytes and seconds, or the reason why it failed or was skipped."""
    if not log.isEnabledFor(logging.INFO):
        return
    error = result.error
    if error is not None:
        why = error.summary if isinstance(error, SmartxferError) else type(error).__name__
        log.info("%s of %s failed after %.1f s: %s", direction, result.name, result.seconds, why)
    elif result.skipped is not None:
        log.info("%s of %s is not needed: %s", direction, result.name, result.skipped)
    else:
        verified = f", verified by {result.verified}" if result.verified else ""
        log.info(
            "%s of %s is done: %d bytes in %.1f s%s",
            direction, result.name, result.bytes, result.seconds, verified,
        )  # fmt: skip
