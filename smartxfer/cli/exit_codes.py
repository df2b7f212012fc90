"""Exit codes of the command.

==== ==========================================================================================
0    success
1    another error than those below
2    invalid usage, or a required package is missing
3    the object does not exist on the server
4    credentials are missing, invalid or not sufficient
5    temporary network or server error: try again later
6    the content of a file is wrong
7    some of several files failed
8    an error of a local file, directory or disk
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

#: Exit code if a comparison found a difference.
EXIT_DIFFERENT = 6
#: Seconds until a discarded exception of a signal handler is raised again.
_RERAISE_DELAY = 0.05


class Terminated(BaseException):
    """SIGTERM or SIGHUP was received."""


#: Exception classes and their exit codes; the first that matches is used.
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
    # These are not temporary, unlike the other subclasses of NetworkError.
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
    """Return the exit code for ``error``."""
    for error_class, code in EXIT_CODES:
        if isinstance(error, error_class):
            return code
    return 1


def print_error(error: BaseException) -> None:
    """Print ``error`` on standard error: one line with the message, and one with the hint if there is one.

    With ``--debug`` the traceback is printed first.
    """
    if click.get_current_context().find_root().params.get("debug"):
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print_stderr(text, max_length=100_000, allowed="\n")
    message, hint = _get_message_and_hint(error)
    print_stderr(f"smartxfer: {message}")
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
        return "not enough memory", "raise the memory limit (`ulimit -v`, or that of the batch job)"
    hint = "this is a bug in smartxfer; run `smartxfer --debug ...` to print the traceback"
    return f"unexpected {type(error).__name__}: {error}", hint


def watch_for_termination() -> None:
    """Install signal handlers that raise :class:`Terminated` on SIGTERM and SIGHUP, to clean up before exit.

    A signal that is ignored (``nohup``) remains ignored.  Python discards the exception of a signal handler,
    also that of Ctrl-C, if it is raised in a finalizer: it is raised again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)
    alarm = getattr(signal, "SIGALRM", None)  # missing on Windows
    if alarm is not None and signal.getsignal(alarm) is signal.SIG_DFL:
        signal.signal(alarm, _raise_dropped)
        sys.unraisablehook = functools.partial(_raise_later, sys.unraisablehook)


def _terminate(number: int, frame: Optional[FrameType]) -> None:
    raise Terminated


#: Classes of discarded exceptions of signal handlers.
_dropped: List[Type[BaseException]] = []


def _raise_later(default_hook: Callable[["UnraisableHookArgs"], Any], dropped: "UnraisableHookArgs") -> None:
    """Raise the discarded exception of a signal handler again, later; report other exceptions as usual."""
    if dropped.exc_type in (Terminated, KeyboardInterrupt):
        _dropped.append(dropped.exc_type)
        # An exception raised here would be discarded, too.  A timer does not need a lock that this thread
        # may hold.
        signal.setitimer(signal.ITIMER_REAL, _RERAISE_DELAY)
    else:
        default_hook(dropped)


def _raise_dropped(number: int, frame: Optional[FrameType]) -> None:
    if _dropped:
        raise _dropped.pop()
