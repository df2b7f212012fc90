"""The temporary directory of a server's data, removed when the server stops or when a later one starts."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from typing import Any

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None

_PREFIX = "smartxfer-local-"
_NAME = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}")
#: A file in it that its server has locked.
_LOCK = ".smartxfer-local-lock"
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class DataDirectory:
    """A temporary directory. Creating one removes the directories of servers that were killed."""

    def __init__(self) -> None:
        _remove_tree(tempfile.gettempdir())
        self._lock_path = tempfile.TemporaryDirectory(prefix=_PREFIX)
        self.path: str = self._lock_path.name
        self._fd = os.open(os.path.join(self.path, _LOCK), os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)
        _holds_current_lock(self._fd)

    def close(self) -> None:
        """Remove it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        self._lock_path.cleanup()


def _holds_current_lock(fd: int) -> bool:
    """Lock a file; return False if another process holds the lock or the system has no locks."""
    if _fcntl is None:
        return False
    try:
        _fcntl.flock(fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_tree(directory: str) -> None:
    with contextlib.suppress(OSError):
        for name in filter(_NAME.fullmatch, os.listdir(directory)):
            with contextlib.suppress(OSError):
                _remove_stale(os.path.join(directory, name))


def _remove_stale(path: str) -> None:
    """Remove the directory of a server that was killed; nothing without its lock file, or of another user.

    :raises OSError: it is something else.
    """
    stat_result = os.lstat(path)
    if (
        not stat.S_ISDIR(stat_result.st_mode)
        or stat_result.st_uid != getattr(os, "geteuid", lambda: stat_result.st_uid)()
    ):
        return
    fd = os.open(os.path.join(path, _LOCK), os.O_RDWR | _SAFE)
    try:
        if _holds_current_lock(fd):
            shutil.rmtree(path, ignore_errors=True)  # follows no links
    finally:
        os.close(fd)
