"""Interfaces to time and the file system.

Both are passed as objects, so that a test can replace them, for example by a clock that never sleeps or a
full disk.
"""

import contextlib
import errno
import os
import random
import shutil
import stat
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Optional, Union

from smartxfer.directories import Entry, PathOrEntry, get_os_arguments, lstat
from smartxfer.errors import LocalError
from smartxfer.file_descriptors import FileDescriptor

__all__ = [
    "MAX_WAIT",
    "SYSTEM_CLOCK",
    "SYSTEM_FILESYSTEM",
    "Clock",
    "FileSystem",
    "open_binary",
    "open_when_lease_released",
    "override_sleep",
]

AnyPath = Union[str, PathOrEntry]

#: Maximum wait in seconds that all platforms accept: sockets count milliseconds in 32 bits.
MAX_WAIT = 2_000_000.0

#: Seconds to wait for a lease to be released: Linux removes it after 45 seconds (lease-break-time).
_LEASE_TIMEOUT = 60.0
_INITIAL_DELAY, _MAX_DELAY = 0.02, 0.5

_ACL_ATTRIBUTE = "system.posix_acl_access"
_NO_ACL_ERRNOS = frozenset({getattr(errno, "ENODATA", errno.ENOENT), errno.EOPNOTSUPP})


class Clock:
    """Wall time, monotonic time, sleep and random numbers."""

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return the seconds of a monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""
        time.sleep(min(seconds, MAX_WAIT))

    def wait_for_event(self, event: threading.Event, seconds: float) -> bool:
        """Wait until ``event`` is set or the time has passed; return True if the event is set."""
        return event.wait(min(seconds, MAX_WAIT))

    def random(self) -> float:
        """Return a random number in [0, 1)."""
        return random.random()


class FileSystem:
    """Operations of the engine on the file system.

    Files are passed as a path, or as an entry of an open directory.
    """

    def open(self, path: AnyPath, flags: int, mode: int = 0o666) -> FileDescriptor:
        """Open like ``os.open``, in binary and not inherited by child processes.

        The call does not block for a pipe without a writer.

        :raises LocalError: another process or host does not release its lease on the file.
        """
        for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"):
            flags |= getattr(os, name, 0)
        name, where = get_os_arguments(path)
        return open_when_lease_released(path, name, flags, mode, **where)

    def __init__(self) -> None:
        self._position_lock = threading.Lock()

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        """Write some of ``data`` at ``offset``, from any thread; return the number of bytes."""
        if hasattr(os, "pwrite"):
            return os.pwrite(fd, data, offset)
        with self._position_lock:  # Windows: one file position for all threads
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, data)

    def replace(self, source: AnyPath, target: AnyPath) -> None:
        """Rename a file and replace the target atomically."""
        old, source_at = get_os_arguments(source, "src_")
        new, target_at = get_os_arguments(target, "dst_")
        os.replace(old, new, **source_at, **target_at)

    def rename_no_replace(self, source: AnyPath, target: AnyPath) -> None:
        """Rename a file without replacing an existing target.

        :raises FileExistsError: the target exists.
        """
        old, source_at = get_os_arguments(source, "src_")
        new, target_at = get_os_arguments(target, "dst_")
        no_follow = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
        try:
            os.link(old, new, **source_at, **target_at, **no_follow)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if _path_exists(target):
                raise FileExistsError(errno.EEXIST, "File exists", str(target)) from None
            self.replace(source, target)
        else:
            old, source_at = get_os_arguments(source)
            os.unlink(old, **source_at)

    def copy_owner_and_mode(self, reference: os.stat_result, fd: int, path: AnyPath) -> None:
        """Give an open file the mode of another file and, if possible, its owner, group and ACL.

        Permissions never become wider: a different group gets the permissions of other users only, and the
        set-id bits are copied only with their owner.

        :param reference: stat result of the other file.
        :param path: of the other file.
        """
        if not hasattr(os, "fchmod"):
            return  # Windows
        now = os.fstat(fd)
        if (now.st_uid, now.st_gid) != (reference.st_uid, reference.st_gid):
            for owner in (reference.st_uid, -1):
                with contextlib.suppress(OSError):  # only root can change the owner
                    os.fchown(fd, owner, reference.st_gid)
                    break
            now = os.fstat(fd)
        mode = stat.S_IMODE(reference.st_mode)
        if now.st_gid != reference.st_gid:
            mode &= ~0o2070 | (mode & 0o007) << 3
        if now.st_uid != reference.st_uid:
            mode &= ~0o4000
        if not _copy_acl(path, fd, keep=now.st_gid == reference.st_gid):
            mode &= ~0o070  # with an ACL these bits are the mask, not the permissions of the group
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, mode)

    def fsync(self, fd: int) -> None:
        """Flush a file to the disk."""
        os.fsync(fd)

    def free_space(self, directory: AnyPath) -> int:
        """Return the number of free bytes in the file system of ``directory``.

        :raises OSError: the file system does not report it.
        """
        usage = shutil.disk_usage(str(directory))
        if not usage.total:  # some network file systems
            raise OSError(errno.ENOSYS, "the file system does not report its size", str(directory))
        return usage.free


