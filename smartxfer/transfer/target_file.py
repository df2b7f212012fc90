"""Check of a file that will be replaced."""

import os
import stat
from pathlib import Path
from typing import Optional

from smartxfer.directories import Entry, lstat
from smartxfer.errors import LocalError
from smartxfer.transfer.disk import reject_mount_point
from smartxfer.transfer.own_files import is_own_file

__all__ = ["check_target_file"]


def check_target_file(target: Entry, path: Path, *, follow: bool = True) -> Optional[os.stat_result]:
    """Return the stat result of the file that will be replaced; None for a free name or a symbolic link.

    :param path: of the target as the caller passed it, for messages.
    :param follow: False replaces a symbolic link itself.
    :raises LocalError: the target is not a regular file, or cannot be replaced.
    """
    try:
        stat_result = lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(stat_result.st_mode) and not follow:
        return None
    if not stat.S_ISREG(stat_result.st_mode):
        raise LocalError(f"{path} is not a regular file", hint="pass an open file: open(path, 'wb')")
    if is_own_file(target.path):
        raise LocalError(
            f"{path} belongs to an unfinished download",
            hint="complete that download first, or choose another name or directory",
        )
    reject_mount_point(target.path)
    return stat_result
