"""Modes of partial files: closed to other users, open to their owner, until they get their final name."""

import contextlib
import os
import stat
from typing import Optional

from smartxfer.descriptors import Descriptor
from smartxfer.directories import Entry, arguments_of

__all__ = ["OWNER", "make_readable", "publish", "withheld", "withhold"]

#: The owner reads and writes.
OWNER = stat.S_IRUSR | stat.S_IWUSR
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def withheld(mode: int) -> int:
    """Return the mode of a partial file that becomes a file of that mode.

    Others cannot write to it.  Its owner can read and write it, whatever the mode: a later run has to.
    """
    return mode & ~_OTHERS_WRITE if mode & OWNER == OWNER else OWNER


def withhold(fd: int) -> int:
    """Keep others from writing to an open file until it is published, and keep it open to its owner.

    :return: the mode that it is published with.
    """
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode != withheld(mode) and hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, withheld(mode))
    return mode


def publish(fd: int, mode: Optional[int]) -> None:
    """Give an open file, which has its final name, the mode that it had before it was withheld.

    :param fd: negative where it had to be closed.
    """
    if fd >= 0 and mode is not None and mode != withheld(mode):
        with contextlib.suppress(OSError, AttributeError):  # Windows has no fchmod before Python 3.13
            os.fchmod(fd, mode)


def make_readable(entry: Entry, there: os.stat_result) -> None:
    """Let the owner read a file; a link that was put in its place is not followed."""
    if not hasattr(os, "O_PATH"):
        return
    name, where = arguments_of(entry)
    with Descriptor(os.open, name, os.O_PATH | _NO_FOLLOW | os.O_CLOEXEC, **where) as opened:
        if os.path.samestat(os.fstat(opened.number), there):
            with contextlib.suppress(OSError):  # without /proc the opening that follows says what is wrong
                os.chmod(f"/proc/self/fd/{opened.number}", stat.S_IMODE(there.st_mode) | stat.S_IRUSR)
