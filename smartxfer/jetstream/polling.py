"""Waiting for manifests and transfers, by long polls that are bounded.

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

#: Most seconds that one poll asks for, and what its HTTP read time-out has to exceed it by.
_MAX_POLL_SECONDS, _READ_TIMEOUT_MARGIN = 25.0, 5.0
#: Seconds without progress after which a wait ends that has neither a timeout nor a name of the vendor's.
STALL_TIMEOUT = 600.0
#: Seconds of a poll while somebody watches the progress.
_POLL_SECONDS_WITH_PROGRESS = 0.5
#: Seconds between polls of a server that answers at once: at first, growth, at most.
_FIRST_DELAY, _DELAY_FACTOR, _MAX_DELAY = 0.2, 1.5, 5.0
#: States that count as progress: the known ones, and some that this version does not know.
_MAX_STATES = 1000


class StallTimer:
    """Ends waits without a timeout once nothing has moved for some minutes; several waits may share it.

    A state, or more files and bytes than ever before, counts as progress; to and fro does not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_progress = clock.monotonic()
        self._seen_states: Set[Any] = set()
        self._highest_counts: Dict[Any, int] = {}

    @property
    def end_time(self) -> float:
        """When it is at an end, by the clock."""
        return self._last_progress + STALL_TIMEOUT

    def record_state(self, id: str, task: Any) -> None:
        """Take note of a state of a task."""
        moved = (id, str(task.status)) not in self._seen_states and len(self._seen_states) < _MAX_STATES
        self._seen_states.add((id, str(task.status)))
        names = ("blocks_acked",) if isinstance(task, Transfer) else ("total_files", "total_size")
        for name in names:
            value = getattr(task, name) or 0
            if value > self._highest_counts.get((id, name), 0):
                self._highest_counts[id, name] = value
                moved = True
        if moved:
            self._last_progress = self._clock.monotonic()

    def restart(self) -> None:
        """Take note of a wait that has ended."""
        self._last_progress = self._clock.monotonic()


class PollLoop:
    """The course of one wait.

    :param timeout: seconds; None: without end.
    :param stall_timer: ends a wait without a timeout that makes no progress.
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
        read = rpc.http.timeout[1]
        self._max_poll_seconds = min(
            _MAX_POLL_SECONDS, read - _READ_TIMEOUT_MARGIN if read > 2 * _READ_TIMEOUT_MARGIN else read / 2
        )
        self._poll_seconds = self._poll_start = 0.0

    @property
    def _end_time(self) -> Optional[float]:
        return self._deadline if self._stall_timer is None else self._stall_timer.end_time

    def start_poll(self, max_seconds: float = _MAX_POLL_SECONDS) -> float:
        """Seconds that the server may take for the next answer, ``max_seconds`` of them."""
        self._poll_start = self._clock.monotonic()
        left = self._max_poll_seconds if self._end_time is None else self._end_time - self._poll_start
        self._poll_seconds = round(max(0.0, min(self._max_poll_seconds, left, max_seconds)), 3)
        return self._poll_seconds

    def wait_for_next(self) -> bool:
        """Whether there is time for another poll; a server that answered at once is given a pause."""
        now = self._clock.monotonic()
        left = float("inf") if self._end_time is None else self._end_time - now
        if left <= 0:
            return False
        if now - self._poll_start < self._poll_seconds / 2:
            self._rpc.sleep(min(left, self._delay))
            self._delay = min(self._delay * _DELAY_FACTOR, _MAX_DELAY)
        else:
            self._delay = _FIRST_DELAY
        return True

    def build_timeout_error(self, description: str, state: str, hint: str, last: Any) -> WaitTimeout:
        """Return the error of a wait that is over too soon.

        :param description: what was waited for, and ``state`` how it is.
        """
        if self._stall_timer is None:
            return JetStreamWaitTimeout(
                f"{description} is {state} after {self._timeout:g} s", hint=hint, last=last
            )
        return JetStreamWaitTimeout(
            f"{description} is {state}, and made no progress for {STALL_TIMEOUT / 60:g} minutes",
            hint=f'{hint}; timeout=float("inf") waits for as long as it takes',
            last=last,
        )


def validate_timeout(timeout: Any, hint: str = "") -> Optional[float]:
    """Return a time-out, checked before anything is sent.

    :raises UsageError: it is neither None nor a number of seconds.
    """
    return None if timeout is None else validate_seconds(timeout, "timeout", hint=hint)


def get_task_type(method: str) -> "tuple[type[Any], str]":
    """The structure and its id that a wait is for."""
    return (Manifest, "manifestId") if method.endswith("Manifest") else (Transfer, "transferId")


def wait_for_task(
    rpc: JsonRpcClient,
    method: str,
    id: str,
    timeout: Optional[float],
    reporter: ProgressReporter,
    stall_timer: Optional[StallTimer] = None,
) -> Any:
    """A manifest or transfer that is not processed any more, whatever became of it.

    :param method: ``"send.waitForManifest"`` or ``"send.waitForTransfer"``.
    :param stall_timer: ends a wait without a timeout; None: such a wait has no end of its own.
    :raises WaitTimeout: it is still being processed; ``last`` is its state, and it goes on.
    """
    kind, name = get_task_type(method)
    polls = PollLoop(rpc, timeout, stall_timer)
    told = _TaskProgress(reporter, f"{kind.__name__.lower()} {id}")
    while True:
        # While somebody watches, answers have to come more often than states change.
        asked = polls.start_poll(_POLL_SECONDS_WITH_PROGRESS if reporter.enabled else _MAX_POLL_SECONDS)
        found = rpc.call(method, {name: id, "timeoutSeconds": asked})
        task: Task = parse_model(kind, method, found, **{name: id})
        validate_processing(method, task)
        told.update(task)
        if stall_timer is not None:
            stall_timer.record_state(id, task)
        reporter.raise_if_failed()
        if not task.processing:
            return task
        if not polls.wait_for_next():
            break
    hint = f"it goes on: wait again, or look at it with get{kind.__name__}"
    raise polls.build_timeout_error(f"{kind.__name__.lower()} {id}", task.status or "processing", hint, task)


class _TaskProgress:
    """Turns states of a task into events."""

    def __init__(self, reporter: ProgressReporter, name: str) -> None:
        self._reporter = reporter
        self._name = name
        self._done = 0
        self._total: Any = self  # none that was ever told

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
    """The task, when it is complete.

    :raises TaskFailed: it failed.
    :raises TaskSuspended: it was suspended.
    """
    id = task.manifest_id if isinstance(task, Manifest) else task.transfer_id
    what = f"{type(task).__name__.lower()} {id}"
    if task.status == Status.COMPLETE:
        return task
    if task.status == Status.SUSPENDED:
        raise JetStreamTaskSuspended(
            f"{what} was suspended", hint="api.send.resumeTransfer(error.task) lets it go on", task=task
        )
    reason = redact(task.error_message or "") or f"its status is {task.status!r}"
    raise JetStreamTaskFailed(f"{what} failed: {reason}", task=task)
