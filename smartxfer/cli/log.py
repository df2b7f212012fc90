"""Warnings of the package on standard error, above a progress bar and not across it."""

import logging
import sys

import click

from smartxfer.screen_text import visible
from smartxfer.transport.redact import clean

__all__ = ["show_warnings"]


class _AboveTheBar(logging.Handler):
    """Writes records as lines; a bar that is shown moves down."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        line = visible(clean(f"{record.levelname.lower()}: {self.format(record)}"), keep="\n")
        if "tqdm" not in sys.modules:
            click.echo(line, err=True)
            return
        from tqdm import tqdm

        tqdm.write(line, file=sys.stderr)


def show_warnings() -> None:
    """Have warnings (retries and their reasons, files left out) shown."""
    logger = logging.getLogger("smartxfer")
    if not any(isinstance(handler, _AboveTheBar) for handler in logger.handlers):
        handler = _AboveTheBar(logging.WARNING)
        logger.addHandler(handler)
