"""Number of bytes in a file: the size from ``stat`` is compared with the bytes that can be read.

``stat`` returns 0 for files of ``/proc`` and 4096 for files of ``/sys``, and is also wrong on some network
and FUSE file systems.  Such a file is copied once to a temporary file, because reading it again could return
other bytes.
"""

import io
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Optional, Union

from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.directories import create_anonymous_file
from smartxfer.errors import LocalError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.buffers import BLOCK_SIZE

__all__ = [
    "Copies",
    "Copy",
    "CopySource",
    "has_correct_size",
    "has_size",
    "measure_file_size",
    "stat_if_size_correct",
]

#: Number of checks of a file whose size changes.
_MAX_CHECKS = 3


def stat_if_size_correct(fd: int, description: Union[str, Path]) -> Optional[os.stat_result]:
    """Return the stat result of an open regular file; None if its size is not the number of its bytes.

    :param description: the file, for messages.
    :raises LocalError: it cannot be read.
    """
    state = os.fstat(fd)
    for _ in range(_MAX_CHECKS):
        if has_size(fd, state.st_size, description):
            return state
        before, state = state, os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) == (state.st_size, state.st_mtime_ns):
            return None
    return state  # another program is writing to it: check_unchanged() will raise


def has_size(fd: int, size: int, description: Union[str, Path]) -> bool:
    """Return True if an open file has ``size`` bytes; the last byte and the end are read."""
    if size == 0:
        return not _read_at(fd, 1, 0, description)
    return len(_read_at(fd, 2, size - 1, description)) == 1


def _read_at(fd: int, count: int, offset: int, path: Union[str, Path]) -> bytes:
    """Return at most ``count`` bytes of an open file.

    :raises LocalError: it cannot be read.
    """
    try:
        if hasattr(os, "pread"):
            return os.pread(fd, count, offset)
        os.lseek(fd, offset, os.SEEK_SET)  # Windows
        return os.read(fd, count)
    except OSError as error:
        raise _build_read_error(error, path) from None


def _build_read_error(error: OSError, description: Union[str, Path]) -> LocalError:
    hint = None
    if isinstance(error, BlockingIOError):
        hint = "pass an open stream that ends: this file waits for events and has no end"
    return LocalError(f"cannot read {description}: {error.strerror or error}", hint=hint, errno=error.errno)


def has_correct_size(file: Any) -> bool:
    """Return False if an open file has another number of bytes than ``seek`` to its end returns.

    :param file: a file that can seek; its position is restored.
    """
    if not isinstance(file, (io.FileIO, io.BufferedReader, io.BufferedRandom)):
        return True
    if not file.readable():
        return True
    start = file.tell()
    end = file.seek(0, io.SEEK_END)
    if end > start:
        file.seek(end - 1)
        is_correct = len(file.read(2)) == 1
    else:
        file.seek(start)
        is_correct = not file.read(1)
    file.seek(start)
    return is_correct


def measure_file_size(path: Path) -> int:
    """Return the number of bytes in a regular file, which are counted if ``stat`` is wrong.

    :raises OSError: it cannot be read.
    """
    with SYSTEM_FILESYSTEM.open(path, os.O_RDONLY) as opened:
        state = stat_if_size_correct(opened.number, path)
        if state is not None:
            return state.st_size
        size = 0
        while True:
            count = len(_read_at(opened.number, BLOCK_SIZE, size, path))
            if not count:
                return size
            size += count


class _Spool:
    """A temporary file without a name, closed with its last reference."""

    def __init__(self) -> None:
        self._file: Any = create_anonymous_file(buffering=0)
        self._lock = threading.Lock()
        self.size = 0
        weakref.finalize(self, self._file.close)

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        with self._lock:
            self._file.seek(self.size)
            while view:
                view = view[self._file.write(view) :]
        self.size += len(data)

    def read_at(self, view: memoryview, offset: int) -> int:
        with self._lock:
            self._file.seek(offset)
            count: int = self._file.readinto(view)
        return count

    def descriptor(self) -> FileDescriptor:
        """Return a duplicated descriptor of the file."""
        return FileDescriptor(os.dup, self._file.fileno())


class Copies:
    """Copies of any number of files in one temporary file, which is created when it is needed."""

    def __init__(self) -> None:
        self._spool: Optional[_Spool] = None

    def add(self, fd: int, path: Path) -> "Copy":
        """Copy all bytes of an open file.

        :raises LocalError: it cannot be read, or the temporary file cannot be written.
        """
        try:
            self._spool = self._spool or _Spool()
            start = self._spool.size
            while True:
                data = _read_at(fd, BLOCK_SIZE, self._spool.size - start, path)
                if not data:
                    return Copy(self._spool, start, path)
                self._spool.append(data)
        except OSError as error:
            raise wrap_os_error(error, f"the copy of {path} in the directory for temporary files") from None


class Copy:
    """A copy of the bytes of one file."""

    def __init__(self, spool: _Spool, start: int, path: Path) -> None:
        self.path = path
        self.size = spool.size - start
        self._spool = spool
        self._start = start

    def read_at(self, view: memoryview, offset: int) -> int:
        """Read bytes at ``offset`` into ``view``; return their number, 0 at the end."""
        size = max(0, min(len(view), self.size - offset))
        return self._spool.read_at(view[:size], self._start + offset) if size else 0

    def descriptor(self) -> FileDescriptor:
        """Return a duplicated descriptor; only for the only copy in its temporary file."""
        return self._spool.descriptor()


class CopySource:
    """Source of the bytes of a copy, which cannot change.

    :param name: name of the file in the transfer.
    """

    def __init__(self, copy: Copy, name: str) -> None:
        self.name = name
        self.size = copy.size
        self.path = copy.path
        self._copy = copy

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        return self._copy.read_at(buffer, offset)

    def check_unchanged(self) -> None:
        """Do nothing: the file was read once."""

    def close(self) -> None:
        """Do nothing: the temporary file is closed with its last copy."""
