"""Exit codes: what became of the command, for scripts to read.

==== ==========================================================================================
0    done
1    failed in another way than those below
2    wrong usage, or a needed package is missing
3    the server has no such object
4    credentials missing, wrong or not sufficient
5    network or server trouble that may pass: try again later
6    bytes are not what they should be
7    some of several files failed
8    a local file, directory or disk stands in the way
124  a wait timed out
130  interrupted (Ctrl-C)
143  terminated
==== ==========================================================================================
"""

import functools
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple, Type

import click

from smartxfer import errors
from smartxfer.cli.output import print_stderr

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = [
    "EXIT_CODES",
    "EXIT_DIFFERENT",
    "Terminated",
    "get_exit_code",
    "print_error",
    "watch_for_termination",
]

#: Exit code where a comparison found a difference.
EXIT_DIFFERENT = 6
#: Seconds until the exception of a signal that Python dropped is raised again.
_RERAISE_DELAY = 0.05


class Terminated(BaseException):
    """The process was asked to end (SIGTERM, or its terminal is gone)."""


#: Exception classes and their exit codes; the first that fits counts.
EXIT_CODES: Tuple[Tuple[Type[BaseException], int], ...] = (
    (KeyboardInterrupt, 130),
    (Terminated, 143),
    (errors.Cancelled, 130),
    (errors.WaitTimeout, 124),
    (errors.DeadlineExceeded, 124),
    (errors.BatchError, 7),
    (errors.NotFound, 3),
    (errors.AuthError, 4),
    (errors.CredentialError, 4),
    (errors.IntegrityError, 6),
    (errors.LocalError, 8),
    (errors.UsageError, 2),
    (errors.ConfigError, 2),
    # These do not pass by themselves, unlike the network errors that they belong to.
    (errors.TLSError, 1),
    (errors.ProxyError, 1),
    (errors.NetworkError, 5),
    (errors.RateLimited, 5),
    (errors.ServerError, 5),
    (errors.SmartxferError, 1),
    (OSError, 8),
    (MemoryError, 8),
)


def get_exit_code(error: BaseException) -> int:
    """The exit code that tells a script of ``error``."""
    for kind, code in EXIT_CODES:
        if isinstance(error, kind):
            return code
    return 1


def print_error(error: BaseException) -> None:
    """Tell standard error of ``error``: one line, and one with the remedy where there is one.

    With ``--debug`` the traceback comes first.
    """
    if click.get_current_context().find_root().params.get("debug"):
        told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print_stderr(told, max_length=100_000, allowed="\n")
    said, hint = _get_message_and_hint(error)
    print_stderr(f"smartxfer: {said}")
    if hint:
        print_stderr(f"hint: {hint}")


def _get_message_and_hint(error: BaseException) -> Tuple[str, str]:
    if isinstance(error, errors.SmartxferError):
        return error.summary or type(error).__name__, error.hint
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", ""
    if isinstance(error, Terminated):
        return "terminated", ""
    if isinstance(error, OSError):
        return str(error), ""
    if isinstance(error, MemoryError):
        return "not enough memory", "raise the limit (`ulimit -v`, the job's memory)"
    hint = "a fault of smartxfer; `smartxfer --debug ...` shows where"
    return f"unexpected {type(error).__name__}: {error}", hint


def watch_for_termination() -> None:
    """Have SIGTERM and SIGHUP raise :class:`Terminated`, so that what was begun is put in order.

    A signal that is ignored (``nohup``) stays ignored.  Python drops the exception of a signal, or of Ctrl-C,
    if it is raised in a finalizer: it is raised again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)
    alarm = getattr(signal, "SIGALRM", None)  # Windows has none
    if alarm is not None and signal.getsignal(alarm) is signal.SIG_DFL:
        signal.signal(alarm, _raise_dropped)
        sys.unraisablehook = functools.partial(_raise_later, sys.unraisablehook)


def _terminate(number: int, frame: Optional[FrameType]) -> None:
    raise Terminated


#: Classes of the exceptions of signals that Python dropped.
_dropped: List[Type[BaseException]] = []


def _raise_later(default_hook: Callable[["UnraisableHookArgs"], Any], dropped: "UnraisableHookArgs") -> None:
    """Have the exception of a signal raised again; report other exceptions that Python dropped as usual."""
    if dropped.exc_type in (Terminated, KeyboardInterrupt):
        _dropped.append(dropped.exc_type)
        # What is raised here would be dropped, too.  A timer takes no lock that this thread may hold.
        signal.setitimer(signal.ITIMER_REAL, _RERAISE_DELAY)
    else:
        default_hook(dropped)


def _raise_dropped(number: int, frame: Optional[FrameType]) -> None:
    if _dropped:
        raise _dropped.pop()
