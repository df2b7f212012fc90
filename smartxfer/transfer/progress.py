"""Progress events, their reporter, and progress bars."""

import collections
import contextlib
import functools
import logging
import sys
import threading
from typing import Any, Callable, Deque, Dict, Iterator, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import attrs

from smartxfer._system import SYSTEM_CLOCK, Clock
from smartxfer.errors import Cancelled, UsageError
from smartxfer.terminal_text import escape_unprintable

__all__ = ["Progress", "ProgressEvent", "ProgressReporter", "WaitProgress", "WaitReporter"]

log = logging.getLogger("smartxfer.transfer")

State = TypeVar("State")

#: Minimum seconds between two events of one file while bytes move.
_INTERVAL = 0.05
#: Seconds of one attempt to acquire the lock.
_LOCK_POLL_INTERVAL = 0.1
#: Characters of a name in a bar.
_MAX_NAME_WIDTH = 40
#: Largest remaining time in seconds that is shown.
_MAX_ESTIMATE = 24 * 3600.0
#: Format of the status line of a wait.
_STATUS_LINE_FORMAT = "{desc} [{elapsed}]"
_BAR_FORMAT_WITHOUT_ESTIMATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<?, {rate_fmt}]"


@attrs.frozen
class ProgressEvent:
    """Progress of one file.

    :param name: the file's name in the transfer.
    :param done: bytes; may decrease when bytes must be sent or fetched again.
    :param total: bytes, or None if the size is not known yet.
    :param state: ``"queued"``, ``"moving"``, ``"retrying"``, ``"done"`` or ``"failed"``.
    """

    name: str
    done: int
    total: Optional[int]
    state: str


Progress = Union[None, bool, str, Callable[[ProgressEvent], Any]]
"""Values of ``progress=``: None or False, True for a bar, a label for a bar, or a callable.

Bars are drawn on a terminal (standard error) or in a notebook only.
"""

WaitProgress = Union[None, bool, str, Callable[[State], Any]]
"""Values of ``progress=`` of a wait: None or False, True for a line, a label for a line, or a callable.

The line shows the status and the elapsed seconds, on a terminal or in a notebook only.  The callable gets
each state of the object that is waited for, such as a Task or a File.
"""


class ProgressReporter:
    """Collects byte counts from all threads and calls the progress callback, one call at a time.

    :param on_advance: called after each report of moved bytes; it may raise to end the task.
    """

    def __init__(
        self, progress: Progress, clock: Clock = SYSTEM_CLOCK, on_advance: Callable[[], None] = lambda: None
    ) -> None:
        self._callback, self._close_bar = _get_callback(progress)
        self._clock = clock
        self._on_advance = on_advance
        self._lock = threading.Lock()
        self._files: Dict[str, _FileProgress] = {}
        #: Files whose event ``"queued"`` has not been passed to the callback yet.
        self._queued: Deque[Tuple[str, Optional[int]]] = collections.deque()
        #: True once the call is ending: threads no longer wait for a callback that does not return.
        self._stopped = False
        #: The exception of the callback, or None.
        self.failure: Optional[BaseException] = None

    @property
    def enabled(self) -> bool:
        """True if a callback or a bar exists."""
        return self._callback is not None

    def queue(self, name: str, total: Optional[int]) -> None:
        """Announce a file.

        A worker thread calls the callback later, before its next task or event, so that the calling thread
        can end the call even if the callback does not return.
        """
        with self._acquire_lock():
            self._files[name] = _FileProgress(0, total)
            self._queued.append((name, total))

    def flush_queued(self) -> None:
        """Pass the announced files to the callback."""
        if self._queued:
            with self._acquire_lock():
                self._emit_queued()
            self.raise_if_failed()

    def start(self, name: str, total: Optional[int], done: int) -> None:
        """Report the start of a file, of which ``done`` bytes are complete already."""
        with self._acquire_lock():
            self._files[name] = _FileProgress(done, total)
            self._emit(name, "moving")
        self.raise_if_failed()

    def advance(self, name: str, count: int, state: str = "moving") -> None:
        """Report ``count`` more bytes of a file; a negative count takes bytes back."""
        if self._callback is not None or self.failure is not None:
            with self._acquire_lock():
                file = self._files[name]
                file.done += count
                now = self._clock.monotonic()
                if state != "moving" or count < 0 or now - file.emitted_at >= _INTERVAL:
                    file.emitted_at = now
                    self._emit(name, state)
            self.raise_if_failed()
        self._on_advance()  # after the count, because a task that ends here takes its bytes back

    def finish(self, name: str, state: str) -> None:
        """Report that a file is ``"done"`` or ``"failed"``."""
        with self._acquire_lock():
            if name in self._files:
                self._emit(name, state)

    def raise_if_failed(self) -> None:
        """Raise :class:`Cancelled` from the exception of the callback, if there was one."""
        if self.failure is not None:
            raise Cancelled("the progress callback raised an exception") from self.failure

    def stop_waiting(self) -> None:
        """Stop waiting for a callback that does not return, because the call is ending."""
        self._stopped = True

    def close(self) -> None:
        """Close the bar, if there is one, and ignore further reports."""
        self._stopped = True
        with self._acquire_lock():
            self._callback = None
            if self._close_bar is not None:
                self._close_bar()

    @contextlib.contextmanager
    def _acquire_lock(self) -> Iterator[None]:
        """Hold the lock; once the call is ending, continue without it and drop the callback."""
        while not self._lock.acquire(timeout=_LOCK_POLL_INTERVAL):
            if self._stopped:
                self._callback = None
                yield
                return
        try:
            yield
        finally:
            self._lock.release()

    def _emit_queued(self) -> None:
        while self._queued:
            queued, total = self._queued.popleft()
            self._invoke_callback(ProgressEvent(queued, 0, total, "queued"))

    def _emit(self, name: str, state: str) -> None:
        self._emit_queued()
        file = self._files[name]
        self._invoke_callback(ProgressEvent(name, file.done, file.total, state))

    def _invoke_callback(self, event: ProgressEvent) -> None:
        callback = self._callback
        if callback is None:
            return
        try:
            callback(event)
        except BaseException as error:  # noqa: BLE001 - it is raised in the calling thread
            self.failure = error
            self._callback = None


