"""The transfer engine over a server in memory: what the models of uploads and of downloads share.

A run of the engine consumes a script: the first step is what happens to its first request, and so on; requests
past the end of the script succeed.  No sockets, threads or sleeps: tasks run in the calling thread, which
the engine does where it cannot start any (``max_workers=0``).
"""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from smartxfer.error_families import GENERIC_ERRORS
from smartxfer.errors import AlreadyInProgress, SmartxferError
from smartxfer.transfer.runner import TransferRunner
from smartxfer.transport import HTTPTransport, RetryPolicy, attempt
from smartxfer.transport.http_errors import build_http_error
from smartxfer.transport.response import BufferedResponse
from smartxfer.transport.retry_checks import RetryContext, RetryDecision
from tests.support.fake_clock import FakeClock

POLICY = RetryPolicy(
    attempts=3, backoff=0.5, backoff_cap=0.8, retry_after_cap=30.0, budget=60.0, stall_speed=1, stall_window=20.0
)
RETRY_AFTER = 5.0
#: Seconds that a pause may last longer than the call, where the calling thread does the tasks: it looks at the
#: time every 0.1 s, but not between the last two of these waits.
TICK = 0.2
_TINY = 1e-6

#: Steps that end a request with a status.
STATUSES = {"busy": 503, "throttled": 429, "failing": 500, "refused": 400, "missing": 404, "expired": 401}
#: Steps that happen to up to four requests in a row.
_REPEATED = {"fine", "busy", "throttled", "failing", "dropped", "cut", "lost", "short", "ends early"}
_FINAL = {"refused", "missing", "expired again"}

