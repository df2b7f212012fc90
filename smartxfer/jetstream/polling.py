"""Waits for manifests and transfers, with long polls of bounded duration.

Source: JetStream protocol, sections 4, 6.1 and 9.4.
"""

from typing import Any, Dict, Optional, Set

from smartxfer._system import Clock
from smartxfer.errors import WaitTimeout
from smartxfer.jetstream.errors import JetStreamTaskFailed, JetStreamTaskSuspended, JetStreamWaitTimeout
from smartxfer.jetstream.models import Manifest, Status, Task, Transfer, parse_model, validate_processing
from smartxfer.jetstream.rpc import JsonRpcClient
from smartxfer.transfer.progress import ProgressReporter
from smartxfer.transport.redaction import redact
from smartxfer.validation import validate_seconds

__all__ = [
    "STALL_TIMEOUT",
    "PollLoop",
    "StallTimer",
    "get_task_type",
    "require_complete",
    "validate_timeout",
    "wait_for_task",
]

#: Maximum seconds of one poll, and the seconds by which the HTTP read timeout must be longer.
_MAX_POLL_SECONDS, _READ_TIMEOUT_MARGIN = 25.0, 5.0
#: Seconds without progress after which a wait without a timeout ends, except in methods of the vendor's API.
STALL_TIMEOUT = 600.0
#: Seconds of a poll if progress is reported.
_POLL_SECONDS_WITH_PROGRESS = 0.5
#: Seconds between polls of a server that responds immediately: first delay, factor, maximum.
_FIRST_DELAY, _DELAY_FACTOR, _MAX_DELAY = 0.2, 1.5, 5.0
#: Maximum number of states that count as progress, to limit the wait for a server with ever new states.
_MAX_STATES = 1000