def _copy_acl(path: AnyPath, fd: int, *, keep: bool) -> bool:
    """Copy the POSIX ACL of another file to an open file, or remove its ACL if the other file has none.

    :param keep: False always removes the ACL.
    :return: False if that failed, or the ACL was not copied.
    """
    if not hasattr(os, "getxattr"):
        return True  # only Linux has ACLs as extended attributes
    try:
        acl: Optional[bytes] = os.getxattr(_xattr_path(path), _ACL_ATTRIBUTE, follow_symlinks=False)
    except OSError:
        acl = None
    try:
        if acl is not None and keep:
            os.setxattr(fd, _ACL_ATTRIBUTE, acl)
            return True
        os.removexattr(fd, _ACL_ATTRIBUTE)  # inherited from the directory
    except OSError as error:
        return acl is None and error.errno in _NO_ACL_ERRNOS
    return acl is None


def _xattr_path(path: AnyPath) -> str:
    """Return a path for functions without a ``dir_fd`` parameter."""
    name, where = get_os_arguments(path)
    if not where:
        return name
    through = f"/proc/self/fd/{where['dir_fd']}"
    if os.path.isdir(through):
        return f"{through}/{name}"
    if isinstance(path, Entry):
        path.directory.verify_not_moved()
    return str(path)


def _path_exists(path: AnyPath) -> bool:
    try:
        lstat(Path(path) if isinstance(path, str) else path)
    except OSError:
        return False
    return True


SYSTEM_CLOCK = Clock()
SYSTEM_FILESYSTEM = FileSystem()


_local = threading.local()


@contextlib.contextmanager
def override_sleep(sleep: Callable[[float], Any], monotonic: Callable[[], float]) -> Iterator[None]:
    """Replace the sleep of :func:`open_when_lease_released` in the calling thread while the block lasts.

    :param sleep: sleeps for some seconds; raises if the call is ending.
    :param monotonic: monotonic time.
    """
    before = getattr(_local, "clock", None)
    _local.clock = (sleep, monotonic)
    try:
        yield
    finally:
        _local.clock = before


def open_when_lease_released(path: AnyPath, *arguments: Any, **keywords: Any) -> FileDescriptor:
    """Open a file; wait a bounded time for a lease on it to be released.

    NFS servers, Samba servers and programs hold leases.  An attempt to open the file makes the system ask the
    holder to release its lease; with ``O_NONBLOCK`` the system does not wait for that.

    :param path: of the file, for messages.
    :param arguments: of ``os.open``; the flags contain ``O_NONBLOCK``.
    :raises LocalError: the lease was not released in time.
    """
    sleep, monotonic = getattr(_local, "clock", None) or (SYSTEM_CLOCK.sleep, SYSTEM_CLOCK.monotonic)
    ends_at, wait = monotonic() + _LEASE_TIMEOUT, _INITIAL_DELAY
    while True:
        try:
            return FileDescriptor(os.open, *arguments, **keywords)
        except BlockingIOError as error:
            left = ends_at - monotonic()
            if left <= 0:
                raise _lease_error(path, error) from None
        sleep(min(wait, left))
        wait = min(2 * wait, _MAX_DELAY)


def _lease_error(path: AnyPath, error: OSError) -> LocalError:
    return LocalError(
        f"cannot open {path}: a lease on it was not released within {_LEASE_TIMEOUT:.0f} s",
        hint="close the file in the program or NFS or Samba client that uses it, then run the call again",
        errno=error.errno,
    )


def open_binary(path: AnyPath) -> BinaryIO:
    """Open a file for binary reading, as :meth:`FileSystem.open` does."""
    with SYSTEM_FILESYSTEM.open(path, os.O_RDONLY) as descriptor:
        return descriptor.to_binary_file("rb")
