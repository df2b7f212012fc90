"""Temporary files with a name, beside the file whose place they take.

Each is locked as long as its process works on it, so that a later run can tell, and remove, what a killed
process left.  Files that need no name are made by :meth:`Directory.nameless`, which leaves nothing.
"""

import contextlib
import logging
import os
import re
import secrets
import stat
from typing import Tuple, Union, overload

from smartxfer.descriptors import Descriptor
from smartxfer.directories import Directory, Entry, arguments_of, lstat
from smartxfer.seams import SYSTEM_FILES
from smartxfer.transfer import locking

__all__ = ["clear_temporaries", "is_temporary", "make_temporary"]

log = logging.getLogger("smartxfer.transfer")

_NAME = re.compile(r"\.smartxfer-[0-9a-f]{16}(:\?)?\.part")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def is_temporary(name: str) -> bool:
    """Return True for the name of such a file."""
    return _NAME.fullmatch(name) is not None


@overload
def make_temporary(directory: Directory, mode: int, mark: str = "") -> Tuple[Entry, Descriptor]: ...
@overload
def make_temporary(directory: str, mode: int, mark: str = "") -> Tuple[str, Descriptor]: ...
def make_temporary(
    directory: Union[str, Directory], mode: int, mark: str = ""
) -> Tuple[Union[str, Entry], Descriptor]:
    """Make a temporary file and lock it; those that dead processes left in the directory are removed.

    :param mark: ``":?"`` puts these characters into its name.
    :return: its path (in an open directory its entry), and its descriptor; it is locked until that is closed.
    :raises OSError: it cannot be made.
    """
    clear_temporaries(directory)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    while True:
        place = _at(directory, f".smartxfer-{secrets.token_hex(8)}{mark}.part")
        opened = SYSTEM_FILES.open(place, flags, mode)
        with contextlib.suppress(OSError):  # without locks no process takes it for one that was left
            locking.lock_file(opened.number)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(opened.number), lstat(place)):
                return place, opened
        opened.close()  # another process took it for one that was left, before it was locked


def clear_temporaries(directory: Union[str, Directory]) -> None:
    """Remove the temporary files of this user that no living process has locked."""
    try:
        there = directory.names() if isinstance(directory, Directory) else os.listdir(directory or ".")
    except OSError:
        return
    for name in filter(is_temporary, there):
        place = _at(directory, name)
        try:
            if _is_left(place):
                log.info("%s is removed: a process that was killed left it", place)
        except OSError as error:
            log.debug("cannot remove %s: %s", place, error)


def _at(directory: Union[str, Directory], name: str) -> Union[str, Entry]:
    return directory.at(name) if isinstance(directory, Directory) else os.path.join(directory, name)


def _is_left(place: Union[str, Entry]) -> bool:
    """Remove a temporary file if it is of this user and unlocked; return True if it was.

    :raises OSError: that cannot be told.
    """
    found = lstat(place)
    own = getattr(os, "geteuid", lambda: found.st_uid)()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != own:
        return False
    name, where = arguments_of(place)
    if not locking.AVAILABLE:
        if os.name != "nt":
            return False  # a process may be at work on it
        os.unlink(name, **where)  # Windows removes no file that a process has open
        return True
    with SYSTEM_FILES.open(place, os.O_RDONLY | _NO_FOLLOW) as opened:
        fd = opened.number
        if not os.path.samestat(os.fstat(fd), found) or not locking.lock_file(fd):
            return False
        os.unlink(name, **where)
        return True
