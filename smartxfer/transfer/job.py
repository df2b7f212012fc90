"""What an operation runs: jobs, which say what to do next."""

import abc
from typing import Any, Callable, ContextManager, Optional

from smartxfer.transport.error_mapping import out_of_memory_error

__all__ = ["CallableJob", "Job", "ScheduledTask", "Task"]

Task = Callable[[], Any]


class Job(abc.ABC):
    """One file's way through the engine: tasks in order, as many at once as it likes.

    Its methods are called by one thread at a time.
    """

    @property
    @abc.abstractmethod
    def unfinished(self) -> bool:
        """Whether tasks are left or under way."""

    @abc.abstractmethod
    def next_task(self) -> Optional[Task]:
        """Something to do now in a worker thread, or None."""

    @abc.abstractmethod
    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """A task ended, well or not.

        :param value: what it returned.
        """

    @abc.abstractmethod
    def cancel(self, abort_error: BaseException) -> None:
        """The call is over while tasks are left and none is under way: give up what is open."""


class CallableJob(Job):
    """A job of one task.

    ``value`` is what the task returned, ``error`` what it ended with, if not well.
    """

    def __init__(self, task: Task) -> None:
        self._task: Optional[Task] = task
        self.value: Any = None
        self.error: Optional[BaseException] = None

    @property
    def unfinished(self) -> bool:
        """Whether it is still to be done."""
        return self._task is not None

    def next_task(self) -> Optional[Task]:
        """The task, once."""
        task, self._task = self._task, None
        return task

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """It is done."""
        self.error, self.value = error, value

    def cancel(self, abort_error: BaseException) -> None:
        """It is not to be done any more."""
        self._task, self.error = None, abort_error

    def result(self) -> Any:
        """Return what the task returned, or raise what it raised."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.value
        finally:
            del error  # it and this frame would keep each other


class ScheduledTask:
    """One task of a job, on its way through the workers.

    :param make_context: makes what the task is done within.
    :param on_done: called with this once the task is done.
    """

    __slots__ = ("_make_context", "_on_done", "_task", "error", "job", "reported", "started", "value")

    def __init__(
        self,
        job: Job,
        task: Task,
        make_context: Callable[[], ContextManager[None]],
        on_done: "Callable[[ScheduledTask], None]",
    ) -> None:
        self.job = job
        #: What the task returned, or raised.
        self.value: Any = None
        self.error: Optional[BaseException] = None
        self.started = False
        #: Whether its end was reported: that is settled once.
        self.reported = False
        self._task = task
        self._make_context = make_context
        self._on_done = on_done

    def run(self) -> None:
        """Do the task; its exception is kept."""
        try:
            with self._make_context():
                self.value = self._task()
        except MemoryError:
            self.error = out_of_memory_error()
        except BaseException as error:  # noqa: BLE001 - the job is told of it
            self.error = error

    def finish(self) -> None:
        """Report the end of the task."""
        self._on_done(self)
