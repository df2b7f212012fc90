"""What an operation runs: jobs, which say what to do next."""

import abc
from typing import Any, Callable, ContextManager, Optional

from smartxfer.transport.failures import out_of_memory

__all__ = ["Job", "Single", "Task", "Work"]

Task = Callable[[], Any]


class Job(abc.ABC):
    """One file's way through the engine: tasks in order, as many at once as it likes.

    Its methods are called by one thread at a time.
    """

    @property
    @abc.abstractmethod
    def open(self) -> bool:
        """Whether tasks are left or under way."""

    @abc.abstractmethod
    def next_task(self) -> Optional[Task]:
        """Something to do now in a worker thread, or None."""

    @abc.abstractmethod
    def settle(self, error: Optional[BaseException], value: Any) -> None:
        """A task ended, well or not.

        :param value: what it returned.
        """

    @abc.abstractmethod
    def abandon(self, reason: BaseException) -> None:
        """The call is over while tasks are left and none is under way: give up what is open."""


class Single(Job):
    """A job of one task.

    ``value`` is what the task returned, ``error`` what it ended with, if not well.
    """

    def __init__(self, task: Task) -> None:
        self._task: Optional[Task] = task
        self.value: Any = None
        self.error: Optional[BaseException] = None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self._task is not None

    def next_task(self) -> Optional[Task]:
        """The task, once."""
        task, self._task = self._task, None
        return task

    def settle(self, error: Optional[BaseException], value: Any) -> None:
        """It is done."""
        self.error, self.value = error, value

    def abandon(self, reason: BaseException) -> None:
        """It is not to be done any more."""
        self._task, self.error = None, reason

    def outcome(self) -> Any:
        """Return what the task returned, or raise what it raised."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
            return self.value
        finally:
            del error  # it and this frame would keep each other


class Work:
    """One task of a job, on its way through the workers.

    :param within: makes what the task is done within.
    :param ended: called with this once the task is done.
    """

    __slots__ = ("_ended", "_task", "_within", "error", "job", "reported", "taken", "value")

    def __init__(
        self,
        job: Job,
        task: Task,
        within: Callable[[], ContextManager[None]],
        ended: "Callable[[Work], None]",
    ) -> None:
        self.job = job
        #: What the task returned, or raised.
        self.value: Any = None
        self.error: Optional[BaseException] = None
        self.taken = False
        #: Whether its end was reported: that is settled once.
        self.reported = False
        self._task = task
        self._within = within
        self._ended = ended

    def do(self) -> None:
        """Do the task; its exception is kept."""
        try:
            with self._within():
                self.value = self._task()
        except MemoryError:
            self.error = out_of_memory()
        except BaseException as error:  # noqa: BLE001 - the job is told of it
            self.error = error

    def end(self) -> None:
        """Report the end of the task."""
        self._ended(self)
