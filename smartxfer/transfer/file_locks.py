"""Locks on open files: one process at a time, released by the system when a process dies."""

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import socket
from pathlib import Path
from typing import Any, Optional, Set, Tuple

from smartxfer.errors import AlreadyInProgress
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.local_errors import is_resource_error, wrap_os_error
from smartxfer.transfer.private_files import NotPrivate, PrivateDirectory, state_directory

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]
try:
    import msvcrt as _msvcrt
except ImportError:
    _msvcrt = None  # type: ignore[assignment]

__all__ = ["HAS_FLOCK", "FileLock", "get_host_id", "hash_to_name", "lock_file", "unlock_file", "warn_once"]

log = logging.getLogger("smartxfer.transfer")

#: Whether this system has locks that a file keeps when it is renamed.
HAS_FLOCK = _fcntl is not None
#: Characters of a complete ``id``, and how often one that is damaged is made again.
_ID_LENGTH, _ID_ATTEMPTS = 32, 5
_LOCKED_ERRNOS = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK})


class FileLock:
    """One process at a time, by a lock file in the state directory.

    It guards what lies in the state directory.  A partial file has a lock of its own.

    :param name: of the file, without its suffix.
    :param description: what is guarded, for messages.
    :raises AlreadyInProgress: another process has it.
    :raises LocalError: the system is short of something, or the disk fails.
    """

    def __init__(self, name: str, description: str) -> None:
        self._descriptor: Optional[FileDescriptor] = None
        #: True where the lock file is not of this user alone: what it guards is not to be trusted either.
        self.untrusted = False
        try:
            self._descriptor = _open_locked(f"{name}.lock", description)
        except AlreadyInProgress:
            raise
        except OSError as error:
            if is_resource_error(error):
                raise wrap_os_error(error, f"the lock of {description}", "open") from None
            self.untrusted = isinstance(error, NotPrivate)
            if self.untrusted:
                log.warning("no lock for %s: %s", description, error)
            else:
                warn_once(_state_directory_path(), "no lock for %s: %s", description, error)

    @property
    def held(self) -> bool:
        """True while the lock is held; False also where locks do not work."""
        return self._descriptor is not None

    @classmethod
    def for_path(cls, path: Path) -> "FileLock":
        """The lock of a file that is to be written."""
        return cls(hash_to_name(os.path.join(os.path.realpath(str(path.parent)), path.name)), str(path))

    def release(self) -> None:
        """Let others at it."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None:
            with opened, contextlib.suppress(OSError):  # closing it unlocks it too
                unlock_file(opened.number)


def _open_locked(name: str, description: str) -> FileDescriptor:
    """Open and lock a file of the state directory; its contents are left as they are.

    :raises AlreadyInProgress: another process has it.
    :raises NotPrivate: it is not of this user alone.
    :raises OSError: it cannot be opened, or the file system has no locks.
    """
    while True:
        with PrivateDirectory.in_state_directory("locks", make=True) as directory:
            opened = directory.open(name, os.O_RDWR | os.O_CREAT)
            fd = opened.number
            try:
                if not (lock_file(fd) if HAS_FLOCK else _lock_first_byte(fd)):
                    raise AlreadyInProgress(f"{description} is being transferred by another process")
                with contextlib.suppress(OSError):  # a file system without times
                    directory.touch(name, fd)  # so that it is not removed as an unused one
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), directory.stat(name)):
                        return opened
            except BaseException:
                opened.close()
                raise
            opened.close()  # it was removed as expired meanwhile


#: Where locks were missing, and what of that was said.
_warned: Set[Tuple[str, str]] = set()


def warn_once(place: str, text: str, *details: Any) -> None:
    """Warn of missing locks once per place and process; of the next files only the debug log is told.

    :param place: the directory, or what else all of its files have in common.
    """
    known = (place, text) in _warned
    _warned.add((place, text))
    log.log(logging.DEBUG if known else logging.WARNING, text, *details)


def _state_directory_path() -> str:
    try:
        return str(state_directory())
    except OSError:
        return ""  # there is none


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
        if error.errno in _LOCKED_ERRNOS:
            return False
        raise
    return True


def unlock_file(fd: int) -> None:
    """Unlock an open file, in child processes that inherited it too."""
    system: Any = _fcntl
    if system is not None:
        system.flock(fd, system.LOCK_UN)
    elif _msvcrt is not None:
        windows: Any = _msvcrt
        os.lseek(fd, 0, os.SEEK_SET)
        windows.locking(fd, windows.LK_UNLCK, 1)


def _lock_first_byte(fd: int) -> bool:
    """Lock an open file as Windows does it: no other handle reads or writes its first byte.

    :raises OSError: this system has no such locks either.
    """
    system: Any = _msvcrt
    if system is None:
        raise OSError(errno.ENOSYS, "this system has no file locks")
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        system.locking(fd, system.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in _LOCKED_ERRNOS:
            return False
        raise
    return True


def hash_to_name(text: str) -> str:
    """Return a name for a file that stands for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def get_host_id(directory: Path) -> str:
    """Return a word that tells this host and state directory from all others.

    It is made once and kept in the directory.

    :raises OSError: it can neither be read nor written.
    """
    with PrivateDirectory(directory, make=True) as private:
        for _ in range(_ID_ATTEMPTS):
            try:
                opened = private.open("id", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                pass
            else:
                with opened, opened.to_text_file("w", "ascii") as file:
                    file.write(secrets.token_hex(16))
            with contextlib.suppress(FileNotFoundError, ValueError):
                found = private.read("id")
                if len(found) == _ID_LENGTH:
                    break
            private.remove("id")  # a killed process left it unfinished
        else:
            raise OSError(errno.EINVAL, f"{directory / 'id'} cannot be made")
    return hashlib.sha256(f"{found} {socket.gethostname()}".encode()).hexdigest()[:12]
