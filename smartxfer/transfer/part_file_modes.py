"""Modes of partial files: closed to other users, open to their owner, until they get their final name."""

import contextlib
import os
import stat
from typing import Optional

from smartxfer.directories import Entry, get_os_arguments
from smartxfer.file_descriptors import FileDescriptor

__all__ = ["OWNER_READ_WRITE", "make_readable", "restore_mode", "restrict_file", "restrict_mode"]

#: The owner reads and writes.
OWNER_READ_WRITE = stat.S_IRUSR | stat.S_IWUSR
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def restrict_mode(mode: int) -> int:
    """Return the mode of a partial file that becomes a file of that mode.

    Others cannot write to it.  Its owner can read and write it, whatever the mode: a later run has to.
    """
    return mode & ~_OTHERS_WRITE if mode & OWNER_READ_WRITE == OWNER_READ_WRITE else OWNER_READ_WRITE


def restrict_file(fd: int) -> int:
    """Keep others from writing to an open file until it is published, and keep it open to its owner.

    :return: the mode that it is published with.
    """
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode != restrict_mode(mode) and hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, restrict_mode(mode))
    return mode


def restore_mode(fd: int, mode: Optional[int]) -> None:
    """Give an open file, which has its final name, the mode that it had before it was withheld.

    :param fd: negative where it had to be closed.
    """
    if fd >= 0 and mode is not None and mode != restrict_mode(mode):
        with contextlib.suppress(OSError, AttributeError):  # Windows has no fchmod before Python 3.13
            os.fchmod(fd, mode)


def make_readable(entry: Entry, expected_stat: os.stat_result) -> None:
    """Let the owner read a file; a link that was put in its place is not followed."""
    if not hasattr(os, "O_PATH"):
        return
    name, where = get_os_arguments(entry)
    with FileDescriptor(os.open, name, os.O_PATH | _NO_FOLLOW | os.O_CLOEXEC, **where) as opened:
        if os.path.samestat(os.fstat(opened.number), expected_stat):
            with contextlib.suppress(OSError):  # without /proc the opening that follows says what is wrong
                os.chmod(f"/proc/self/fd/{opened.number}", stat.S_IMODE(expected_stat.st_mode) | stat.S_IRUSR)