class _FileProgress:
    __slots__ = ("done", "emitted_at", "total")

    def __init__(self, done: int, total: Optional[int]) -> None:
        self.done = done
        self.total = total
        self.emitted_at = float("-inf")


def _get_callback(progress: Progress) -> Any:
    if progress is None or progress is False:
        return None, None
    if progress is True or isinstance(progress, str):
        bar_class = _find_bar_class()
        if bar_class is None:
            return None, None
        bar = _ProgressBar(bar_class, progress if isinstance(progress, str) else None)
        return bar, bar.close
    return _validate_callable(progress), None


def _validate_callable(progress: Any) -> Any:
    if not callable(progress):
        raise UsageError(
            f"progress must be None, True, a label or a callable, not {type(progress).__name__}",
            hint="pass progress=True, or a function that takes a ProgressEvent",
        )
    return progress


def _find_bar_class() -> Any:
    """Return the class of bars; None without a terminal or notebook."""
    try:
        terminal = bool(sys.stderr.isatty())  # sys.stderr is None for programs without a console
    except (AttributeError, OSError, ValueError):
        terminal = False
    if not terminal and "ipykernel" not in sys.modules:
        return None
    bar = _build_bar_class()
    notebook = any(base.__module__ == "tqdm.notebook" for base in bar.__mro__)
    return bar if terminal or notebook else None


@functools.lru_cache(maxsize=None)
def _build_bar_class() -> Any:
    """Return a subclass of tqdm that shows only usable estimates: up to one day, once bytes move."""
    from tqdm.auto import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # tqdm's monitor thread would outlast the call

        def __del__(self) -> None:
            with contextlib.suppress(Exception):  # __init__() may have failed with a closed terminal
                super().__del__()

        # tqdm does not release its lock if these two methods fail, and all other threads would wait for it.
        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:
            with contextlib.nullcontext() if nolock else self.get_lock():  # type: ignore[no-untyped-call]
                return super().refresh(nolock=True)

        def clear(self, nolock: bool = False) -> None:
            with contextlib.nullcontext() if nolock else self.get_lock():  # type: ignore[no-untyped-call]
                super().clear(nolock=True)

        @property
        def format_dict(self) -> Dict[str, Any]:
            fields = dict(super().format_dict)
            if not fields["bar_format"] and fields["total"] and not _has_usable_estimate(fields):
                fields["bar_format"] = _BAR_FORMAT_WITHOUT_ESTIMATE
            return fields

    return Bar


