"""Entry point of the ``smartxfer`` command; click is imported only when the command runs."""

import sys
from typing import Optional, Sequence

__all__ = ["main"]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code, see :mod:`smartxfer.cli.exit_codes`.

    :param arguments: command-line arguments without the command's name; None for those of the process.
    """
    try:
        return _start(arguments)
    except KeyboardInterrupt:
        return 130  # interrupted during the imports; later interrupts are reported by the command


def _start(arguments: Optional[Sequence[str]]) -> int:
    try:
        import click  # noqa: F401 - check that it is installed
    except ImportError:
        if sys.stderr is not None:
            sys.stderr.write('the smartxfer command needs click: pip install "smartxfer[cli]"\n')
        return 2
    from smartxfer.cli.app import run
    from smartxfer.cli.output import ensure_streams

    ensure_streams()
    return run(arguments)
