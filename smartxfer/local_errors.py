"""Conversion of OSError to LocalError."""

import errno
from typing import Any

from smartxfer.errors import DiskFull, LocalError, LocalNotFound, LocalPermissionError
from smartxfer.os_text import explain_path_too_long

__all__ = ["is_resource_error", "wrap_os_error"]

_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})

#: Errors that are unrelated to the file itself: the system lacks a resource, or the disk fails.
_RESOURCE_HINTS = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), or pass a smaller max_workers=",
    errno.ENFILE: "close other programs: this system has too many open files",
    errno.ENOMEM: "close other programs: this system is short of memory",
    errno.EIO: "check the disk, or the connection to the file server; then run again",
}

_KINDS = ((FileNotFoundError, LocalNotFound), (PermissionError, LocalPermissionError))


def is_resource_error(error: OSError) -> bool:
    """Return True if an error is unrelated to the file itself, such as a lack of file descriptors."""
    return error.errno in _RESOURCE_HINTS


def wrap_os_error(error: OSError, subject: Any, action: str = "write") -> LocalError:
    """Return the LocalError for an error of a local file; a LocalError is returned unchanged.

    :param subject: path or description of the file.
    :param action: the operation that failed.
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
    kind = (
        DiskFull
        if error.errno in _DISK_FULL_ERRNOS
        else next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), LocalError)
    )
    return kind(f"cannot {action} {subject}: {reason}", hint=hint, errno=error.errno)
