"""The tasks of one file that wait for a worker."""

import collections
import itertools
from typing import Deque, Iterable, Iterator

from smartxfer.transfer.job import Task

__all__ = ["Tasks"]


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
