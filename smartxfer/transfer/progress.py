"""Progress: one frozen event, one reporter, and a bar made of them."""

import collections
import contextlib
import functools
import logging
import sys
import threading
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import attrs

from smartxfer.errors import Cancelled, UsageError
from smartxfer.screen_text import visible
from smartxfer.seams import SYSTEM_CLOCK, Clock

__all__ = ["Progress", "ProgressEvent", "Reporter", "WaitProgress", "WaitReporter"]

log = logging.getLogger("smartxfer.transfer")

State = TypeVar("State")

#: Least seconds between two events of one file while bytes move.
_INTERVAL = 0.05
#: Seconds of one wait for the callback.
_TICK = 0.1
#: Characters of a name in a bar.
_WIDEST = 40
#: Seconds; what would take longer is not estimated.
_LONGEST_ESTIMATE = 24 * 3600.0
#: Form of the line of a wait.
_LINE = "{desc} [{elapsed}]"
_WITHOUT_ESTIMATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<?, {rate_fmt}]"


@attrs.frozen
class ProgressEvent:
    """How far one file is.

    :param name: the file's name in the transfer.
    :param done: bytes; may step back when something has to be sent or fetched again.
    :param total: bytes, or None when not known yet.
    :param state: ``"queued"``, ``"moving"``, ``"retrying"``, ``"done"`` or ``"failed"``.
    """

    name: str
    done: int
    total: Optional[int]
    state: str


Progress = Union[None, bool, str, Callable[[ProgressEvent], Any]]
"""What ``progress=`` takes: None or False, True for a bar, a label for a bar, or a callable.

Bars are drawn on a terminal (standard error) or in a notebook; without one nothing is written.
"""

WaitProgress = Union[None, bool, str, Callable[[State], Any]]
"""Values of ``progress=`` of a wait: None or False, True for a line, a label for a line, or a callable.

The line has the status and the seconds so far, and is drawn where a bar would be.  The callable gets each
state of what is waited for, such as a Task or a File.
"""


class Reporter:
    """Gathers byte counts from all threads and tells the callback, one call at a time.

    :param watch: called after each count of moved bytes; it may raise to end the task.
    """

    def __init__(
        self, progress: Progress, clock: Clock = SYSTEM_CLOCK, watch: Callable[[], None] = lambda: None
    ) -> None:
        self._callback, self._close = _callback_of(progress)
        self._clock = clock
        self._watch = watch
        self._lock = threading.Lock()
        self._files: Dict[str, _Count] = {}
        #: Files that were announced; the callback is not told yet.
        self._queued: Deque[Tuple[str, Optional[int]]] = collections.deque()
        #: True once the call is over: nothing waits long for a callback that does not return.
        self._over = False
        #: What the callback raised, if it did.
        self.failure: Optional[BaseException] = None

    @property
    def watched(self) -> bool:
        """Whether anybody is told."""
        return self._callback is not None

    def queue(self, name: str, total: Optional[int]) -> None:
        """Announce a file.

        The callback is told in a worker thread, before its next task or event: where it does not return,
        the calling thread can still end the call.
        """
        with self._held():
            self._files[name] = _Count(0, total)
            self._queued.append((name, total))

    def announce(self) -> None:
        """Tell the callback of the files that were queued."""
        if self._queued:
            with self._held():
                self._tell_queued()
            self.check()

    def begin(self, name: str, total: Optional[int], done: int) -> None:
        """A file's turn has come; ``done`` bytes of it are there already."""
        with self._held():
            self._files[name] = _Count(done, total)
            self._tell(name, "moving")
        self.check()

    def move(self, name: str, count: int, state: str = "moving") -> None:
        """``count`` more bytes (less than 0: fewer) of a file are done."""
        if self._callback is not None or self.failure is not None:
            with self._held():
                file = self._files[name]
                file.done += count
                now = self._clock.monotonic()
                if state != "moving" or count < 0 or now - file.told_at >= _INTERVAL:
                    file.told_at = now
                    self._tell(name, state)
            self.check()
        self._watch()  # once they are counted: bytes of a task that ends here are taken back

    def end(self, name: str, state: str) -> None:
        """A file is ``"done"`` or ``"failed"``."""
        with self._held():
            if name in self._files:
                self._tell(name, state)

    def check(self) -> None:
        """Raise :class:`Cancelled`, caused by what the callback raised, if it did."""
        if self.failure is not None:
            raise Cancelled("the progress callback raised an exception") from self.failure

    def hurry(self) -> None:
        """The call is over: do not wait for a callback that does not return."""
        self._over = True

    def close(self) -> None:
        """Close the bar, if we opened one; report nothing from here on."""
        self._over = True
        with self._held():
            self._callback = None
            if self._close is not None:
                self._close()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock, or give up the callback that keeps it once the call is over."""
        while not self._lock.acquire(timeout=_TICK):
            if self._over:
                self._callback = None
                yield
                return
        try:
            yield
        finally:
            self._lock.release()

    def _tell_queued(self) -> None:
        while self._queued:
            queued, total = self._queued.popleft()
            self._call(ProgressEvent(queued, 0, total, "queued"))

    def _tell(self, name: str, state: str) -> None:
        self._tell_queued()
        file = self._files[name]
        self._call(ProgressEvent(name, file.done, file.total, state))

    def _call(self, event: ProgressEvent) -> None:
        callback = self._callback
        if callback is None:
            return
        try:
            callback(event)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it back
            self.failure = error
            self._callback = None


class _Count:
    __slots__ = ("done", "told_at", "total")

    def __init__(self, done: int, total: Optional[int]) -> None:
        self.done = done
        self.total = total
        self.told_at = float("-inf")


def _callback_of(progress: Progress) -> Any:
    if progress is None or progress is False:
        return None, None
    if progress is True or isinstance(progress, str):
        drawn = _new_bar()
        if drawn is None:
            return None, None
        bar = _Bar(drawn, progress if isinstance(progress, str) else None)
        return bar, bar.close
    return _checked(progress), None


def _checked(progress: Any) -> Any:
    if not callable(progress):
        raise UsageError(
            f"progress must be None, True, a label or a callable, not {type(progress).__name__}"
        )
    return progress


def _new_bar() -> Any:
    """Return what makes a bar; None without a terminal or notebook to draw it on."""
    try:
        terminal = bool(sys.stderr.isatty())  # None for programs without a console
    except (AttributeError, OSError, ValueError):
        terminal = False
    if not terminal and "ipykernel" not in sys.modules:
        return None
    bar = _bar_class()
    notebook = any(base.__module__ == "tqdm.notebook" for base in bar.__mro__)
    return bar if terminal or notebook else None


@functools.lru_cache(maxsize=None)
def _bar_class() -> Any:
    """Return tqdm's class with estimates that mean something: up to a day, once bytes move."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # its thread would outlast the call

        def __del__(self) -> None:
            with contextlib.suppress(Exception):  # the terminal went while it was made: it is not complete
                super().__del__()

        # tqdm keeps its lock where the terminal goes within these two, and every other thread waits for it.
        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:
            with contextlib.nullcontext() if nolock else self.get_lock():  # type: ignore[no-untyped-call]
                return super().refresh(nolock=True)

        def clear(self, nolock: bool = False) -> None:
            with contextlib.nullcontext() if nolock else self.get_lock():  # type: ignore[no-untyped-call]
                super().clear(nolock=True)

        @property
        def format_dict(self) -> Dict[str, Any]:
            facts = dict(super().format_dict)
            if not facts["bar_format"] and facts["total"] and not _is_estimated(facts):
                facts["bar_format"] = _WITHOUT_ESTIMATE
            return facts

    return Bar


