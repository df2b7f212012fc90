"""What the command prints, in any locale: exact for a pipe, made safe for a terminal."""

import os
import sys

import click

from smartxfer.screen_text import visible
from smartxfer.system_text import unicode_text
from smartxfer.transport.redact import clean

__all__ = ["print_path", "say", "shown"]


def print_path(path: "os.PathLike[str]") -> None:
    """Print the path of a file: as its bytes, so that a pipe gets what the file is called.

    On a terminal control characters in it are written out.
    """
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo(visible(unicode_text(os.fspath(path))).encode("utf-8"))
    elif os.name == "posix":
        click.echo(os.fsencode(path))
    else:
        click.echo(os.fspath(path))


def shown(text: str) -> str:
    """Return text for a person, in which a server or a file name may have had a say."""
    return visible(clean(text))


def say(line: str) -> None:
    """Print one line on standard error."""
    click.echo(shown(line), err=True)
