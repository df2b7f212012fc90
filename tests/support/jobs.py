"""Operations over jobs of given tasks."""

from __future__ import annotations

import threading
from typing import Any, Callable, List, Optional

from smartxfer.transfer.job import Job
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import RetryPolicy

POLICY = RetryPolicy(backoff=0.001)


def operation(**settings: Any) -> TransferRunner:
    settings.setdefault("policy", POLICY)
    settings.setdefault("max_workers", 4)
    return TransferRunner(**settings)


def engine_threads() -> List[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("smartxfer")]


class Tasks(Job):
    """A job of given tasks, one after the other."""

    def __init__(self, *tasks: Callable[[], Any]) -> None:
        self.waiting = list(tasks)
        self.flying = 0
        self.errors: List[Optional[BaseException]] = []
        self.abandoned: Optional[BaseException] = None

    @property
    def unfinished(self) -> bool:
        return bool(self.waiting or self.flying)

    def next_task(self) -> Any:
        if not self.waiting or self.flying:
            return None
        self.flying += 1
        return self.waiting.pop(0)

    def task_done(self, error: Optional[BaseException], value: Any) -> None:
        self.flying -= 1
        self.errors.append(error)
        if error is not None:
            self.waiting.clear()

    def cancel(self, abort_error: BaseException) -> None:
        self.abandoned = abort_error
        self.waiting.clear()


class Flag:
    """A cancel flag that is set once ``condition`` is true."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        self.is_set = condition
