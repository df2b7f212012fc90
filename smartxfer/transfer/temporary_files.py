"""Named temporary files, next to the files that they will replace.

Each is locked while its process uses it.  A later run removes unlocked ones, which killed processes left.
Files without a name, which leave nothing behind, are created by
:meth:`~smartxfer.directories.Directory.create_anonymous_file`.
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
    """Return True for the name of a temporary file of this package."""
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
    """Create and lock a temporary file, after removing those of killed processes from the directory.

    :param name_suffix: characters to add to the name, such as ``":?"`` to test whether they are allowed.
    :return: its path (its entry in an open directory) and its descriptor, which holds the lock.
    :raises OSError: it cannot be created.
    """
    remove_stale_temporary_files(directory)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    while True:
        path = _get_path(directory, f".smartxfer-{secrets.token_hex(8)}{name_suffix}.part")
        opened = SYSTEM_FILESYSTEM.open(path, flags, mode)
        with contextlib.suppress(OSError):  # without locks no process removes it as a stale file
            file_locks.lock_file(opened.number)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(opened.number), lstat(path)):
                return path, opened
        opened.close()  # another process removed it as a stale file before it was locked


def remove_stale_temporary_files(directory: Union[str, Directory]) -> None:
    """Remove the temporary files of this user that no process has locked."""
    try:
        names = directory.list_names() if isinstance(directory, Directory) else os.listdir(directory or ".")
    except OSError:
        return
    for name in filter(is_temporary_name, names):
        path = _get_path(directory, name)
        try:
            if _remove_if_stale(path):
                log.info("removed %s, the temporary file of a killed process", path)
        except OSError as error:
            log.debug("cannot remove %s: %s", path, error)


def _get_path(directory: Union[str, Directory], name: str) -> Union[str, Entry]:
    return directory.entry(name) if isinstance(directory, Directory) else os.path.join(directory, name)


def _remove_if_stale(path: Union[str, Entry]) -> bool:
    """Remove a temporary file if it belongs to this user and is not locked; return True if it was removed.

    :raises OSError: the file cannot be opened or removed.
    """
    stat_result = lstat(path)
    own = getattr(os, "geteuid", lambda: stat_result.st_uid)()
    if not stat.S_ISREG(stat_result.st_mode) or stat_result.st_nlink > 1 or stat_result.st_uid != own:
        return False
    name, dir_fd_args = get_os_arguments(path)
    if not file_locks.HAS_FLOCK:
        if os.name != "nt":
            return False  # another process may be using it
        os.unlink(name, **dir_fd_args)  # Windows does not remove an open file
        return True
    with SYSTEM_FILESYSTEM.open(path, os.O_RDONLY | _NO_FOLLOW) as opened:
        fd = opened.number
        if not os.path.samestat(os.fstat(fd), stat_result) or not file_locks.lock_file(fd):
            return False
        os.unlink(name, **dir_fd_args)
        return True
