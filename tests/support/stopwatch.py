"""A stopwatch that leaves out the load of the machine: the time for which threads were ready and got no core.

An upper bound on wall time is right on an idle machine.  On a busy one a thread may wait for a core as often
as it wants to run, and that says nothing about the code under test.  Linux counts this wait for each thread; a
thread that sleeps, or waits for a lock, a socket or another thread, is not ready, so that a hang counts fully.
"""

from __future__ import annotations

import _thread
import contextlib

# By name: a test may replace those of the modules.
from os import getpid, listdir
from time import monotonic
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

#: Seconds from one look at the accounts to the next.
_INTERVAL = 0.01
#: Seconds after which the accounts of a stopwatch that was never read are left alone.
_LIFETIME = 120.0
#: Looks, at most, until two in a row are the same.
_LOOKS = 10
#: Ids of the threads that look at the accounts, also of those that have ended: the kernel may still list them.
_samplers: Set[str] = set()


class Stopwatch:
    """Measure from now on: the wall time, and the wall time without the load of the machine.

    :param processes: ids of child processes whose wait for a core is left out as well.
    """

    def __init__(self, *processes: int) -> None:
        self._account = _Account((getpid(), *processes))

    def elapsed(self) -> float:
        """Return the seconds of wall time until ``seconds`` was called, or now: for a lower bound."""
        ended_at = self._account.ended_at
        return (monotonic() if ended_at is None else ended_at) - self._account.began_at

    def seconds(self) -> float:
        """Stop; return the seconds without those in which a thread waited for a core: for an upper bound."""
        self._account.stop()
        return self.elapsed() - self._account.waited()

    def __del__(self) -> None:
        self._account.unused = True


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Check that the block takes less than so many seconds, without the load of the machine."""
    watch = Stopwatch()
    yield
    assert watch.seconds() < seconds


class Spans:
    """Spans of time in which one thread waited; only how long it waited since the last look is known."""

    def __init__(self, began_at: float) -> None:
        self._began_at = began_at
        self._asleep_at = began_at
        self.spans: List[Tuple[float, float]] = []

    def asleep(self, now: float) -> None:
        """Note that the thread is asleep: a wait that ends later began later."""
        self._asleep_at = now

    def add(self, seconds: float, now: float) -> None:
        """Fill so many seconds before ``now`` that are not filled yet, back to when it was last seen asleep.

        The kernel counts a wait when it ends, so that it may have begun before the last look.  On a busy machine
        Linux 6 sometimes counts all of a sleep as a wait.
        """
        start = now
        seconds = min(seconds, now - self._asleep_at)
        while True:
            free_from = self.spans[-1][1] if self.spans else self._began_at
            free = start - free_from
            if seconds <= free or not self.spans:
                self.spans.append((start - min(seconds, free), now))
                return
            seconds -= free
            start = self.spans.pop()[0]


def union(spans: Iterable[Tuple[float, float]]) -> float:
    """Return the seconds that are in at least one span."""
    total, covered_to = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, covered_to))
        covered_to = max(covered_to, end)
    return total


class _Look:
    """The CPU time of each thread at one moment.

    :param began_at: and ``ended_at``: the times between which it was read.
    """

    def __init__(self, processes: Tuple[int, ...]) -> None:
        self.began_at = monotonic()
        self.threads = _threads(processes)
        self.ended_at = monotonic()


def _steady_look(processes: Tuple[int, ...]) -> _Look:
    """Return a look during which no thread waited for a core."""
    look = _Look(processes)
    for _ in range(_LOOKS):
        before, look = look, _Look(processes)
        if look.threads == before.threads:
            break
    return look


class _Account:
    """The waits of the threads of some processes, looked at again and again in a thread.

    It is not one of ``threading``, because tests compare ``threading.enumerate()``.
    """

    def __init__(self, processes: Tuple[int, ...]) -> None:
        self.unused = False
        self.ended_at: Optional[float] = None
        self._waits: Dict[str, Spans] = {}
        self._processes = processes
        #: Held while the thread runs, and until it is to end.
        self._running, self._wanted = _thread.allocate_lock(), _thread.allocate_lock()
        self._wanted.acquire()
        look = _steady_look(processes)
        self._delays = {thread: delay for thread, (delay, _) in look.threads.items()}
        self.began_at = look.ended_at
        if self._delays:
            self._running.acquire()
            try:
                _thread.start_new_thread(self._sample, ())
            except RuntimeError:  # no thread can be started: the account is looked at once, in the end
                self._running.release()

    def stop(self) -> None:
        """End the thread and look a last time; do nothing the second time."""
        if self.ended_at is not None:
            return
        look = _steady_look(self._processes)
        self.ended_at = look.ended_at
        self._wanted.release()
        with self._running:
            self._note(look)

    def waited(self) -> float:
        """Return the seconds in which at least one thread waited."""
        return union(span for spans in self._waits.values() for span in spans.spans)

    def _sample(self) -> None:
        _samplers.add(str(_thread.get_native_id()))
        try:
            while not self._wanted.acquire(timeout=_INTERVAL):
                look = _Look(self._processes)
                if self.unused or self.ended_at is not None or look.ended_at > self.began_at + _LIFETIME:
                    return
                self._note(look)
        finally:
            self._running.release()

    def _note(self, look: _Look) -> None:
        """Note the waits that ended since the last look."""
        for thread, (delay, asleep) in look.threads.items():
            spans = self._waits.setdefault(thread, Spans(self.began_at))
            seconds = delay - self._delays.get(thread, 0.0)
            if seconds > 0:
                spans.add(seconds, look.ended_at)
                self._delays[thread] = delay
            if asleep:
                spans.asleep(look.began_at)


def _threads(processes: Tuple[int, ...]) -> Dict[str, Tuple[float, bool]]:
    """Return, for each thread, the seconds for which it was ready and got no core, and True if it is asleep.

    Nothing is returned where the system does not count them.
    """
    found: Dict[str, Tuple[float, bool]] = {}
    for process in processes:
        try:
            threads = listdir(f"/proc/{process}/task")
        except OSError:
            continue
        for thread in threads:
            if thread in _samplers:
                continue
            try:
                delay = int(_text(f"/proc/{process}/task/{thread}/schedstat").split()[1]) / 1e9
                # The name before it, in brackets, can contain anything.
                state = _text(f"/proc/{process}/task/{thread}/stat").rpartition(")")[2].split()[0]
                found[thread] = delay, state != "R"
            except (OSError, IndexError, ValueError):
                continue  # it has ended
    return found


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
