"""Logging handler that prints warnings of the package on standard error, above a progress bar."""

import contextlib
import logging
import sys

from smartxfer.cli.output import print_stderr, sanitize_text

__all__ = ["show_warnings"]


class _TqdmHandler(logging.Handler):
    """Handler that writes records as lines above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; ignore errors of a closed standard error."""
        line = f"{record.levelname.lower()}: {self.format(record)}"
        if "tqdm" not in sys.modules:
            print_stderr(line, allowed="\n")
        elif sys.stderr is not None:  # with file=None tqdm would write to standard output
            from tqdm import tqdm

            with contextlib.suppress(OSError, ValueError):
                tqdm.write(sanitize_text(line, allowed="\n"), file=sys.stderr)
                sys.stderr.flush()


def show_warnings() -> None:
    """Print warnings of the package, such as retries and skipped files."""
    logger = logging.getLogger("smartxfer")
    if not any(isinstance(handler, _TqdmHandler) for handler in logger.handlers):
        handler = _TqdmHandler(logging.WARNING)
        logger.addHandler(handler)
