"""Locks on open files, which the system releases when a process ends."""

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import socket
from pathlib import Path
from typing import Any, Optional, Set, Tuple

from smartxfer._system import FileSystem
from smartxfer.directories import Entry
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

__all__ = [
    "HAS_FLOCK",
    "FileLock",
    "get_host_id",
    "hash_to_name",
    "is_locked",
    "lock_file",
    "unlock_file",
    "warn_once",
]

log = logging.getLogger("smartxfer.transfer")

#: True if this system has locks that a file keeps when it is renamed.
HAS_FLOCK = _fcntl is not None
#: Length of a complete ``id``, and the number of attempts to replace a damaged one.
_ID_LENGTH, _ID_ATTEMPTS = 32, 5
_LOCKED_ERRNOS = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK})


class FileLock:
    """Lock file in the state directory, held by one process at a time.

    It protects files in the state directory.  A part file has a lock of its own.

    :param name: name of the lock file, without its suffix.
    :param description: the protected object, for messages.
    :raises AlreadyInProgress: another process holds the lock.
    :raises LocalError: the system lacks a resource, or the disk fails.
    """

    def __init__(self, name: str, description: str) -> None:
        self._descriptor: Optional[FileDescriptor] = None
        #: True if other users can change the lock file: the protected files must not be trusted either.
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
                log.warning("cannot lock %s: %s", description, error)
            else:
                warn_once(_state_directory_path(), "cannot lock %s: %s", description, error)

    @property
    def held(self) -> bool:
        """True while the lock is held; False also if locks are not supported."""
        return self._descriptor is not None

    @classmethod
    def for_path(cls, path: Path) -> "FileLock":
        """Return the lock of a file that will be written."""
        return cls(hash_to_name(os.path.join(os.path.realpath(str(path.parent)), path.name)), str(path))

    def release(self) -> None:
        """Release the lock."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None:
            with opened, contextlib.suppress(OSError):  # closing the file also releases the lock
                unlock_file(opened.number)


def _open_locked(name: str, description: str) -> FileDescriptor:
    """Open and lock a file of the state directory; its contents are not changed.

    :raises AlreadyInProgress: another process has locked it.
    :raises NotPrivate: other users can change it.
    :raises OSError: it cannot be opened, or the file system has no locks.
    """
    while True:
        with PrivateDirectory.in_state_directory("locks", make=True) as directory:
            opened = directory.open(name, os.O_RDWR | os.O_CREAT)
            fd = opened.number
            try:
                if not (lock_file(fd) if HAS_FLOCK else _lock_first_byte(fd)):
                    raise AlreadyInProgress(f"{description} is being transferred by another process")
                with contextlib.suppress(OSError):  # the file system does not store times
                    directory.touch(name, fd)  # the file must not expire as unused
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), directory.stat(name)):
                        return opened
            except BaseException:
                opened.close()
                raise
            opened.close()  # another process removed it as expired


#: Directories and texts of the warnings that were logged.
_warned: Set[Tuple[str, str]] = set()


def warn_once(directory: str, text: str, *details: Any) -> None:
    """Log a warning once per directory and process; log it at DEBUG for further files.

    :param directory: the directory that is the cause.
    """
    known = (directory, text) in _warned
    _warned.add((directory, text))
    log.log(logging.DEBUG if known else logging.WARNING, text, *details)


def _state_directory_path() -> str:
    try:
        return str(state_directory())
    except OSError:
        return ""  # the state directory is unknown


def lock_file(fd: int) -> bool:
    """Lock an open file without waiting; return False if another process or thread has locked it.

    :raises OSError: the file system does not support locks.
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


def is_locked(entry: Entry, files: FileSystem) -> bool:
    """Return True if another process has locked a file; False also if it cannot be opened for reading.

    :raises OSError: the system lacks a resource, such as file descriptors.
    """
    try:
        opened = files.open(entry, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if is_resource_error(error):
            raise
        return False
    try:
        return not lock_file(opened.number)
    except OSError:
        return False
    finally:
        opened.close()


def unlock_file(fd: int) -> None:
    """Unlock an open file, also in child processes that inherited it."""
    system: Any = _fcntl
    if system is not None:
        system.flock(fd, system.LOCK_UN)
    elif _msvcrt is not None:
        windows: Any = _msvcrt
        os.lseek(fd, 0, os.SEEK_SET)
        windows.locking(fd, windows.LK_UNLCK, 1)


def _lock_first_byte(fd: int) -> bool:
    """Lock the first byte of an open file, as Windows supports it.

    :raises OSError: this system does not support such locks.
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
    """Return a file name derived from the hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def get_host_id(directory: Path) -> str:
    """Return an id that is unique for this host and state directory.

    It is created once and stored in the directory.

    :raises OSError: it can neither be read nor created.
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
                host_id = private.read("id")
                if len(host_id) == _ID_LENGTH:
                    break
            private.remove("id")  # incomplete, because a process was killed while writing it
        else:
            raise OSError(errno.EINVAL, f"cannot create {directory / 'id'}")
    return hashlib.sha256(f"{host_id} {socket.gethostname()}".encode()).hexdigest()[:12]