class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing that runs after it changes the disk."""


class Step(NamedTuple):
    """An event of one request; ``where`` chooses the byte, the moment or the kind."""

    kind: str
    where: int


def scripts(kinds: Sequence[str]) -> Any:
    """Return a strategy for scripts: two bytes for a step are much faster than a list of tuples."""
    return st.binary(max_size=16).map(
        lambda raw: [Step(kinds[kind % len(kinds)], where) for kind, where in zip(raw[::2], raw[1::2])]
    )


class DiskState:
    """The files of a directory at one moment, each with its inode.

    :param aside: an empty directory on the same file system.
    """

    def __init__(self, directory: Path, aside: Path) -> None:
        self._directory, self._aside = directory, aside
        self._files: Dict[str, Tuple[bytes, int]] = {}
        for name in os.listdir(str(directory)):
            path = directory / name
            self._files[name] = path.read_bytes(), path.stat().st_mode & 0o7777
            os.link(str(path), str(aside / name))

    def restore(self) -> None:
        """Undo what happened since then."""
        for path in list(self._directory.iterdir()):
            path.unlink()
        for name, (data, mode) in self._files.items():
            path = self._directory / name
            (self._aside / name).rename(path)
            if path.read_bytes() != data:
                path.write_bytes(data)
            path.chmod(mode)


class Model:
    """The environment of the engine, and the checks that hold for both directions."""

    # Failures of the socket become the SDK's exceptions exactly as in the transport.
    translate_errors, _translate_exception = HTTPTransport.translate_errors, HTTPTransport._translate_exception
    error_family = GENERIC_ERRORS

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock(chance=0.95)  # nearly the longest wait
        self.broken: List[str] = []
        self.error: Optional[BaseException] = None
        self.say: Callable[[str], Any] = lambda text: None
        self._begin_run([], None)

    # -- one run ----------------------------------------------------------------------------------------

    def _begin_run(self, script: Sequence[Step], deadline: Optional[float]) -> None:
        self._script: Deque[Step] = collections.deque(
            Step(step.kind, step.where - 17 * again)
            for step in script
            for again in range(1 + (step.where // 64 if step.kind in _REPEATED else 0))
        )
        self._used: List[Step] = []
        self.cancel = threading.Event()
        self.injected: List[BaseException] = []
        self.events: List[Any] = []
        self.requests = 0
        self.deadline = deadline
        self._ends_at = float("inf") if deadline is None else self.clock.monotonic() + deadline
        self._began_at = self._socket_at = self.clock.monotonic()
        #: Offsets that were done when the run began; (when, offsets) of what it has stored since.
        self.at_start: Set[int] = set()
        self.stored_at: List[Tuple[float, Set[int]]] = []
        #: Of the latest try of each part, if it failed: when, by which step, and as which one in a row
        #: without progress.
        self._failures: Dict[Any, Tuple[float, str, int]] = {}
        self._part: Any = None
        #: Whether nothing came after the latest failure.
        self._failed_last = False
        self._expired = 0

    def run(self, script: Sequence[Step], deadline: Optional[float] = None) -> None:
        """Run the engine once; ``self.error`` is how it failed.

        :raises AssertionError: a promise was broken.
        """
        self._begin_run(script, deadline)
        files = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
        self.error = None
        try:
            self.transfer()
        except SmartxferError as error:
            self.error = error
        except BaseException as error:
            if error not in self.injected:
                raise
            self.error = error
        self.say(f"{[tuple(step) for step in self._used]}, deadline {deadline}: {self.error!r}")
        assert not self.broken, self.broken
        if files:
            assert len(os.listdir("/proc/self/fd")) == len(files), "a file was left open"
        self._check_times()
        self.check_run()

    @contextlib.contextmanager
    def operation(self) -> Iterator[TransferRunner]:
        """Open an operation that runs its tasks in the calling thread."""
        with TransferRunner(
            policy=POLICY,
            max_workers=0,
            clock=self.clock,
            cancel=self.cancel,
            deadline=self.deadline,
            progress=self._on_progress,
            retry_checks=[self.check],
        ) as doing:
            yield doing

    def transfer(self) -> None:
        """Do what a service would do in one call."""
        raise NotImplementedError

    def check_run(self) -> None:
        """Check what the run left behind."""
        raise NotImplementedError

    @property
    def killed(self) -> bool:
        """Return whether the process of this run was killed."""
        return any(isinstance(error, Killed) for error in self.injected)

    def require(self, good: bool, text: str, *about: Any) -> None:
        """Note a broken promise, even where the engine handles the exception."""
        if not good:
            text = text % about if about else text
            self.broken.append(text)
            raise AssertionError(text)

    def end_process(self, error: BaseException) -> None:
        """End the process, by a signal or with a chance to clean up.

        :raises BaseException: the error.
        """
        self.injected.append(error)
        self._socket_at = self.clock.monotonic()
        raise error

    # -- the fake socket --------------------------------------------------------------------------------

    def request(self, part: Any) -> Step:
        """Begin one request: check that it may be made, and return what happens to it.

        :param part: what the tries of this request have in common.
        """
        now = self.clock.monotonic()
        self.requests += 1
        self.require(now < self._ends_at, "a request after the deadline")
        self.require(not self.cancel.is_set(), "a request after the transfer was cancelled")
        self.require(not self.injected, "a request after the process ended")
        self._part, self._failed_last = part, False
        if part in self._failures:
            self._check_wait(now, *self._failures[part])
        step = self._script.popleft() if self._script else Step("fine", 0)
        self._used.append(step)
        self.advance(0.2)
        if step.kind == "slow":
            self.advance(step.where / 8)
        elif step.kind == "late":
            self.advance(step.where * 4)
        elif step.kind == "cancel":
            self.cancel.set()
        elif step.kind == "interrupt":
            self.end_process(KeyboardInterrupt() if step.where % 2 else SystemExit(1))
        elif step.kind in STATUSES:
            self._refuse(step.kind)
        elif step.kind == "dropped":
            self.reset(step.kind)
        return step

    def advance(self, seconds: float) -> None:
        """Let time pass in the socket; a line that was too slow is shut by the stall guard."""
        self.clock.advance(seconds)
        self._socket_at = self.clock.monotonic()

    def check_stall(self, progressed: bool = False) -> None:
        """Fail as a socket does that the watcher shut."""
        now = attempt.current_attempt()
        if now is not None and now.abort_error is not None:
            self.reset("stall", progressed)

    def fail(self, kind: str, progressed: bool = False) -> None:
        """Count a try that failed."""
        self._failed_last = True
        before = 0 if self._part not in self._failures or progressed else self._failures[self._part][2]
        self._failures[self._part] = (self.clock.monotonic(), kind, before + 1)

    def succeed(self) -> None:
        """Forget the tries that failed."""
        self._failed_last = False
        self._failures.pop(self._part, None)

    def reset(self, kind: str, progressed: bool = False) -> None:
        """Break the connection.

        :raises ConnectionResetError: always.
        """
        self.fail(kind, progressed)
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    def _refuse(self, kind: str) -> None:
        """Answer with an error.

        :raises HTTPError: always.
        """
        self._expired += kind == "expired"
        self.fail("expired again" if kind == "expired" and self._expired > 1 else kind)
        headers = {"Retry-After": f"{RETRY_AFTER:.0f}"} if kind == "throttled" else {}
        answer = BufferedResponse("request", STATUSES[kind], headers, b"")
        raise build_http_error(answer, "PUT", "http://host/file", policy=POLICY, clock=self.clock)

    def check(self, context: RetryContext) -> RetryDecision:
        """Have a try made at once after a session has expired, once, as the services do."""
        expired = context.http_error is not None and context.http_error.status == STATUSES["expired"]
        return RetryDecision.RETRY_IMMEDIATELY if expired and self._expired == 1 else RetryDecision.NO_DECISION

    # -- checks -----------------------------------------------------------------------------------------

    def _check_wait(self, now: float, failed_at: float, kind: str, count: int) -> None:
        """Check the wait before another try."""
        waited = now - failed_at
        longest = min(POLICY.backoff * 2 ** (count - 1), POLICY.backoff_cap)
        least, most = 0.0, longest
        if kind == "busy":
            least, most = longest, 2 * longest
        elif kind == "throttled":
            least, most = RETRY_AFTER, RETRY_AFTER + POLICY.backoff
        elif kind == "expired":
            most = 0.0
        self.require(least - _TINY <= waited <= most + _TINY, "a wait of %s s after %s (%s)", waited, kind, count)
        self.require(count < POLICY.attempts, "another try after %s in a row without progress", count)
        self.require(kind not in _FINAL, "another try after %s", kind)

    def _check_times(self) -> None:
        """Check that a call that is over ends soon."""
        now = self.clock.monotonic()
        last = max(self._began_at, self._socket_at)
        if self.cancel.is_set() or self.injected:
            assert now <= last + TICK + _TINY, "a wait in a call that was cancelled"
        elif self._failed_last and self._ends_at == float("inf"):
            assert now == self._failures[self._part][0], "a wait that no try follows"
        assert now <= max(last, self._ends_at + TICK) + _TINY, "a wait after the deadline"

    def noted_in_time(self, seconds: float) -> Set[int]:
        """Return what has to be noted: what a run finds is written once bytes come so many seconds later."""
        last = max([when for when, _ in self.stored_at], default=0.0)
        early = [offsets for when, offsets in self.stored_at if when <= last - seconds]
        return set().union(self.at_start, *early)

    def require_refused(self, act: Callable[[], Any], otherwise: bool = False) -> None:
        """Check that another process is refused, unless something else makes it another transfer."""
        try:
            act()
        except AlreadyInProgress:
            return
        self.require(otherwise, "two processes transfer the same file")

    @staticmethod
    @contextlib.contextmanager
    def lock(path: Path) -> Iterator[None]:
        """Hold a lock, which must be free."""
        fd = os.open(str(path), os.O_RDWR)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise AssertionError("the lock outlived the run") from None
        finally:
            os.close(fd)

    def true_progress(self) -> Sequence[int]:
        """Return the numbers of bytes that an event may have at this moment."""
        raise NotImplementedError

    def _on_progress(self, event: Any) -> None:
        before = self.events[-1].state if self.events else "queued"
        self.events.append(event)
        self.require(before not in ("done", "failed"), "an event after the end: %s", event)
        self.require(event.done >= 0, "less than nothing: %s", event)
        self.require(event.total is None or event.done <= event.total, "more than all of it: %s", event)
        true = self.true_progress()
        self.require(event.done in true, "%s where %s bytes are done", event, true)
        if event.state == "done":
            self.require(event.total in (None, event.done), "done and not all of it: %s", event)


class Machine(RuleBasedStateMachine):
    """Gives every example a directory of its own."""

    top: Path
    model: Any
    _number = 0

    def __init__(self) -> None:
        super().__init__()
        Machine._number += 1
        self.directory = self.top / str(Machine._number)
        self.directory.mkdir()
        os.environ["SMARTXFER_STATE_DIR"] = str(self.directory / "state")

    @rule(seconds=st.integers(0, 255))
    def time_passes(self, seconds: int) -> None:
        self.model.clock.advance(seconds)

    def check_refused(self, script: Any) -> None:
        """Run while another process transfers the same file."""
        self.model.run(script)
        assert isinstance(self.model.error, AlreadyInProgress)
        assert not self.model.requests


def run_machine(machine: Any, top: Path) -> None:
    """Run a state machine by the profile."""
    machine.top = top
    many = settings.default.max_examples > 1000
    examples = settings.default.max_examples if many else 60
    logging.disable(logging.CRITICAL)  # thousands of warnings of tries that failed
    try:
        run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=25))
    finally:
        logging.disable(logging.NOTSET)
