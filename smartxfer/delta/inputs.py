"""What is read: a path, an open file, a stream; in order, or at any place by any thread."""

import os
import stat
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Optional, Tuple, Type, Union

from smartxfer.delta.streams import AnyFile, can_seek, descriptor_of, end_of, fill, is_path, is_text
from smartxfer.descriptors import Descriptor
from smartxfer.directories import Entry, nameless_file
from smartxfer.errors import SourceChanged, UsageError
from smartxfer.local_errors import local_error
from smartxfer.seams import SYSTEM_FILES
from smartxfer.system_text import source_path
from smartxfer.transfer.true_size import Copies, true_state

__all__ = ["Input", "Slice", "spooled"]

_BLOCK = 256 * 1024
_HAS_PREAD = hasattr(os, "pread")
_HAS_PREADV = hasattr(os, "preadv")


class Input:
    """One of the files that are read, open until the ``with`` block ends.

    :param thing: a path, or an open binary file, read from where it stands.
    :param what: what it is, for messages.
    :param whole: read an open file from its start, wherever it stands.
    :raises UsageError: no binary file, or a path that is no regular file.
    """

    def __init__(self, thing: AnyFile, what: str, whole: bool = False) -> None:
        self.what = what
        self._file: Any = None
        self._fd: Optional[int] = None
        #: What is closed at the end; the caller's own descriptor is not.
        self._owned: Optional[Descriptor] = None
        self._start = 0
        self._at = 0
        #: Where the caller's file is to stand in the end; None: behind what was read.
        self._back_to: Optional[int] = None
        #: Bytes from the start to the end; None for a stream.
        self.size: Optional[int] = None
        self._lock = threading.Lock()
        #: Whether a copy is read instead of a file whose size is not true.
        self._copied = False
        self._one = memoryview(bytearray(1))
        if is_path(thing):
            self._open_path(thing if isinstance(thing, Entry) else str(source_path(thing)))
        else:
            self._take(thing, whole)
        self._before = self._state()

    def _open_path(self, path: Union[str, Entry]) -> None:
        self.what = str(path)
        try:
            opened = SYSTEM_FILES.open(path, os.O_RDONLY)
        except OSError as error:
            raise local_error(error, path, "read") from None
        self._own(opened)
        if not stat.S_ISREG(os.fstat(opened.number).st_mode):
            opened.close()
            raise UsageError(
                f"{path} is not a regular file", hint="open a pipe or device and pass the open stream"
            )
        try:
            self.size = self._measured(opened.number)
        except BaseException:
            opened.close()
            raise
        if self._copied:
            opened.close()

    def _own(self, opened: Descriptor) -> None:
        """Read from a descriptor that is closed at the end."""
        self._owned, self._fd = opened, opened.number

    def _measured(self, fd: int) -> int:
        """Return the number of bytes in a file; where its size is another, a copy of it is read."""
        found = true_state(fd, self.what)
        if found is not None:
            return found.st_size
        copy = Copies().add(fd, Path(self.what))
        self._own(copy.descriptor())
        self._copied = True
        return copy.size

    def _take(self, file: Any, whole: bool) -> None:
        if not (hasattr(file, "read") or hasattr(file, "readinto")):
            raise UsageError(f"the {self.what} is a {type(file).__name__}: give a path or an open file")
        if is_text(file):
            raise UsageError(f"the {self.what} was opened as text", hint="open it in binary mode: 'rb'")
        if getattr(file, "readable", lambda: True)() is False:
            raise UsageError(f"the {self.what} is not open for reading")
        self._file = file
        if not can_seek(file):
            return
        self._fd = descriptor_of(file) if _HAS_PREAD else None
        if self._fd is not None and hasattr(file, "flush"):
            file.flush()
        stood = file.tell()
        self._start = 0 if whole else stood
        if self._fd is None:
            end = end_of(file, self._start)
        else:
            end = self._measured(self._fd)
        self.size = max(0, end - self._start)
        self._back_to = stood if whole else None

    @property
    def identity(self) -> Optional[Tuple[int, int]]:
        """Device and inode; None for what is no file of the system's."""
        if self._fd is None:
            return None
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino

    def is_file(self, file: Any) -> bool:
        """Whether it reads that very object."""
        return self._file is not None and self._file is file

    def _state(self) -> Tuple[int, int]:
        if self._fd is None:
            return 0, 0
        found = os.fstat(self._fd)
        return found.st_size, found.st_mtime_ns

    def check_unchanged(self) -> None:
        """Raise SourceChanged when a regular file has another size or modification time than before."""
        longer = self._fd is not None and self.size is not None and self.read_at(self._one, self.size)
        if self._state() != self._before or longer:
            raise SourceChanged(f"{self.what} changed while it was read")

    @property
    def regular(self) -> bool:
        """Whether any thread may read anywhere in it, without waiting for others."""
        return self._fd is not None

    def place(self, position: int) -> Optional[Tuple[int, int]]:
        """The descriptor, and the place in it, of the byte at ``position``; None without a descriptor."""
        return None if self._fd is None else (self._fd, self._start + position)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes; 0 at the end."""
        if self._fd is None:
            count = fill(self._file, view, self.what)
        else:
            count = self.read_at(view, self._at)
        self._at += count
        return count

    def pass_over(self) -> None:
        """Count as read what others read by :meth:`read_at`: all of it."""
        self._at = self.size or 0

    def rewind(self) -> None:
        """Go back to the start, where that is possible."""
        if self.size is not None:
            self._at = 0
            if self._fd is None:
                self._file.seek(self._start)

    def read_at(self, view: memoryview, position: int) -> int:
        """Fill ``view`` from ``position``, counted from the start; 0 at the end."""
        if self._fd is None:
            with self._lock:
                self._file.seek(self._start + position)
                return fill(self._file, view, self.what)
        try:
            return self._read_descriptor(self._fd, view, self._start + position)
        except OSError as error:
            raise local_error(error, self.what, "read") from None

    def _read_descriptor(self, number: int, view: memoryview, offset: int) -> int:
        if _HAS_PREADV:
            return os.preadv(number, [view], offset)
        if _HAS_PREAD:
            data = os.pread(number, len(view), offset)
        else:
            with self._lock:
                os.lseek(number, offset, os.SEEK_SET)
                data = os.read(number, len(view))
        view[: len(data)] = data
        return len(data)

    def __enter__(self) -> "Input":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._owned is not None:
            self._owned.close()
        if self._file is None:
            pass
        elif self._back_to is not None:
            self._file.seek(self._back_to)
        elif self._fd is not None:
            # Its own position was not used.
            self._file.seek(self._start + self._at)
        self._fd = None


class Slice:
    """A stretch of an input, read in order.

    :param start: first byte.
    :param stop: byte after the last one; an input that ends before it has changed.
    """

    def __init__(self, source: Input, start: int, stop: int) -> None:
        self._source = source
        self._at = start
        self._stop = stop

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes; 0 at the end."""
        left = self._stop - self._at
        if not left:
            return 0
        count = self._source.read_at(view[:left], self._at)
        if not count:
            raise SourceChanged(f"{self._source.what} became shorter while it was read")
        self._at += count
        return count


def spooled(source: Input) -> BinaryIO:
    """A temporary file without a name that holds all that is left of ``source``; the caller closes it."""
    try:
        spool = nameless_file()
    except OSError as error:
        raise local_error(error, "a temporary file", "make") from None
    view = memoryview(bytearray(_BLOCK))
    try:
        while True:
            count = source.readinto(view)
            if not count:
                break
            try:
                spool.write(view[:count])
            except OSError as error:
                raise local_error(error, "a temporary file") from None
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool
