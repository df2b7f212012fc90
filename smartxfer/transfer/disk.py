"""What the operating system says of the local disk, as our exceptions."""

import errno
import os
import re
from pathlib import Path
from typing import Union

from smartxfer.errors import DiskFull, LocalError
from smartxfer.system_text import too_long

__all__ = ["is_resource_error", "local_error", "refuse_mount_point", "refuse_too_large"]

#: Where Linux lists what is mounted where.
_MOUNTS = "/proc/self/mountinfo"

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


#: What says nothing about the file itself: the system is short of something, or the disk fails.
_RESOURCES = {
    errno.EMFILE: "raise the limit of open files (ulimit -n), or pass a smaller max_workers=",
    errno.ENFILE: "close other programs: this system has too many open files",
    errno.ENOMEM: "close other programs: this system is short of memory",
    errno.EIO: "check the disk, or the connection to the file server; then run again",
}


def is_resource_error(error: OSError) -> bool:
    """Return True if an error says nothing about the file that was to be opened or read."""
    return error.errno in _RESOURCES


def local_error(error: OSError, what: Union[str, Path], act: str = "write") -> LocalError:
    """Our exception for a failed write to ``what``; one that is ours already stays.

    :param act: what failed, where that was no write.
    """
    if isinstance(error, LocalError):
        return error
    kind = DiskFull if error.errno in _FULL else LocalError
    reason = str(error.strerror or error)
    if error.errno == errno.ENAMETOOLONG:
        reason = too_long(str(error.filename or what))
    if error.errno == errno.EEXIST and error.filename is not None:  # from mkdir
        reason = f"{error.filename} exists and is not a directory"
    hint = _RESOURCES.get(error.errno or 0)
    if error.errno == errno.EBUSY:
        hint = "mount its directory in place of the file, or pass an open file: open(path, 'wb')"
    return kind(f"cannot {act} {what}: {reason}", hint=hint, errno=error.errno)


def refuse_too_large(path: Union[str, Path], needed: int, free: int) -> None:
    """Check that a disk has room for what is still to be written, before anything is fetched.

    :raises DiskFull: it has not.
    """
    if needed > free:
        raise DiskFull(
            f"{path} needs {needed} bytes more, and its disk has {free} bytes free",
            hint="free some space, or choose a target on another disk; nothing was fetched",
            errno=errno.ENOSPC,
        )


def refuse_mount_point(path: Path) -> None:
    """Check that ``path`` is not mounted by itself, as containers do with single files.

    Such a file can be written, and cannot be replaced.

    :raises LocalError: it is a mount point; ``errno`` is EBUSY, as if the replacement had been tried.
    """
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            points = {_decoded(line.split(" ")[4]) for line in file}
    except (OSError, IndexError):
        return  # not Linux: the replacement itself tells
    if os.path.realpath(str(path)) in points:
        raise local_error(OSError(errno.EBUSY, "it is a mount point and cannot be replaced"), path)


def _decoded(field: str) -> str:
    """A field of the list of mounts, its octal escapes resolved."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
