"""The client's process of one run, forked, watched at every request and file operation, with its result in a file."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import http.client
import json
import logging
import os
import re
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, NoReturn, Optional

from smartxfer.cli.exit_codes import Terminated
from smartxfer.errors import BatchError, SmartxferError
from tests.soak.server import close_others, die_with_parent

if TYPE_CHECKING:
    from tests.soak.case import Case
    from tests.soak.service import Service

#: Seconds that threads have to end once the call has returned.
_THREADS_END = 2.0
_unlink = os.unlink
_VARIABLES = ("FILESENDER_", "JETSTREAM_", "NRP_", "SMARTFILE_", "PERSEUS_", "SMARTXFER_")


#: What a child reports to its parent: its planned event has come, or it removes a journal.
EVENT, FORGOTTEN = b"e", b"f"
_JOURNAL = re.compile(r"[0-9a-f]{32,}\.json")


class Order(NamedTuple):
    """Disturbance that the child carries out itself.

    :param event: number of the event at which it acts; 0: never.
    :param action: ``"kill"`` or ``"stop"``: the signal that it sends to itself; ``"report"``: report to the parent.
    :param room: bytes after which the disk is full; None: never.
    :param handler: whether SIGTERM raises, as in the command, or ends the process.
    """

    event: int = 0
    action: str = ""
    room: Optional[int] = None
    handler: bool = False


class Watch:
    """Counts what the client does, and acts at the planned event.

    :param pipe: descriptor of a pipe to the parent.
    """

    def __init__(self, service: Service, case: Case, order: Order, pipe: int) -> None:
        self._service, self._case, self._order, self._pipe = service, case, order, pipe
        self._room = order.room
        self._write = os.write
        self._lock = threading.Lock()
        self.events = 0
        #: First and last moment of what only one process at a time may do, by name.
        self.spans: Dict[str, List[float]] = {}

    def event(self) -> None:
        """Count, and act when it is time."""
        with self._lock:
            self.events += 1
            due = self.events == self._order.event
        if not due:
            return
        if self._order.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(self._pipe, EVENT)
        if self._order.action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)

    def span(self, name: Optional[str]) -> None:
        """Note that something is done that only one process at a time may do."""
        if name is not None:
            now = time.monotonic()
            with self._lock:
                self.spans.setdefault(name, [now, now])[1] = now

    def request(self, method: str, path: str) -> None:
        """Note a request; what it changes is changed before its answer."""
        self.span(self._service.exclusive(self._case, method, path))

    def room_for(self, fd: int, data: Any) -> Any:
        """Return as much of the data as the disk takes.

        :raises OSError: it takes nothing.
        """
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return data
        path = os.readlink(f"/proc/self/fd/{fd}")
        if path.endswith(".part"):
            self.span(f"partial file {os.path.basename(path)}")
        if self._room is None:
            return data
        with self._lock:
            count = min(self._room, len(data))
            self._room -= count
        if data and not count:
            raise OSError(errno.ENOSPC, "No space left on device")
        return data[:count]

    def install(self) -> None:
        """Watch this process from now on."""
        for name in ("replace", "link", "unlink", "fsync"):
            function = getattr(os, name)
            watched = self._around(function)
            setattr(os, name, watched)
            for able in (os.supports_dir_fd, os.supports_follow_symlinks):
                if function in able:
                    able.add(watched)
        os.pwrite = self._writing(os.pwrite)
        os.write = self._writing(os.write)
        connection = http.client.HTTPConnection
        connection.send = self._around(connection.send)  # type: ignore[method-assign]
        connection.getresponse = self._around(connection.getresponse)  # type: ignore[method-assign]
        put = connection.putrequest

        def putrequest(this: Any, method: str, url: str, *rest: Any, **options: Any) -> Any:
            self.request(method, url)
            this._soak = (method, url)
            return put(this, method, url, *rest, **options)

        connection.putrequest = putrequest  # type: ignore[method-assign]

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.event()
            if function is _unlink and _JOURNAL.fullmatch(os.path.basename(arguments[0])):
                # Before it is so: a signal may come between the two.
                self._write(self._pipe, FORGOTTEN)
            result = function(*arguments, **options)
            made = getattr(arguments[0], "_soak", None) if arguments else None
            if made is not None:
                self.request(*made)
            self.event()
            return result

        return watched

    def _writing(self, function: Callable[..., int]) -> Callable[..., int]:
        def write(fd: int, data: Any, *rest: int) -> int:
            self.event()
            return function(fd, self.room_for(fd, data), *rest)

        return write


def run_and_exit(service: Service, case: Case, order: Order, stem: Path, pipe: int) -> NoReturn:
    """Make the call, write what became of it to ``<stem>.json``, and end the process.

    :param stem: path of the run's files: ``.json``, ``.log`` and ``.err``.
    :param pipe: descriptor of a pipe to the parent.
    """
    code = 70
    try:
        die_with_parent()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _prepare_process(case, stem, pipe)
        watch = Watch(service, case, order, pipe)
        watch.install()
        outcome = _outcome(service, case, order)
        outcome.update(events=watch.events, spans=watch.spans)
        temporary = Path(f"{stem}.json.tmp")
        temporary.write_text(json.dumps(outcome), encoding="utf-8")
        os.rename(temporary, f"{stem}.json")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        code = 0
    finally:
        if code:
            with contextlib.suppress(Exception):
                import traceback

                traceback.print_exc()
        os._exit(code)


def _prepare_process(case: Case, stem: Path, pipe: int) -> None:
    """Give the process its environment, descriptors and log."""
    for name in list(os.environ):
        if name.startswith(_VARIABLES) or name.upper().endswith("_PROXY"):
            del os.environ[name]
    home, temporary = case.directory / "home", case.directory / "tmp"
    for made in (home, temporary):
        made.mkdir(exist_ok=True)
    os.environ.update(HOME=str(home), TMPDIR=str(temporary), SMARTXFER_STATE_DIR=str(case.state))
    for kind in ("CONFIG", "STATE", "CACHE", "DATA"):
        os.environ[f"XDG_{kind}_HOME"] = str(home / kind.lower())
    os.chdir(home)
    output = os.open(f"{stem}.err", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    close_others(pipe)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    faulthandler.register(signal.SIGUSR2, file=2)  # shows where a hang is
    handler = logging.FileHandler(f"{stem}.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(relativeCreated)d %(threadName)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler], force=True)
    logging.captureWarnings(True)


def _outcome(service: Service, case: Case, order: Order) -> Dict[str, Any]:
    signalled: List[float] = []

    def interrupt(number: int, frame: Any) -> None:
        signalled.append(time.monotonic())
        signal.default_int_handler(number, frame)

    def terminate(number: int, frame: Any) -> None:
        signalled.append(time.monotonic())
        raise Terminated

    descriptors, modules = _descriptors(), set(sys.modules)
    outcome: Dict[str, Any] = {"result": "ok", "resumed": 0}
    try:
        try:
            signal.signal(signal.SIGINT, interrupt)
            signal.signal(signal.SIGTERM, terminate if order.handler else signal.SIG_DFL)
            outcome["resumed"] = service.run(case)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
    except BaseException as error:
        outcome.update(_described(error))
        logging.getLogger("soak").debug("the run ends", exc_info=True)
    outcome["signalled"] = bool(signalled)
    outcome["threads"] = _threads_left()
    outcome["modules"] = sorted(set(sys.modules) - modules)
    gc.collect()
    outcome["descriptors"] = sorted(_descriptors() - descriptors)
    return outcome


def _described(error: BaseException) -> Dict[str, Any]:
    """Return what matters of an error: its class, whether it is typed, its message."""
    return {
        "result": "error", "error": type(error).__name__, "message": str(error)[:2000],
        "bases": [base.__name__ for base in type(error).__mro__], "typed": _typed(error),
        "errors": _inner(error),
    }


def _inner(error: BaseException) -> List[str]:
    inner = error.errors if isinstance(error, BatchError) else ()
    return sorted({base.__name__ for one in inner for base in type(one).__mro__})


def _typed(error: BaseException) -> bool:
    if isinstance(error, BatchError):
        return bool(error.errors) and all(map(_typed, error.errors))
    return isinstance(error, (SmartxferError, KeyboardInterrupt, Terminated))


def _threads_left() -> List[str]:
    ends_at = time.monotonic() + _THREADS_END
    while True:
        left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        if not left or time.monotonic() > ends_at:
            return left
        time.sleep(0.002)


def _descriptors() -> Any:
    """Return what this process has open, without the descriptor of this look."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return found
