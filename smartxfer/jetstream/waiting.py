"""Waiting for manifests and transfers, by long polls that are bounded.

Source: JetStream protocol, sections 4, 6.1 and 9.4.
"""

from typing import Any, Optional

from smartxfer.errors import TaskFailed, TaskSuspended, UsageError, WaitTimeout
from smartxfer.jetstream.models import Manifest, Status, Task, Transfer, about
from smartxfer.jetstream.rpc import Rpc
from smartxfer.transfer.progress import Reporter
from smartxfer.transport.redact import clean

__all__ = ["Polls", "good", "kind_of", "wait"]

#: Most seconds that one poll asks for, and what its HTTP read time-out has to exceed it by.
_LONGEST, _MARGIN = 25.0, 5.0
#: Seconds of a poll while somebody watches the progress.
_WATCHED = 0.5
#: Seconds between polls of a server that answers at once: at first, growth, at most.
_FIRST, _GROWTH, _MOST = 0.2, 1.5, 5.0


class Polls:
    """The course of one wait.

    :param timeout: seconds; None: without end.
    """

    def __init__(self, rpc: Rpc, timeout: Optional[float]) -> None:
        if timeout is not None and not _is_seconds(timeout):
            raise UsageError(f"timeout is a number of seconds, 0 or more, not {timeout!r}")
        self._rpc = rpc
        self._clock = rpc.clock
        self._ends = None if timeout is None else self._clock.monotonic() + timeout
        self._wait = _FIRST
        read = rpc.wire.timeout[1]
        self._longest = min(_LONGEST, read - _MARGIN if read > 2 * _MARGIN else read / 2)
        self._asked = self._began = 0.0

    def begin(self, most: float = _LONGEST) -> float:
        """Seconds that the server may take for the next answer, ``most`` of them."""
        self._began = self._clock.monotonic()
        left = self._longest if self._ends is None else self._ends - self._began
        self._asked = round(max(0.0, min(self._longest, left, most)), 3)
        return self._asked

    def again(self) -> bool:
        """Whether there is time for another poll; a server that answered at once is given a pause."""
        now = self._clock.monotonic()
        left = float("inf") if self._ends is None else self._ends - now
        if left <= 0:
            return False
        if now - self._began < self._asked / 2:
            self._rpc.pause(min(left, self._wait))
            self._wait = min(self._wait * _GROWTH, _MOST)
        else:
            self._wait = _FIRST
        return True


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and value >= 0


def kind_of(method: str) -> "tuple[type[Any], str]":
    """The structure and its id that a wait is for."""
    return (Manifest, "manifestId") if method.endswith("Manifest") else (Transfer, "transferId")


def wait(rpc: Rpc, method: str, id: str, timeout: Optional[float], reporter: Reporter) -> Any:
    """A manifest or transfer that is not processed any more, whatever became of it.

    :param method: ``"send.waitForManifest"`` or ``"send.waitForTransfer"``.
    :raises WaitTimeout: it is still being processed; ``last`` is its state, and it goes on.
    """
    kind, name = kind_of(method)
    polls = Polls(rpc, timeout)
    told = _Told(reporter, f"{kind.__name__.lower()} {id}")
    while True:
        # While somebody watches, answers have to come more often than states change.
        asked = polls.begin(_WATCHED if reporter.watched else _LONGEST)
        task: Task = kind.from_wire(rpc.call(method, {name: id, "timeoutSeconds": asked}))
        about(method, task, **{name: id})
        told.tell(task)
        reporter.check()
        if not task.processing:
            return task
        if not polls.again():
            break
    raise WaitTimeout(
        f"{kind.__name__.lower()} {id} is {task.status or 'processing'} after {timeout:g} s",
        hint="it goes on: wait again, or look at it with get" + kind.__name__,
        last=task,
    )


class _Told:
    """Turns states of a task into events."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter = reporter
        self._name = name
        self._done = 0
        self._total: Any = self  # none that was ever told

    def tell(self, task: Any) -> None:
        done = task.bytes_acked if isinstance(task, Transfer) else 0
        total = task.total_bytes if isinstance(task, Transfer) else task.total_size
        if total != self._total:
            self._reporter.begin(self._name, total, done)
        elif done != self._done:
            self._reporter.move(self._name, done - self._done)
        self._done, self._total = done, total
        if not task.processing:
            self._reporter.end(self._name, "done" if task.status == Status.COMPLETE else "failed")


def good(task: Any) -> Any:
    """The task, when it is complete.

    :raises TaskFailed: it failed.
    :raises TaskSuspended: it was suspended.
    """
    id = task.manifest_id if isinstance(task, Manifest) else task.transfer_id
    what = f"{type(task).__name__.lower()} {id}"
    if task.status == Status.COMPLETE:
        return task
    if task.status == Status.SUSPENDED:
        raise TaskSuspended(
            f"{what} was suspended", hint="api.send.resumeTransfer(error.task) lets it go on", task=task
        )
    reason = clean(task.error_message or "") or f"its status is {task.status!r}"
    raise TaskFailed(f"{what} failed: {reason}", task=task)