def _is_estimated(facts: Mapping[str, Any]) -> bool:
    elapsed = facts["elapsed"]
    rate = facts["rate"] or ((facts["n"] - facts["initial"]) / elapsed if elapsed else 0)
    return bool(rate > 0) and (facts["total"] - facts["n"]) / rate <= _LONGEST_ESTIMATE


class _Drawn:
    """Something that tqdm draws.  A terminal that is gone ends it, not the call.

    :param make: makes the tqdm bar, with ``settings``.
    """

    def __init__(self, make: Any, **settings: Any) -> None:
        self._bar: Any = None
        with self._drawing():
            self._bar = make(dynamic_ncols=True, **settings)

    def close(self) -> None:
        with self._drawing():
            if self._bar is not None:
                self._bar.close()

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the terminal is gone, or cannot encode a name
            log.debug("the progress bar cannot be drawn any more: %s", error)
            if self._bar is not None:
                self._bar.disable = True  # nor when it is collected
            self._bar = None


class _Bar(_Drawn):
    """One tqdm bar over all files of a call."""

    def __init__(self, make: Any, label: Optional[str]) -> None:
        super().__init__(
            make,
            total=0,
            desc=None if label is None else visible(label, _WIDEST),
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            miniters=1,  # else only a thread of its own notices that it became slower
        )
        self._label = label
        self._done: Dict[str, int] = {}

    def __call__(self, event: ProgressEvent) -> None:
        with self._drawing():
            self._show(event)

    def _show(self, event: ProgressEvent) -> None:
        if self._bar is None:
            return
        if event.name not in self._done:
            self._done[event.name] = 0
            self._bar.total += event.total or 0
            if self._label is None:
                self._bar.set_description(visible(event.name, _WIDEST), refresh=False)
        self._bar.update(event.done - self._done[event.name])
        self._done[event.name] = event.done


class _Line(_Drawn):
    """A line with the seconds so far."""

    def __init__(self, make: Any, text: str) -> None:
        super().__init__(make, desc=text, total=None, bar_format=_LINE)

    def show(self, text: str) -> None:
        with self._drawing():
            if self._bar is not None:
                self._bar.set_description_str(text)


class WaitReporter:
    """Shows each state of what a server is working on, or passes it to the caller's callable.

    :param progress: None, True, a label, or a callable that takes a state.
    :param describe: returns name and status of a state.
    :raises UsageError: ``progress`` is something else.
    """

    def __init__(self, progress: WaitProgress[Any], describe: Callable[[Any], Tuple[str, str]]) -> None:
        self._describe = describe
        self._make: Any = None
        self._line: Optional[_Line] = None
        self._callback: Any = None
        self._label = progress if isinstance(progress, str) else None
        if progress is True or self._label is not None:
            self._make = _new_bar()
        elif progress is not None and progress is not False:
            self._callback = _checked(progress)

    def __call__(self, *states: Any) -> None:
        """Show the latest states.  What the callable raises ends the wait."""
        if self._callback is not None:
            for state in states:
                self._callback(state)
        if self._make is not None and states:
            text = self._text([self._describe(state) for state in states])
            if self._line is None:
                self._line = _Line(self._make, text)
            self._line.show(text)

    def _text(self, described: Sequence[Tuple[str, str]]) -> str:
        name, status = described[0]
        if len(described) > 1:
            counts = collections.Counter(status for _, status in described)
            name, status = f"{len(described)} files", ", ".join(f"{n} {word}" for word, n in counts.items())
        label = name if self._label is None else self._label
        return f"{visible(label, _WIDEST)}: {visible(status, _WIDEST)}"

    def __enter__(self) -> "WaitReporter":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._line is not None:
            self._line.close()
