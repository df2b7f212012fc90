"""Failures of local files, as our exceptions."""

import errno
from typing import Any

from smartxfer.errors import DiskFull, LocalError, LocalNotFound, LocalPermissionError
from smartxfer.os_text import explain_path_too_long

__all__ = ["is_resource_error", "wrap_os_error"]

_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})

#: What says nothing about the file itself: the system is short of something, or the disk fails.
_RESOURCE_HINTS = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), or pass a smaller max_workers=",
    errno.ENFILE: "close other programs: this system has too many open files",
    errno.ENOMEM: "close other programs: this system is short of memory",
    errno.EIO: "check the disk, or the connection to the file server; then run again",
}

_KINDS = ((FileNotFoundError, LocalNotFound), (PermissionError, LocalPermissionError))


def is_resource_error(error: OSError) -> bool:
    """Return True if an error says nothing about the file that was to be opened or read."""
    return error.errno in _RESOURCE_HINTS


def wrap_os_error(error: OSError, subject: Any, action: str = "write") -> LocalError:
    """Our exception for a failure at a local file; one that is ours already stays.

    :param subject: path of the file, or what it is in words.
    :param action: what failed, where that was no write.
    """
    if isinstance(error, LocalError):
        return error
    reason = str(error.strerror or error)
    if error.errno == errno.ENAMETOOLONG:
        reason = explain_path_too_long(str(error.filename or subject))
    if error.errno == errno.EEXIST and error.filename is not None:  # from mkdir
        reason = f"{error.filename} exists and is not a directory"
    hint = _RESOURCE_HINTS.get(error.errno or 0)
    if error.errno == errno.EEXIST:
        hint = "choose another directory, or remove or rename the file that has its name"
    if error.errno == errno.EBUSY:
        hint = "mount its directory in place of the file, or pass an open file: open(path, 'wb')"
    kind = DiskFull if error.errno in _DISK_FULL_ERRNOS else next(
        (ours for theirs, ours in _KINDS if isinstance(error, theirs)), LocalError
    )
    return kind(f"cannot {action} {subject}: {reason}", hint=hint, errno=error.errno)
