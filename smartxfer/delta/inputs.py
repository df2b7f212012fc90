"""Files to read: sources of the engine at any place by any thread, and streams in order."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Optional, Tuple, Type, Union

from smartxfer.errors import LocalError, SourceChanged, UsageError
from smartxfer.local_errors import local_error
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.source import can_seek, open_seekable, open_source

__all__ = ["AnyFile", "Input", "Slice"]

_BLOCK = 256 * 1024

AnyFile = Union[str, "os.PathLike[str]", BinaryIO]
"""A path or an open binary file."""


class Input:
    """One of the files that are read, open until the ``with`` block ends.

    :param thing: a path, or an open binary file, read from its position.
    :param what: what it is, for messages.
    :param whole: read an open file from its start, whatever its position, which is restored.
    :param kept: keep the bytes of a stream that cannot seek, so that any thread can read them.
    :raises UsageError: no binary file, or a path that is no regular file.
    """

    def __init__(self, thing: AnyFile, what: str, *, whole: bool = False, kept: bool = False) -> None:
        self.what = what
        #: None for a stream.
        self._source: Optional[Source] = None
        self._at = 0
        #: The caller's open file; its position before it was read, None for one that cannot seek.
        self._file: Any = None
        self._start: Optional[int] = None
        self._back_to: Optional[int] = None
        if isinstance(thing, (str, os.PathLike)):
            self.what = str(thing)
            try:
                self._source = open_source(thing)
            except OSError as error:
                raise local_error(error, thing, "read") from None
        elif hasattr(thing, "read") or hasattr(thing, "readinto"):
            self._take(thing, whole, kept)
        else:
            raise UsageError(f"the {what} is a {type(thing).__name__}: give a path or an open file")

    def _take(self, file: Any, whole: bool, kept: bool) -> None:
        self._file = file
        if whole and can_seek(file):
            self._back_to = file.tell()
            file.seek(0)
        start = _position_of(file)
        self._source = open_seekable(file, self.what)
        if self._source is not None:
            self._start = start
        elif kept:
            self._source = open_source(iter(self._block, b""), self.what)

    def _block(self) -> bytes:
        view = memoryview(bytearray(_BLOCK))
        return bytes(view[: _fill(self._file, view, self.what)])

    @property
    def size(self) -> Optional[int]:
        """Bytes from the start to the end; None for a stream."""
        return None if self._source is None else self._source.size

    @property
    def identity(self) -> Optional[Tuple[int, int]]:
        """Device and inode; None for what is no file of the system's."""
        place = self.place(0)
        if place is None:
            return None
        found = os.fstat(place[0])
        return found.st_dev, found.st_ino

    def is_file(self, file: Any) -> bool:
        """Return True if it reads that very object."""
        return self._file is not None and self._file is file

    def check_unchanged(self) -> None:
        """Raise SourceChanged when the bytes are no longer those that were opened; a stream cannot tell."""
        if self._source is not None:
            self._source.check_unchanged()

    @property
    def regular(self) -> bool:
        """True where any thread may read anywhere in it, without waiting for others."""
        return self.place(0) is not None

    def place(self, position: int) -> Optional[Tuple[int, int]]:
        """The descriptor, and the place in it, of the byte at ``position``; None without a descriptor."""
        found: Any = getattr(self._source, "place", None)
        return None if found is None else found(position)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes; 0 at the end."""
        if self._source is None:
            count = _fill(self._file, view, self.what)
        else:
            count = self.read_at(view, self._at)
        self._at += count
        return count

    def pass_over(self) -> None:
        """Count as read what others read by :meth:`read_at`: all of it."""
        self._at = self.size or 0

    def rewind(self) -> None:
        """Go back to the start, where that is possible."""
        if self._source is not None:
            self._at = 0

    def read_at(self, view: memoryview, position: int) -> int:
        """Fill ``view`` from ``position``, counted from the start; 0 at the end."""
        assert self._source is not None, "a stream is read in order"
        try:
            return self._source.read_at(view, position)
        except OSError as error:
            raise local_error(error, self.what, "read") from None

    def close(self) -> None:
        """Close what was opened; an open file of the caller's is behind what was read of it."""
        source, self._source = self._source, None
        if source is not None:
            source.close()
        if self._back_to is not None:
            self._file.seek(self._back_to)
        elif self._start is not None:
            self._file.seek(self._start + self._at)

    def __enter__(self) -> "Input":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


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


def _position_of(file: Any) -> Optional[int]:
    """Return the position of a file; None for one that does not know it."""
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError):
        return None


def _fill(file: Any, view: memoryview, what: str) -> int:
    """Fill ``view`` from someone's stream; what that raises is the caller's to see."""
    if hasattr(file, "readinto"):
        count = file.readinto(view)
        if count is None:
            raise LocalError(f"the {what} has no bytes yet", hint="give a stream that waits for them")
        return int(count)
    data = file.read(len(view))
    if data is None:
        raise LocalError(f"the {what} has no bytes yet", hint="give a stream that waits for them")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(f"the {what} gives {type(data).__name__}, not bytes")
    if len(data) > len(view):
        raise LocalError(f"the {what} gives more bytes than it was asked for")
    view[: len(data)] = data
    return len(data)
