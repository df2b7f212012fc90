"""Output functions for any locale: exact bytes for a pipe, no control characters on a terminal."""

import contextlib
import os
import sys
from typing import Any, Set, Union

import click

from smartxfer.os_text import decode_os_text
from smartxfer.terminal_text import escape_unprintable
from smartxfer.transport.redaction import redact

__all__ = ["ensure_streams", "is_output_closed", "print_line", "print_path", "print_stderr", "sanitize_text"]

_STANDARD_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
#: Names of the streams that were closed.
_closed_streams: Set[str] = set()


def ensure_streams() -> None:
    """Open the null device for standard streams that are closed (``2>&-``, daemons, pythonw).

    Otherwise a file opened later would get the file descriptor of the stream, and output would be written
    to that file.
    """
    for number, (name, mode) in enumerate(_STANDARD_STREAMS):
        stream = getattr(sys, name)
        if stream is not None and not getattr(stream, "closed", False):
            continue
        _closed_streams.add(name)
        with contextlib.suppress(OSError):
            fd = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, that of a closed stream
            if fd == number:
                os.set_inheritable(fd, True)
            setattr(sys, name, open(fd, mode, encoding="utf-8", errors="surrogateescape"))  # noqa: SIM115


def is_output_closed() -> bool:
    """Return True if standard output was closed when the command started."""
    return "stdout" in _closed_streams


def print_path(path: "os.PathLike[str]") -> None:
    """Print the path of a file: its exact bytes in a pipe, with escaped control characters on a terminal."""
    if sys.stdout is not None and sys.stdout.isatty():
        print_line(escape_unprintable(decode_os_text(os.fspath(path))).encode("utf-8"))
    elif os.name == "posix":
        print_line(os.fsencode(path))
    else:
        print_line(os.fspath(path))


def print_line(line: Union[str, bytes]) -> None:
    """Print a line of the result; ignore that the reader of a pipe has ended."""
    try:
        click.echo(line)
    except BrokenPipeError:
        _redirect_stdout_to_null()


def sanitize_text(text: str, **options: Any) -> str:
    """Return text without secrets and control characters, which servers or file names may have put in it."""
    return escape_unprintable(redact(text), **options)


def print_stderr(line: str, **options: Any) -> None:
    """Print one line on standard error; ignore errors of a closed standard error."""
    if sys.stderr is None:
        return  # click before 8.1.3 would raise an error
    with contextlib.suppress(OSError, ValueError):
        click.echo(sanitize_text(line, **options), err=True)


def _redirect_stdout_to_null() -> None:
    """Redirect standard output to the null device, because Python writes its buffer at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, sys.stdout.fileno())
        finally:
            os.close(null)
