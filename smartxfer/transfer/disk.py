"""Checks of the local disk: free space and mount points."""

import errno
import os
import re
from pathlib import Path
from typing import Union

from smartxfer.errors import DiskFull
from smartxfer.local_errors import wrap_os_error

__all__ = ["reject_mount_point", "require_free_space"]

#: List of mount points on Linux.
_MOUNTINFO_PATH = "/proc/self/mountinfo"


def require_free_space(path: Union[str, Path], needed: int, free: int) -> None:
    """Check that a disk has space for the missing bytes, before anything is fetched.

    :raises DiskFull: the free space is too small.
    """
    if needed > free:
        raise DiskFull(
            f"{path} needs {needed} more bytes, but its disk has {free} bytes free",
            hint="free some space, or choose a target on another disk; nothing was fetched",
            errno=errno.ENOSPC,
        )


def reject_mount_point(path: Path) -> None:
    """Check that ``path`` is not a mount point, as single files in containers may be.

    Such a file can be written, but not replaced.

    :raises LocalError: it is a mount point; ``errno`` is EBUSY, as for a failed replacement.
    """
    try:
        with open(_MOUNTINFO_PATH, encoding="utf-8", errors="surrogateescape") as file:
            fields = [line.split(" ", 5)[4] for line in file]
    except (OSError, IndexError):
        return  # not Linux: the replacement itself will fail
    if os.path.realpath(str(path)) in {
        _unescape_octal(field) if "\\" in field else field for field in fields
    }:
        raise wrap_os_error(OSError(errno.EBUSY, "it is a mount point and cannot be replaced"), path)


def _unescape_octal(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
