"""Locks on open files: one process at a time, released by the system when a process dies."""

import errno
import hashlib
import os
import secrets
import socket
from pathlib import Path
from typing import Any

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]

__all__ = ["AVAILABLE", "host_tag", "lock_file", "unlock_file"]

#: Whether this system has locks that a file keeps when it is renamed.
AVAILABLE = _fcntl is not None
_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


def lock_file(fd: int) -> bool:
    """Lock an open file without waiting; False when another process or thread has it.

    :raises OSError: the file system knows no locks.
    """
    system: Any = _fcntl
    if system is None:
        raise OSError(errno.ENOSYS, "this system has no flock")
    try:
        system.flock(fd, system.LOCK_EX | system.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock_file(fd: int) -> None:
    """Unlock an open file, in child processes that inherited it too."""
    system: Any = _fcntl
    if system is not None:
        system.flock(fd, system.LOCK_UN)


def host_tag(directory: Path) -> str:
    """Return a word that tells this host and state directory from all others.

    It is made once and kept in the directory.

    :raises OSError: it can neither be read nor written.
    """
    path = directory / "id"
    try:
        fd = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
    found = path.read_text("ascii", errors="replace")
    if len(found) != 32:
        raise OSError(errno.EINVAL, f"{path} is damaged")
    return hashlib.sha256(f"{found} {socket.gethostname()}".encode()).hexdigest()[:12]
