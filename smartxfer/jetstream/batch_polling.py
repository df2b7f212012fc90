"""Concurrent waits for several manifests, transfers and requests."""

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

    :raises UsageError: it is not a list, or an item is not a Manifest, a Transfer or a Request.
    """
    if isinstance(tasks, (str, bytes, Mapping)) or not isinstance(tasks, Iterable):
        raise UsageError(
            f"wait_all() needs a list of tasks, not a {type(tasks).__name__}", hint="pass wait_all([task])"
        )
    task_list = list(tasks)
    for task in task_list:
        if not isinstance(task, (Manifest, Transfer, Request)):
            raise UsageError(
                f"wait_all() cannot wait for a {type(task).__name__}",
                hint="pass objects of the types Manifest, Transfer and Request",
            )
    return task_list


class TaskWaiter:
    """Function that waits for one task, with a time limit for all tasks.

    :param timeout: seconds for all; None to wait while any of them makes progress.
    """

    def __init__(self, rpc: JsonRpcClient, timeout: Optional[float], reporter: ProgressReporter) -> None:
        self._rpc = rpc
        self._reporter = reporter
        self._stall_timer = StallTimer(rpc.clock)
        self._end_time = None if timeout is None else rpc.clock.monotonic() + timeout

    def __call__(self, task: Any) -> Any:
        """Wait and return the last state of a manifest or transfer, or the result of a request."""
        timeout = None if self._end_time is None else max(0.0, self._end_time - self._rpc.clock.monotonic())
        if isinstance(task, Request):
            result = task.convert_result(
                wait_for_request_result(self._rpc, task.request_id, timeout, task.session, self._stall_timer)
            )
        elif isinstance(task, Manifest):
            result = self._wait_for_task("send.waitForManifest", task.manifest_id, timeout)
        else:
            result = self._wait_for_task("send.waitForTransfer", task.transfer_id, timeout)
        self._stall_timer.restart()
        return result

    def _wait_for_task(self, method: str, task_id: str, timeout: Optional[float]) -> Any:
        return wait_for_task(self._rpc, method, task_id, timeout, self._reporter, self._stall_timer)


def wait_for_all(
    runner: TransferRunner, tasks: Sequence[Any], waiter: TaskWaiter, max_workers: int
) -> List[Any]:
    """Wait for all tasks and return the results in order.

    :raises WaitTimeout: some are not done in time; ``last`` has the last state or the result of each.
    """
    jobs = [CallableJob(functools.partial(waiter, task)) for task in tasks]
    runner.run_jobs(jobs, max_workers)
    timeouts = [job.error for job in jobs if isinstance(job.error, WaitTimeout)]
    for job in jobs:
        if job.error is not None and not isinstance(job.error, WaitTimeout):
            raise job.error
    if timeouts:
        states = [job.error.last if isinstance(job.error, WaitTimeout) else job.value for job in jobs]
        raise JetStreamWaitTimeout(
            f"{len(timeouts)} of {len(jobs)} tasks are not done",
            hint="the server continues them: call wait_all() again",
            last=states,
        )
    return [job.value for job in jobs]
