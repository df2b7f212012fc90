"""Temporary files with a name, beside the file whose place they take.

Each is locked as long as its process works on it, so that a later run can tell, and remove, what a killed
process left.  Files that need no name are made by :meth:`Directory.create_anonymous_file`, which leaves
nothing.
"""

import contextlib
import logging
import os
import re
import secrets
import stat
from typing import Tuple, Union, overload

from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.directories import Directory, Entry, get_os_arguments, lstat
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.transfer import file_locks

__all__ = ["is_temporary_name", "make_temporary_file", "remove_stale_temporary_files"]

log = logging.getLogger("smartxfer.transfer")

_TEMPORARY_FILE_NAME = re.compile(r"\.smartxfer-[0-9a-f]{16}(:\?)?\.part")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def is_temporary_name(name: str) -> bool:
    """Return True for the name of such a file."""
    return _TEMPORARY_FILE_NAME.fullmatch(name) is not None


@overload
def make_temporary_file(
    directory: Directory, mode: int, name_suffix: str = ""
) -> Tuple[Entry, FileDescriptor]: ...
@overload
def make_temporary_file(directory: str, mode: int, name_suffix: str = "") -> Tuple[str, FileDescriptor]: ...
def make_temporary_file(
    directory: Union[str, Directory], mode: int, name_suffix: str = ""
) -> Tuple[Union[str, Entry], FileDescriptor]:
    """Make a temporary file and lock it; those that dead processes left in the directory are removed.

    :param name_suffix: ``":?"`` puts these characters into its name.
    :return: its path (in an open directory its entry), and its descriptor; it is locked until that is closed.
    :raises OSError: it cannot be made.
    """
    remove_stale_temporary_files(directory)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    while True:
        place = _get_path(directory, f".smartxfer-{secrets.token_hex(8)}{name_suffix}.part")
        opened = SYSTEM_FILESYSTEM.open(place, flags, mode)
        with contextlib.suppress(OSError):  # without locks no process takes it for one that was left
            file_locks.lock_file(opened.number)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(opened.number), lstat(place)):
                return place, opened
        opened.close()  # another process took it for one that was left, before it was locked


def remove_stale_temporary_files(directory: Union[str, Directory]) -> None:
    """Remove the temporary files of this user that no living process has locked."""
    try:
        there = directory.list_names() if isinstance(directory, Directory) else os.listdir(directory or ".")
    except OSError:
        return
    for name in filter(is_temporary_name, there):
        place = _get_path(directory, name)
        try:
            if _remove_if_stale(place):
                log.info("%s is removed: a process that was killed left it", place)
        except OSError as error:
            log.debug("cannot remove %s: %s", place, error)


def _get_path(directory: Union[str, Directory], name: str) -> Union[str, Entry]:
    return directory.entry(name) if isinstance(directory, Directory) else os.path.join(directory, name)


def _remove_if_stale(place: Union[str, Entry]) -> bool:
    """Remove a temporary file if it is of this user and unlocked; return True if it was.

    :raises OSError: that cannot be told.
    """
    found = lstat(place)
    own = getattr(os, "geteuid", lambda: found.st_uid)()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != own:
        return False
    name, where = get_os_arguments(place)
    if not file_locks.HAS_FLOCK:
        if os.name != "nt":
            return False  # a process may be at work on it
        os.unlink(name, **where)  # Windows removes no file that a process has open
        return True
    with SYSTEM_FILESYSTEM.open(place, os.O_RDONLY | _NO_FOLLOW) as opened:
        fd = opened.number
        if not os.path.samestat(os.fstat(fd), found) or not file_locks.lock_file(fd):
            return False
        os.unlink(name, **where)
        return True
