"""Jobs and their tasks, as the runner executes them."""

import abc
from typing import Any, Callable, ContextManager, Optional

from smartxfer.transport.error_mapping import out_of_memory_error

__all__ = ["CallableJob", "Job", "ScheduledTask", "Task"]

Task = Callable[[], Any]


class Job(abc.ABC):
    """A sequence of tasks, such as the transfer of one file.  Several of its tasks may run at once.

    The runner calls the methods of a job in one thread at a time.
    """

    @property
    @abc.abstractmethod
    def unfinished(self) -> bool:
        """True while tasks are waiting or running."""

    @abc.abstractmethod
    def next_task(self) -> Optional[Task]:
        """Return the next task to run in a worker thread, or None if no task is ready."""

    @abc.abstractmethod
    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """Record the outcome of a task and queue the tasks that depend on it.

        :param error: the exception of the task, or None.
        :param value: the return value of the task.
        """

    @abc.abstractmethod
    def cancel(self, abort_error: BaseException) -> None:
        """Release files and locks; called only while no task of this job is running."""


class CallableJob(Job):
    """A job of one task, with the task's return value and exception."""

    def __init__(self, task: Task) -> None:
        self._task: Optional[Task] = task
        self.value: Any = None
        self.error: Optional[BaseException] = None

    @property
    def unfinished(self) -> bool:
        """True until the task has been taken."""
        return self._task is not None

    def next_task(self) -> Optional[Task]:
        """Return the task on the first call, then None."""
        task, self._task = self._task, None
        return task

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        """Record the outcome of the task."""
        self.error, self.value = error, value

    def cancel(self, abort_error: BaseException) -> None:
        """Mark the task as cancelled."""
        self._task, self.error = None, abort_error

    def result(self) -> Any:
        """Return what the task returned, or raise what it raised."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.value
        finally:
            del error  # breaks the reference cycle between the error and this frame


class ScheduledTask:
    """One task of a job that was submitted to the worker threads.

    :param make_context: returns a context manager that surrounds the task.
    :param on_done: called with this object once the task has ended.
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
        #: Return value and exception of the task.
        self.value: Any = None
        self.error: Optional[BaseException] = None
        self.started = False
        #: Set when the outcome was reported, because it must be processed only once.
        self.reported = False
        self._task = task
        self._make_context = make_context
        self._on_done = on_done

    def run(self) -> None:
        """Run the task, and store its return value or exception."""
        try:
            with self._make_context():
                self.value = self._task()
        except MemoryError:
            self.error = out_of_memory_error()
        except BaseException as error:  # noqa: BLE001 - passed to the job
            self.error = error

    def finish(self) -> None:
        """Report the end of the task."""
        self._on_done(self)
