"""The two seams to the outside: time and the file system.

Both are plain objects that are handed in, so that a test can pass one that never sleeps, or whose disk is
full.
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

#: Seconds of the longest wait that the platform takes: sockets count milliseconds in 32 bits.
MAX_WAIT = 2_000_000.0

#: Seconds to wait for the holder of a lease to give it up: Linux takes it away after 45 (lease-break-time).
_LEASE_TIMEOUT = 60.0
_INITIAL_DELAY, _MAX_DELAY = 0.02, 0.5

_ACL_ATTRIBUTE = "system.posix_acl_access"
_NO_ACL_ERRNOS = frozenset({getattr(errno, "ENODATA", errno.ENOENT), errno.EOPNOTSUPP})


class Clock:
    """Wall time, monotonic time, sleep and chance."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        time.sleep(min(seconds, MAX_WAIT))

    def wait_for_event(self, event: threading.Event, seconds: float) -> bool:
        """Wait until ``event`` is set, but no longer than that; returns whether it is set."""
        return event.wait(min(seconds, MAX_WAIT))

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()


class FileSystem:
    """Operations of the engine on the file system.

    Files are named by a path, or by their name in an open directory.
    """

    def open(self, path: AnyPath, flags: int, mode: int = 0o666) -> FileDescriptor:
        """Open like ``os.open``, in binary and not inherited by child processes.

        The call does not block: neither for a pipe without a writer, nor for a file with a lease.

        :raises LocalError: another process or host keeps a lease on the file.
        """
        for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"):
            flags |= getattr(os, name, 0)
        name, where = get_os_arguments(path)
        return open_when_lease_released(path, name, flags, mode, **where)

    def __init__(self) -> None:
        self._position_lock = threading.Lock()

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        """Write some of ``data`` at ``offset``, from any thread; returns how many bytes."""
        if hasattr(os, "pwrite"):
            return os.pwrite(fd, data, offset)
        with self._position_lock:  # Windows: one file position for all threads
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, data)

    def replace(self, source: AnyPath, target: AnyPath) -> None:
        """Rename, replacing the target in one step."""
        old, source_at = get_os_arguments(source, "src_")
        new, target_at = get_os_arguments(target, "dst_")
        os.replace(old, new, **source_at, **target_at)

    def rename_no_replace(self, source: AnyPath, target: AnyPath) -> None:
        """Rename, without replacing a target that exists.

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
        """Give an open file the mode of another one and, where that is possible, its owner, group and ACL.

        Permissions never widen: where the group stays another, it gets no more than others have; the set-id
        bits are kept only with their owner.

        :param path: of the other file.
        """
        if not hasattr(os, "fchmod"):
            return  # Windows
        now = os.fstat(fd)
        if (now.st_uid, now.st_gid) != (reference.st_uid, reference.st_gid):
            for owner in (reference.st_uid, -1):
                with contextlib.suppress(OSError):  # only the superuser gives files away
                    os.fchown(fd, owner, reference.st_gid)
                    break
            now = os.fstat(fd)
        mode = stat.S_IMODE(reference.st_mode)
        if now.st_gid != reference.st_gid:
            mode &= ~0o2070 | (mode & 0o007) << 3
        if now.st_uid != reference.st_uid:
            mode &= ~0o4000
        if not _copy_acl(path, fd, keep=now.st_gid == reference.st_gid):
            mode &= ~0o070  # with an ACL these bits are more than the group has
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(fd, mode)

    def fsync(self, fd: int) -> None:
        """Flush a file's bytes to the disk."""
        os.fsync(fd)

    def free_space(self, directory: AnyPath) -> int:
        """Return how many bytes may still be written in ``directory``.

        :raises OSError: the file system does not say.
        """
        usage = shutil.disk_usage(str(directory))
        if not usage.total:  # some file systems over a network
            raise OSError(errno.ENOSYS, "the file system does not say how large it is", str(directory))
        return usage.free


def _copy_acl(path: AnyPath, fd: int, *, keep: bool) -> bool:
    """Give an open file the POSIX ACL of another one, or none where that has none.

    :param keep: False gives it none.
    :return: False where that failed, or the ACL is not kept.
    """
    if not hasattr(os, "getxattr"):
        return True  # only Linux shows ACLs as attributes
    try:
        acl: Optional[bytes] = os.getxattr(_xattr_path(path), _ACL_ATTRIBUTE, follow_symlinks=False)
    except OSError:
        acl = None
    try:
        if acl is not None and keep:
            os.setxattr(fd, _ACL_ATTRIBUTE, acl)
            return True
        os.removexattr(fd, _ACL_ATTRIBUTE)  # that of the directory
    except OSError as error:
        return acl is None and error.errno in _NO_ACL_ERRNOS
    return acl is None


def _xattr_path(path: AnyPath) -> str:
    """Return a path for calls that take no descriptor of a directory."""
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
    """Use another clock for the waits of the calling thread, while the block lasts.

    :param sleep: waits that many seconds; it raises when the call is over.
    """
    before = getattr(_local, "clock", None)
    _local.clock = (sleep, monotonic)
    try:
        yield
    finally:
        _local.clock = before


def open_when_lease_released(path: AnyPath, *arguments: Any, **keywords: Any) -> FileDescriptor:
    """Open a file; wait for a lease on it to be given up, within bounds.

    NFS servers, Samba servers and programs hold leases.  The attempt to open the file tells the holder to
    give its lease up; with ``O_NONBLOCK`` the system does not wait for that.

    :param path: of the file, for the message.
    :param arguments: of ``os.open``; the flags have ``O_NONBLOCK``.
    :raises LocalError: the lease was not given up in time.
    """
    pause, monotonic = getattr(_local, "clock", None) or (SYSTEM_CLOCK.sleep, SYSTEM_CLOCK.monotonic)
    ends_at, wait = monotonic() + _LEASE_TIMEOUT, _INITIAL_DELAY
    while True:
        try:
            return FileDescriptor(os.open, *arguments, **keywords)
        except BlockingIOError as error:
            left = ends_at - monotonic()
            if left <= 0:
                raise _lease_error(path, error) from None
        pause(min(wait, left))
        wait = min(2 * wait, _MAX_DELAY)


def _lease_error(path: AnyPath, error: OSError) -> LocalError:
    return LocalError(
        f"cannot open {path}: a lease on it was not given up within {_LEASE_TIMEOUT:.0f} s",
        hint="close the file in the program, or on the NFS or Samba client, that has it open; then run again",
        errno=error.errno,
    )


def open_binary(path: AnyPath) -> BinaryIO:
    """Open a file for reading in binary, as :meth:`FileSystem.open` does."""
    with SYSTEM_FILESYSTEM.open(path, os.O_RDONLY) as descriptor:
        return descriptor.to_binary_file("rb")
