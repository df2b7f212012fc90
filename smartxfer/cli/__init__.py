"""The ``smartxfer`` command; click is imported when it runs, not before."""

import sys
from typing import Optional, Sequence

__all__ = ["main"]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code, see :mod:`smartxfer.cli.exit_codes`.

    :param arguments: words after the command's name; None takes those of the process.
    """
    try:
        return _start(arguments)
    except KeyboardInterrupt:
        return 130  # while it was starting; afterwards it is reported by the command itself


def _start(arguments: Optional[Sequence[str]]) -> int:
    try:
        import click  # noqa: F401 - only to see whether it is there
    except ImportError:
        if sys.stderr is not None:
            sys.stderr.write('smartxfer needs click for its command: pip install "smartxfer[cli]"\n')
        return 2
    from smartxfer.cli.app import run
    from smartxfer.cli.output import ensure_streams

    ensure_streams()
    return run(arguments)
