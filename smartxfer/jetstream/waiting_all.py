"""Several waits at once."""

import functools
from typing import Any, Iterable, List, Mapping, Optional, Sequence

from smartxfer.errors import UsageError, WaitTimeout
from smartxfer.jetstream.errors import JetStreamWaitTimeout
from smartxfer.jetstream.models import Manifest, Transfer
from smartxfer.jetstream.requests import Request, result_of
from smartxfer.jetstream.rpc import Rpc
from smartxfer.jetstream.waiting import Patience, wait
from smartxfer.transfer.job import Single
from smartxfer.transfer.operation import Operation
from smartxfer.transfer.progress import Reporter

__all__ = ["Waited", "checked_tasks", "wait_for_all"]


def checked_tasks(tasks: Any) -> List[Any]:
    """Return the tasks as a list.

    :raises UsageError: it is not a list, or something in it is not a Manifest, a Transfer or a Request.
    """
    if isinstance(tasks, (str, bytes, Mapping)) or not isinstance(tasks, Iterable):
        raise UsageError(f"wait_all() takes a list of tasks, not {type(tasks).__name__}", hint="[task]")
    several = list(tasks)
    for task in several:
        if not isinstance(task, (Manifest, Transfer, Request)):
            raise UsageError(f"a Manifest, a Transfer or a Request, not {type(task).__name__}")
    return several


class Waited:
    """How each is waited for, within one time-out.

    :param timeout: seconds for all; None: for as long as one of them makes progress.
    """

    def __init__(self, rpc: Rpc, timeout: Optional[float], reporter: Reporter) -> None:
        self._rpc = rpc
        self._reporter = reporter
        self._patience = Patience(rpc.clock)
        self._ends = None if timeout is None else rpc.clock.monotonic() + timeout

    def __call__(self, task: Any) -> Any:
        """The last state of a task, or the result of a request."""
        left = None if self._ends is None else max(0.0, self._ends - self._rpc.clock.monotonic())
        if isinstance(task, Request):
            found = task.made(result_of(self._rpc, task.request_id, left, task.session, self._patience))
        elif isinstance(task, Manifest):
            found = self._wait("send.waitForManifest", task.manifest_id, left)
        else:
            found = self._wait("send.waitForTransfer", task.transfer_id, left)
        self._patience.settle()
        return found

    def _wait(self, method: str, id: str, left: Optional[float]) -> Any:
        return wait(self._rpc, method, id, left, self._reporter, self._patience)


def wait_for_all(operation: Operation, tasks: Sequence[Any], waited: Waited, at_once: int) -> List[Any]:
    """Wait for each; the results in order.

    :raises WaitTimeout: some are not done in time; ``last`` holds what is known of each.
    """
    jobs = [Single(functools.partial(waited, task)) for task in tasks]
    operation.run(jobs, at_once)
    late = [job.error for job in jobs if isinstance(job.error, WaitTimeout)]
    for job in jobs:
        if job.error is not None and not isinstance(job.error, WaitTimeout):
            raise job.error
    if late:
        states = [job.error.last if isinstance(job.error, WaitTimeout) else job.value for job in jobs]
        said = f"{len(late)} of {len(jobs)} are not done"
        raise JetStreamWaitTimeout(said, hint="they go on", last=states)
    return [job.value for job in jobs]
