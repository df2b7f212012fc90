"""Waiting for manifests and transfers, by long polls that are bounded.

Source: JetStream protocol, sections 4, 6.1 and 9.4.
"""

from typing import Any, Dict, Optional, Set

from smartxfer.errors import WaitTimeout
from smartxfer.jetstream.errors import JetStreamTaskFailed, JetStreamTaskSuspended, JetStreamWaitTimeout
from smartxfer.jetstream.models import Manifest, Status, Task, Transfer, check_said, made
from smartxfer.jetstream.rpc import Rpc
from smartxfer.options import check_seconds
from smartxfer.seams import Clock
from smartxfer.transfer.progress import Reporter
from smartxfer.transport.redact import clean

__all__ = ["PATIENCE", "Patience", "Polls", "check_timeout", "good", "kind_of", "wait"]

#: Most seconds that one poll asks for, and what its HTTP read time-out has to exceed it by.
_LONGEST, _MARGIN = 25.0, 5.0
#: Seconds without progress after which a wait ends that has neither a timeout nor a name of the vendor's.
PATIENCE = 600.0
#: Seconds of a poll while somebody watches the progress.
_WATCHED = 0.5
#: Seconds between polls of a server that answers at once: at first, growth, at most.
_FIRST, _GROWTH, _MOST = 0.2, 1.5, 5.0
#: States that count as progress: the known ones, and some that this version does not know.
_MOST_STATES = 1000


class Patience:
    """Ends waits without a timeout once nothing has moved for some minutes; several waits may share it.

    A state, or more files and bytes than ever before, counts as progress; to and fro does not.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._seen: Set[Any] = set()
        self._best: Dict[Any, int] = {}

    @property
    def ends(self) -> float:
        """When it is at an end, by the clock."""
        return self._since + PATIENCE

    def see(self, id: str, task: Any) -> None:
        """Take note of a state of a task."""
        moved = (id, str(task.status)) not in self._seen and len(self._seen) < _MOST_STATES
        self._seen.add((id, str(task.status)))
        names = ("blocks_acked",) if isinstance(task, Transfer) else ("total_files", "total_size")
        for name in names:
            value = getattr(task, name) or 0
            if value > self._best.get((id, name), 0):
                self._best[id, name] = value
                moved = True
        if moved:
            self._since = self._clock.monotonic()

    def settle(self) -> None:
        """Take note of a wait that has ended."""
        self._since = self._clock.monotonic()


class Polls:
    """The course of one wait.

    :param timeout: seconds; None: without end.
    :param patience: ends a wait without a timeout that makes no progress.
    """

    def __init__(self, rpc: Rpc, timeout: Optional[float], patience: Optional[Patience] = None) -> None:
        timeout = check_timeout(timeout)
        self._rpc = rpc
        self._clock = rpc.clock
        self._timeout = timeout
        self._deadline = None if timeout is None else self._clock.monotonic() + timeout
        self._patience = patience if timeout is None else None
        self._wait = _FIRST
        read = rpc.wire.timeout[1]
        self._longest = min(_LONGEST, read - _MARGIN if read > 2 * _MARGIN else read / 2)
        self._asked = self._began = 0.0

    @property
    def _ends(self) -> Optional[float]:
        return self._deadline if self._patience is None else self._patience.ends

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

    def over(self, what: str, state: str, hint: str, last: Any) -> WaitTimeout:
        """Return the error of a wait that is over too soon.

        :param what: what was waited for, and ``state`` how it is.
        """
        if self._patience is None:
            return JetStreamWaitTimeout(f"{what} is {state} after {self._timeout:g} s", hint=hint, last=last)
        return JetStreamWaitTimeout(
            f"{what} is {state}, and made no progress for {PATIENCE / 60:g} minutes",
            hint=f'{hint}; timeout=float("inf") waits for as long as it takes',
            last=last,
        )


def check_timeout(timeout: Any, hint: str = "") -> Optional[float]:
    """Return a time-out, checked before anything is sent.

    :raises UsageError: it is neither None nor a number of seconds.
    """
    return None if timeout is None else check_seconds(timeout, "timeout", hint=hint)


def kind_of(method: str) -> "tuple[type[Any], str]":
    """The structure and its id that a wait is for."""
    return (Manifest, "manifestId") if method.endswith("Manifest") else (Transfer, "transferId")


def wait(
    rpc: Rpc,
    method: str,
    id: str,
    timeout: Optional[float],
    reporter: Reporter,
    patience: Optional[Patience] = None,
) -> Any:
    """A manifest or transfer that is not processed any more, whatever became of it.

    :param method: ``"send.waitForManifest"`` or ``"send.waitForTransfer"``.
    :param patience: ends a wait without a timeout; None: such a wait has no end of its own.
    :raises WaitTimeout: it is still being processed; ``last`` is its state, and it goes on.
    """
    kind, name = kind_of(method)
    polls = Polls(rpc, timeout, patience)
    told = _Told(reporter, f"{kind.__name__.lower()} {id}")
    while True:
        # While somebody watches, answers have to come more often than states change.
        asked = polls.begin(_WATCHED if reporter.watched else _LONGEST)
        found = rpc.call(method, {name: id, "timeoutSeconds": asked})
        task: Task = made(kind, method, found, **{name: id})
        check_said(method, task)
        told.tell(task)
        if patience is not None:
            patience.see(id, task)
        reporter.check()
        if not task.processing:
            return task
        if not polls.again():
            break
    hint = f"it goes on: wait again, or look at it with get{kind.__name__}"
    raise polls.over(f"{kind.__name__.lower()} {id}", task.status or "processing", hint, task)


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
        raise JetStreamTaskSuspended(
            f"{what} was suspended", hint="api.send.resumeTransfer(error.task) lets it go on", task=task
        )
    reason = clean(task.error_message or "") or f"its status is {task.status!r}"
    raise JetStreamTaskFailed(f"{what} failed: {reason}", task=task)
