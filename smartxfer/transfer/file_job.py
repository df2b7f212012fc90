"""Jobs that move a file: what uploads and downloads have in common."""

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
    """Tasks that wait for a worker, in order; those of a long plan are made when they are due.

    :param first: the only one at first.
    """

    def __init__(self, first: Task) -> None:
        self._ready: Deque[Task] = collections.deque([first])
        self._deferred: Iterator[Task] = iter(())

    def __bool__(self) -> bool:
        return bool(self._ready)

    def append(self, task: Task) -> None:
        """Add a task, before those that are not made yet."""
        self._ready.append(task)

    def extend(self, tasks: Iterable[Task]) -> None:
        """Add tasks after all others; only the next one is made."""
        self._deferred = itertools.chain(self._deferred, tasks)
        self._create_next()

    def pop(self) -> Task:
        """Take the next task, and make the one after it."""
        task = self._ready.popleft()
        self._create_next()
        return task

    def clear(self) -> None:
        """Forget the tasks, made or not."""
        self._ready.clear()
        self._deferred = iter(())

    def _create_next(self) -> None:
        if not self._ready:
            self._ready.extend(itertools.islice(self._deferred, 1))


class FileJob(Job):
    """One file's way through the engine: it begins, moves its parts, several at once, and finishes.

    The first failure ends it.

    :param direction: ``"upload"`` or ``"download"``, for the log.
    :param max_tasks: tasks at a time.
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
        """Whether tasks are waiting or under way."""
        return bool(self._tasks or self._in_flight)

    def next_task(self) -> Optional[Task]:
        """The next part, or the finish when all have been moved."""
        if self._in_flight >= self._max_tasks or not self._tasks:
            return None
        self._in_flight += 1
        return self._tasks.pop()

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """Go on to the finish after the last part; after a failure, start nothing more."""
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
        """Start nothing more, and close what is open."""
        self._tasks.clear()
        self._in_flight = 0
        self._failure = self._failure or abort_error
        self._end()

    @property
    @abc.abstractmethod
    def result(self) -> FileResult:
        """What became of the file."""

    # -- the file, in worker threads --------------------------------------------------------------------

    @abc.abstractmethod
    def _begin(self) -> None:
        """Open the file, and have its parts follow."""

    @abc.abstractmethod
    def _finish(self) -> None:
        """Do what is left once all parts have been moved."""

    @abc.abstractmethod
    def _close(self) -> None:
        """Close what is open."""

    def _record_failure(self, error: BaseException) -> None:
        """Keep the first failure."""
        self._failure = self._failure or error

    def _on_parts_done(self) -> None:
        """Do what comes after the last part, where none failed: the finish, once."""
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
        """Report that the file begins.

        :param size: bytes, or None where it is not known.
        :param resumed: bytes of it that an earlier run has moved.
        """
        self._resumed = resumed
        _log_start(self._direction, self._name, size, resumed)
        self._runner.reporter.start(self._name, size, resumed)

    def _report_retry(self) -> None:
        """Report that a try failed, and is followed by another one."""
        self._retries += 1
        self._runner.reporter.advance(self._name, 0, "retrying")

    def _report_done(self) -> None:
        self._runner.reporter.finish(self._name, "done")

    def _build_result(self, **details: Any) -> FileResult:
        """Return the result, with what only this kind of job knows."""
        return FileResult(
            self._name,
            resumed=self._resumed,
            retries=self._retries,
            seconds=self._seconds,
            error=self._failure,
            **details,
        )


def _log_start(direction: str, name: str, size: Optional[int], resumed: int) -> None:
    """Log that a file begins, or how many bytes of it an earlier run has moved.

    :param direction: ``"upload"`` or ``"download"``.
    :param size: bytes, or None where it is not known.
    """
    shown = "unknown size" if size is None else f"{size} bytes"
    if resumed:
        log.info("%s of %s is resumed: %d of %s are there", direction, name, resumed, shown)
    else:
        log.info("%s of %s begins: %s", direction, name, shown)


def _log_end(direction: str, result: FileResult) -> None:
    """Log how a file ended: its bytes and seconds, or the reason why it failed or was left alone."""
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
