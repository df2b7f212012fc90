"""Warnings of the package on standard error, above a progress bar and not across it."""

import contextlib
import logging
import sys

from smartxfer.cli.output import print_stderr, sanitize_text

__all__ = ["show_warnings"]


class _TqdmHandler(logging.Handler):
    """Writes records as lines; a bar that is shown moves down."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a closed standard error is no failure."""
        line = f"{record.levelname.lower()}: {self.format(record)}"
        if "tqdm" not in sys.modules:
            print_stderr(line, allowed="\n")
        elif sys.stderr is not None:  # for None tqdm takes standard output
            from tqdm import tqdm

            with contextlib.suppress(OSError, ValueError):
                tqdm.write(sanitize_text(line, allowed="\n"), file=sys.stderr)
                sys.stderr.flush()


def show_warnings() -> None:
    """Have warnings (retries and their reasons, files left out) shown."""
    logger = logging.getLogger("smartxfer")
    if not any(isinstance(handler, _TqdmHandler) for handler in logger.handlers):
        handler = _TqdmHandler(logging.WARNING)
        logger.addHandler(handler)
