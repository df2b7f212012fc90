"""Modes of part files: not writable for other users, and accessible to their owner."""

import contextlib
import os
import stat
from typing import Optional

from smartxfer.directories import Entry, get_os_arguments
from smartxfer.file_descriptors import FileDescriptor

__all__ = ["OWNER_READ_WRITE", "make_readable", "restore_mode", "restrict_file", "restrict_mode"]

#: Read and write permission of the owner.
OWNER_READ_WRITE = stat.S_IRUSR | stat.S_IWUSR
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def restrict_mode(mode: int) -> int:
    """Return the mode of a part file whose final mode is ``mode``.

    Other users cannot write to it.  The owner can always read and write it, because a later run must.
    """
    return mode & ~_OTHERS_WRITE if mode & OWNER_READ_WRITE == OWNER_READ_WRITE else OWNER_READ_WRITE


def restrict_file(fd: int) -> int:
    """Give an open part file its restricted mode.

    :return: the final mode of the file.
    """
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode != restrict_mode(mode) and hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, restrict_mode(mode))
    return mode


def restore_mode(fd: int, mode: Optional[int]) -> None:
    """Give an open file its final mode.

    :param fd: negative if the file had to be closed.
    """
    if fd >= 0 and mode is not None and mode != restrict_mode(mode):
        with contextlib.suppress(OSError, AttributeError):  # Windows has no fchmod before Python 3.13
            os.fchmod(fd, mode)


def make_readable(entry: Entry, expected_stat: os.stat_result) -> None:
    """Give the owner read permission for a file, without following a link that replaced it."""
    if not hasattr(os, "O_PATH"):
        return
    name, where = get_os_arguments(entry)
    with FileDescriptor(os.open, name, os.O_PATH | _NO_FOLLOW | os.O_CLOEXEC, **where) as opened:
        if os.path.samestat(os.fstat(opened.number), expected_stat):
            with contextlib.suppress(OSError):  # without /proc the next open() raises the error
                os.chmod(f"/proc/self/fd/{opened.number}", stat.S_IMODE(expected_stat.st_mode) | stat.S_IRUSR)
