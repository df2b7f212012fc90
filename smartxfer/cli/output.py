"""What the command prints to standard output, in any locale."""

import os

import click

__all__ = ["print_path"]


def print_path(path: "os.PathLike[str]") -> None:
    """Print the path of a file as its bytes, so that a pipe gets what the file is called."""
    if os.name == "posix":
        click.echo(os.fsencode(path))
    else:
        click.echo(os.fspath(path))