class StallTimer:
    """Time limit for waits without a timeout, restarted by each progress; several waits may share it.

    A new state, or a new maximum of a number of files, bytes or blocks, is progress; alternating values are
    not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_progress = clock.monotonic()
        self._seen_states: Set[Any] = set()
        self._highest_counts: Dict[Any, int] = {}

    @property
    def end_time(self) -> float:
        """Time of the monotonic clock at which the waits end."""
        return self._last_progress + STALL_TIMEOUT

    def record_state(self, task_id: str, task: Any) -> None:
        """Restart the time limit if the state of a task shows progress."""
        state = (task_id, str(task.status))
        has_progress = state not in self._seen_states and len(self._seen_states) < _MAX_STATES
        self._seen_states.add(state)
        names = ("blocks_acked",) if isinstance(task, Transfer) else ("total_files", "total_size")
        for name in names:
            value = getattr(task, name) or 0
            if value > self._highest_counts.get((task_id, name), 0):
                self._highest_counts[task_id, name] = value
                has_progress = True
        if has_progress:
            self._last_progress = self._clock.monotonic()

    def restart(self) -> None:
        """Restart the time limit, because one of the waits has ended."""
        self._last_progress = self._clock.monotonic()


class PollLoop:
    """Time limits of one wait: the length of its polls, the delays between them, and its end.

    :param timeout: seconds; None for no limit.
    :param stall_timer: limits a wait without a timeout; None for no limit.
    """

    def __init__(
        self, rpc: JsonRpcClient, timeout: Optional[float], stall_timer: Optional[StallTimer] = None
    ) -> None:
        timeout = validate_timeout(timeout)
        self._rpc = rpc
        self._clock = rpc.clock
        self._timeout = timeout
        self._deadline = None if timeout is None else self._clock.monotonic() + timeout
        self._stall_timer = stall_timer if timeout is None else None
        self._delay = _FIRST_DELAY
        read_timeout = rpc.http.timeout[1]
        self._max_poll_seconds = min(
            _MAX_POLL_SECONDS, max(read_timeout - _READ_TIMEOUT_MARGIN, read_timeout / 2)
        )
        self._poll_seconds = self._poll_start = 0.0

    @property
    def _end_time(self) -> Optional[float]:
        return self._deadline if self._stall_timer is None else self._stall_timer.end_time

    def start_poll(self, max_seconds: float = _MAX_POLL_SECONDS) -> float:
        """Return the seconds, at most ``max_seconds``, after which the server must respond to the poll."""
        self._poll_start = self._clock.monotonic()
        remaining = self._max_poll_seconds if self._end_time is None else self._end_time - self._poll_start
        self._poll_seconds = round(max(0.0, min(self._max_poll_seconds, remaining, max_seconds)), 3)
        return self._poll_seconds

    def wait_for_next(self) -> bool:
        """Return True if there is time for another poll; sleep first if the server responded immediately."""
        now = self._clock.monotonic()
        remaining = float("inf") if self._end_time is None else self._end_time - now
        if remaining <= 0:
            return False
        if now - self._poll_start < self._poll_seconds / 2:
            self._rpc.sleep(min(remaining, self._delay))
            self._delay = min(self._delay * _DELAY_FACTOR, _MAX_DELAY)
        else:
            self._delay = _FIRST_DELAY
        return True

    def build_timeout_error(self, description: str, state: str, hint: str, last: Any) -> WaitTimeout:
        """Return the error of a wait that has reached its time limit.

        :param description: the object of the wait.
        :param state: its last state.
        """
        if self._stall_timer is None:
            return JetStreamWaitTimeout(
                f"{description} is {state} after {self._timeout:g} s", hint=hint, last=last
            )
        return JetStreamWaitTimeout(
            f"{description} is {state}, without progress for {STALL_TIMEOUT / 60:g} minutes",
            hint=f'{hint}; pass timeout=float("inf") to wait without a limit',
            last=last,
        )


def validate_timeout(timeout: Any, hint: str = "") -> Optional[float]:
    """Return a validated timeout.

    :raises UsageError: it is neither None nor a number of seconds.
    """
    return None if timeout is None else validate_seconds(timeout, "timeout", hint=hint)


def get_task_type(method: str) -> "tuple[type[Any], str]":
    """Return the model and the id parameter of a wait method."""
    return (Manifest, "manifestId") if method.endswith("Manifest") else (Transfer, "transferId")


def wait_for_task(
    rpc: JsonRpcClient,
    method: str,
    task_id: str,
    timeout: Optional[float],
    reporter: ProgressReporter,
    stall_timer: Optional[StallTimer] = None,
) -> Any:
    """Wait for a manifest or transfer, and return its last state, which may be an error.

    :param method: ``"send.waitForManifest"`` or ``"send.waitForTransfer"``.
    :param stall_timer: limits a wait without a timeout; None for no limit.
    :raises WaitTimeout: it is still being processed; ``last`` is its state, and the server continues.
    """
    model, id_param = get_task_type(method)
    name = f"{model.__name__.lower()} {task_id}"
    poll_loop, progress = PollLoop(rpc, timeout, stall_timer), _TaskProgress(reporter, name)
    while True:
        # To report progress, the server must respond more often than the state changes.
        max_seconds = _POLL_SECONDS_WITH_PROGRESS if reporter.enabled else _MAX_POLL_SECONDS
        params = {id_param: task_id, "timeoutSeconds": poll_loop.start_poll(max_seconds)}
        task: Task = parse_model(model, method, rpc.call(method, params), **{id_param: task_id})
        validate_processing(method, task)
        progress.update(task)
        if stall_timer is not None:
            stall_timer.record_state(task_id, task)
        reporter.raise_if_failed()
        if not task.processing:
            return task
        if not poll_loop.wait_for_next():
            break
    hint = f"the server continues it: wait again, or call api.send.get{model.__name__}({task_id!r})"
    raise poll_loop.build_timeout_error(name, task.status or "processing", hint, task)


class _TaskProgress:
    """Reports the states of a task as progress events."""

    def __init__(self, reporter: ProgressReporter, name: str) -> None:
        self._reporter = reporter
        self._name = name
        self._done = 0
        self._total: Any = self  # differs from every total, also from None

    def update(self, task: Any) -> None:
        done = task.bytes_acked if isinstance(task, Transfer) else 0
        total = task.total_bytes if isinstance(task, Transfer) else task.total_size
        if total != self._total:
            self._reporter.start(self._name, total, done)
        elif done != self._done:
            self._reporter.advance(self._name, done - self._done)
        self._done, self._total = done, total
        if not task.processing:
            self._reporter.finish(self._name, "done" if task.status == Status.COMPLETE else "failed")


def require_complete(task: Any) -> Any:
    """Return the task if it is complete.

    :raises TaskFailed: it failed.
    :raises TaskSuspended: it was suspended.
    """
    task_id = task.manifest_id if isinstance(task, Manifest) else task.transfer_id
    name = f"{type(task).__name__.lower()} {task_id}"
    if task.status == Status.COMPLETE:
        return task
    if task.status == Status.SUSPENDED:
        raise JetStreamTaskSuspended(
            f"{name} was suspended",
            hint="call api.send.resumeTransfer(error.task) to continue it",
            task=task,
        )
    reason = redact(task.error_message or "") or f"its status is {task.status!r}"
    raise JetStreamTaskFailed(f"{name} failed: {reason}", task=task)
