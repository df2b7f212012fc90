"""Several waits at once."""

import functools
from typing import Any, Iterable, List, Mapping, Optional, Sequence

from smartxfer.errors import UsageError, WaitTimeout
from smartxfer.jetstream.async_requests import Request, wait_for_request_result
from smartxfer.jetstream.errors import JetStreamWaitTimeout
from smartxfer.jetstream.models import Manifest, Transfer
from smartxfer.jetstream.polling import StallTimer, wait_for_task
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.transfer.job import CallableJob
from smartxfer.transfer.progress import ProgressReporter
from smartxfer.transfer.runner import TransferRunner

__all__ = ["TaskWaiter", "validate_tasks", "wait_for_all"]


def validate_tasks(tasks: Any) -> List[Any]:
    """Return the tasks as a list.

    :raises UsageError: it is not a list, or something in it is not a Manifest, a Transfer or a Request.
    """
    if isinstance(tasks, (str, bytes, Mapping)) or not isinstance(tasks, Iterable):
        raise UsageError(f"wait_all() takes a list of tasks, not {type(tasks).__name__}", hint="[task]")
    several = list(tasks)
    for task in several:
        if not isinstance(task, (Manifest, Transfer, Request)):
            raise UsageError(
                f"wait_all() waits for a Manifest, a Transfer or a Request, not for a {type(task).__name__}",
                hint="pass what createManifest(), createTransfer() or an ...Async() method returned",
            )
    return several


class TaskWaiter:
    """How each is waited for, within one time-out.

    :param timeout: seconds for all; None: for as long as one of them makes progress.
    """

    def __init__(self, rpc: JsonRpcClient, timeout: Optional[float], reporter: ProgressReporter) -> None:
        self._rpc = rpc
        self._reporter = reporter
        self._stall_timer = StallTimer(rpc.clock)
        self._end_time = None if timeout is None else rpc.clock.monotonic() + timeout

    def __call__(self, task: Any) -> Any:
        """The last state of a task, or the result of a request."""
        left = None if self._end_time is None else max(0.0, self._end_time - self._rpc.clock.monotonic())
        if isinstance(task, Request):
            found = task.convert_result(
                wait_for_request_result(self._rpc, task.request_id, left, task.session, self._stall_timer)
            )
        elif isinstance(task, Manifest):
            found = self._wait_for_task("send.waitForManifest", task.manifest_id, left)
        else:
            found = self._wait_for_task("send.waitForTransfer", task.transfer_id, left)
        self._stall_timer.restart()
        return found

    def _wait_for_task(self, method: str, id: str, timeout: Optional[float]) -> Any:
        return wait_for_task(self._rpc, method, id, timeout, self._reporter, self._stall_timer)


def wait_for_all(
    runner: TransferRunner, tasks: Sequence[Any], waiter: TaskWaiter, max_workers: int
) -> List[Any]:
    """Wait for each; the results in order.

    :raises WaitTimeout: some are not done in time; ``last`` holds what is known of each.
    """
    jobs = [CallableJob(functools.partial(waiter, task)) for task in tasks]
    runner.run_jobs(jobs, max_workers)
    late = [job.error for job in jobs if isinstance(job.error, WaitTimeout)]
    for job in jobs:
        if job.error is not None and not isinstance(job.error, WaitTimeout):
            raise job.error
    if late:
        states = [job.error.last if isinstance(job.error, WaitTimeout) else job.value for job in jobs]
        said = f"{len(late)} of {len(jobs)} are not done"
        raise JetStreamWaitTimeout(said, hint="they go on", last=states)
    return [job.value for job in jobs]
