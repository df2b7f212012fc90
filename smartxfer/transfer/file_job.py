"""Jobs that move a file: what uploads and downloads have in common."""

import abc
import collections
import itertools
import logging
from typing import Any, Deque, Iterable, Iterator, Optional

from smartxfer.errors import SmartxferError
from smartxfer.transfer.job import Job, Task
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.result import FileResult

__all__ = ["FileJob", "Tasks"]

log = logging.getLogger("smartxfer.transfer")


class Tasks:
    """Tasks that wait for a worker, in order; those of a long plan are made when they are due.

    :param first: the only one at first.
    """

    def __init__(self, first: Task) -> None:
        self._ready: Deque[Task] = collections.deque([first])
        self._later: Iterator[Task] = iter(())

    def __bool__(self) -> bool:
        return bool(self._ready)

    def append(self, task: Task) -> None:
        """Add a task, before those that are not made yet."""
        self._ready.append(task)

    def follow(self, tasks: Iterable[Task]) -> None:
        """Add tasks after all others; only the next one is made."""
        self._later = itertools.chain(self._later, tasks)
        self._make()

    def pop(self) -> Task:
        """Take the next task, and make the one after it."""
        task = self._ready.popleft()
        self._make()
        return task

    def clear(self) -> None:
        """Forget the tasks, made or not."""
        self._ready.clear()
        self._later = iter(())

    def _make(self) -> None:
        if not self._ready:
            self._ready.extend(itertools.islice(self._later, 1))


class FileJob(Job):
    """One file's way through the engine: it begins, moves its parts, several at once, and finishes.

    The first failure ends it.

    :param direction: ``"upload"`` or ``"download"``, for the log.
    :param at_once: tasks at a time.
    """

    def __init__(self, direction: str, name: str, operation: Operation, at_once: int) -> None:
        self._direction = direction
        self._name = name
        self._operation = operation
        self._at_once = at_once
        self._waiting = Tasks(self._begin)
        self._flying = 0
        self._finishing = False
        self._failure: Optional[BaseException] = None
        self._resumed = self._retries = 0
        self._started = operation.clock.monotonic()
        self._seconds = 0.0

    @property
    def open(self) -> bool:
        """Whether tasks are waiting or under way."""
        return bool(self._waiting or self._flying)

    def next_task(self) -> Optional[Task]:
        """The next part, or the finish when all have been moved."""
        if self._flying >= self._at_once or not self._waiting:
            return None
        self._flying += 1
        return self._waiting.pop()

    def settle(self, error: Optional[BaseException], value: Any) -> None:
        """Go on to the finish after the last part; after a failure, start nothing more."""
        self._flying -= 1
        if error is not None:
            self._failed(error)
        if self._failure is not None:
            self._waiting.clear()
        elif not self.open:
            self._go_on()
        if not self.open:
            self._end()

    def abandon(self, reason: BaseException) -> None:
        """Start nothing more, and close what is open."""
        self._waiting.clear()
        self._flying = 0
        self._failure = self._failure or reason
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

    def _failed(self, error: BaseException) -> None:
        """Keep the first failure."""
        self._failure = self._failure or error

    def _go_on(self) -> None:
        """Do what comes after the last part, where none failed: the finish, once."""
        if not self._finishing:
            self._finishing = True
            self._waiting.append(self._finish)

    def _end(self) -> None:
        self._seconds = self._operation.clock.monotonic() - self._started
        self._close()
        if self._failure is not None:
            self._operation.reporter.end(self._name, "failed")
        _log_ended(self._direction, self.result)

    # -- reports ----------------------------------------------------------------------------------------

    def _report_begin(self, size: Optional[int], resumed: int) -> None:
        """Report that the file begins.

        :param size: bytes, or None where it is not known.
        :param resumed: bytes of it that an earlier run has moved.
        """
        self._resumed = resumed
        _log_begun(self._direction, self._name, size, resumed)
        self._operation.reporter.begin(self._name, size, resumed)

    def _report_retry(self) -> None:
        """Report that a try failed, and is followed by another one."""
        self._retries += 1
        self._operation.reporter.move(self._name, 0, "retrying")

    def _report_done(self) -> None:
        self._operation.reporter.end(self._name, "done")

    def _result(self, **found: Any) -> FileResult:
        """Return the result, with what only this kind of job knows."""
        return FileResult(
            self._name,
            resumed=self._resumed,
            retries=self._retries,
            seconds=self._seconds,
            error=self._failure,
            **found,
        )


def _log_begun(direction: str, name: str, size: Optional[int], resumed: int) -> None:
    """Log that a file begins, or how many bytes of it an earlier run has moved.

    :param direction: ``"upload"`` or ``"download"``.
    :param size: bytes, or None where it is not known.
    """
    shown = "unknown size" if size is None else f"{size} bytes"
    if resumed:
        log.info("%s of %s is resumed: %d of %s are there", direction, name, resumed, shown)
    else:
        log.info("%s of %s begins: %s", direction, name, shown)


def _log_ended(direction: str, result: FileResult) -> None:
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