def _has_usable_estimate(fields: Mapping[str, Any]) -> bool:
    elapsed = fields["elapsed"]
    rate = fields["rate"] or ((fields["n"] - fields["initial"]) / elapsed if elapsed else 0)
    return bool(rate > 0) and (fields["total"] - fields["n"]) / rate <= _MAX_ESTIMATE


class _TerminalDisplay:
    """Base of displays drawn by tqdm.  A closed terminal ends the display, not the call.

    :param bar_class: class of the tqdm bar.
    :param settings: keyword arguments of ``bar_class``.
    """

    def __init__(self, bar_class: Any, **settings: Any) -> None:
        self._bar: Any = None
        with self._suppress_terminal_errors():
            self._bar = bar_class(dynamic_ncols=True, **settings)

    def close(self) -> None:
        with self._suppress_terminal_errors():
            if self._bar is not None:
                self._bar.close()

    @contextlib.contextmanager
    def _suppress_terminal_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the terminal was closed, or cannot encode a name
            log.debug("the progress bar cannot be drawn any more: %s", error)
            if self._bar is not None:
                self._bar.disable = True  # tqdm would draw it again when it is garbage collected
            self._bar = None


class _ProgressBar(_TerminalDisplay):
    """One tqdm bar over all files of a call."""

    def __init__(self, bar_class: Any, label: Optional[str]) -> None:
        super().__init__(
            bar_class,
            total=0,
            desc=None if label is None else escape_unprintable(label, _MAX_NAME_WIDTH),
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            miniters=1,  # otherwise tqdm's monitor thread is needed when the transfer slows down
        )
        self._label = label
        self._done: Dict[str, int] = {}

    def __call__(self, event: ProgressEvent) -> None:
        with self._suppress_terminal_errors():
            self._show(event)

    def _show(self, event: ProgressEvent) -> None:
        if self._bar is None:
            return
        if event.name not in self._done:
            self._done[event.name] = 0
            self._bar.total += event.total or 0
            if self._label is None:
                self._bar.set_description(escape_unprintable(event.name, _MAX_NAME_WIDTH), refresh=False)
        self._bar.update(event.done - self._done[event.name])
        self._done[event.name] = event.done


class _StatusLine(_TerminalDisplay):
    """A line with a status and the elapsed seconds."""

    def __init__(self, bar_class: Any, text: str) -> None:
        super().__init__(bar_class, desc=text, total=None, bar_format=_STATUS_LINE_FORMAT)

    def show(self, text: str) -> None:
        with self._suppress_terminal_errors():
            if self._bar is not None:
                self._bar.set_description_str(text)


class WaitReporter:
    """Shows each state of an object that the server is processing, or passes it to the caller's callable.

    :param progress: None, True, a label, or a callable that accepts a state.
    :param get_name_and_status: returns name and status of a state.
    :raises UsageError: ``progress`` has another type.
    """

    def __init__(
        self, progress: WaitProgress[Any], get_name_and_status: Callable[[Any], Tuple[str, str]]
    ) -> None:
        self._get_name_and_status = get_name_and_status
        self._bar_class: Any = None
        self._line: Optional[_StatusLine] = None
        self._callback: Any = None
        self._label = progress if isinstance(progress, str) else None
        if progress is True or self._label is not None:
            self._bar_class = _find_bar_class()
        elif progress is not None and progress is not False:
            self._callback = _validate_callable(progress)

    def __call__(self, *states: Any) -> None:
        """Show the latest states.  An exception of the callable ends the wait."""
        if self._callback is not None:
            for state in states:
                self._callback(state)
        if self._bar_class is not None and states:
            text = self._format_states([self._get_name_and_status(state) for state in states])
            if self._line is None:
                self._line = _StatusLine(self._bar_class, text)
            self._line.show(text)

    def _format_states(self, described: Sequence[Tuple[str, str]]) -> str:
        name, status = described[0]
        if len(described) > 1:
            counts = collections.Counter(status for _, status in described)
            name, status = f"{len(described)} files", ", ".join(f"{n} {word}" for word, n in counts.items())
        label = name if self._label is None else self._label
        return f"{escape_unprintable(label, _MAX_NAME_WIDTH)}: {escape_unprintable(status, _MAX_NAME_WIDTH)}"

    def __enter__(self) -> "WaitReporter":
        return self

    def __exit__(self, *error: Any) -> None:
        if self._line is not None:
            self._line.close()
