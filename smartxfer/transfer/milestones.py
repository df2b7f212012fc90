"""INFO lines about files: when each begins, where it is resumed, how it ends."""

import logging
from typing import Optional

from smartxfer.errors import SmartxferError
from smartxfer.transfer.result import FileResult

__all__ = ["log_begun", "log_ended", "log_sync"]

log = logging.getLogger("smartxfer.transfer")


def log_begun(direction: str, name: str, size: Optional[int], resumed: int) -> None:
    """Log that a file begins, or how many bytes of it an earlier run has moved.

    :param direction: ``"upload"`` or ``"download"``.
    :param size: bytes, or None where it is not known.
    """
    shown = "unknown size" if size is None else f"{size} bytes"
    if resumed:
        log.info("%s of %s is resumed: %d of %s are there", direction, name, resumed, shown)
    else:
        log.info("%s of %s begins: %s", direction, name, shown)


def log_ended(direction: str, result: FileResult) -> None:
    """Log how a file ended: its bytes and seconds, or the reason why it failed or was left alone."""
    if not log.isEnabledFor(logging.INFO):
        return
    error = result.error
    if error is not None:
        why = error.summary if isinstance(error, SmartxferError) else type(error).__name__
        log.info("%s of %s failed after %.1f s: %s", direction, result.name, result.seconds, why)
    elif result.skipped is not None:
        log.info("%s of %s is not needed: %s", direction, result.name, result.skipped)
    else:
        verified = f", verified by {result.verified}" if result.verified else ""
        log.info(
            "%s of %s is done: %d bytes in %.1f s%s",
            direction, result.name, result.bytes, result.seconds, verified,
        )  # fmt: skip


def log_sync(what: object, **counts: int) -> None:
    """Log the summary of a synchronisation.

    :param what: the directory or file.
    :param counts: number of files by what became of them; zeros are left out.
    """
    found = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    log.info("sync of %s is done: %s", what, found or "no files")
