"""Files to read: sources of the engine at any place by any thread, and streams in order."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Optional, Tuple, Type, Union

from smartxfer.errors import LocalError, SourceChanged, UsageError
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.protocols import Source
from smartxfer.transfer.source import is_seekable, open_seekable_source, open_source

__all__ = ["AnyFile", "InputFile", "InputSlice"]

_BLOCK_SIZE = 256 * 1024

AnyFile = Union[str, "os.PathLike[str]", BinaryIO]
"""A path or an open binary file."""


class InputFile:
    """One of the files that are read, open until the ``with`` block ends.

    :param source: a path, or an open binary file, read from its position.
    :param label: what it is, for messages.
    :param from_start: read an open file from its start, whatever its position, which is restored.
    :param spool: keep the bytes of a stream that cannot seek, so that any thread can read them.
    :raises UsageError: no binary file, or a path that is no regular file.
    """

    def __init__(self, source: AnyFile, label: str, *, from_start: bool = False, spool: bool = False) -> None:
        self.label = label
        #: None for a stream.
        self._source: Optional[Source] = None
        self._position = 0
        #: The caller's open file; its position before it was read, None for one that cannot seek.
        self._file: Any = None
        self._start: Optional[int] = None
        self._restore_position: Optional[int] = None
        if isinstance(source, (str, os.PathLike)):
            self.label = str(source)
            try:
                self._source = open_source(source)
            except OSError as error:
                raise wrap_os_error(error, source, "read") from None
        elif hasattr(source, "read") or hasattr(source, "readinto"):
            self._open_file_object(source, from_start, spool)
        else:
            raise UsageError(
                f"the {label} is a {type(source).__name__}, not a path or an open file",
                hint="pass a path, or open(path, 'rb')",
            )

    def _open_file_object(self, file: Any, from_start: bool, spool: bool) -> None:
        self._file = file
        if from_start and is_seekable(file):
            self._restore_position = file.tell()
            file.seek(0)
        start = _get_position(file)
        self._source = open_seekable_source(file, self.label)
        if self._source is not None:
            self._start = start
        elif spool:
            self._source = open_source(iter(self._read_block, b""), self.label)

    def _read_block(self) -> bytes:
        view = memoryview(bytearray(_BLOCK_SIZE))
        return bytes(view[: _read_into(self._file, view, self.label)])

    @property
    def size(self) -> Optional[int]:
        """Bytes from the start to the end; None for a stream."""
        return None if self._source is None else self._source.size

    @property
    def device_and_inode(self) -> Optional[Tuple[int, int]]:
        """Device and inode; None for what is no file of the system's."""
        place = self.descriptor_at(0)
        if place is None:
            return None
        found = os.fstat(place[0])
        return found.st_dev, found.st_ino

    def reads_from(self, file: Any) -> bool:
        """Return True if it reads that very object."""
        return self._file is not None and self._file is file

    def check_unchanged(self) -> None:
        """Raise SourceChanged when the bytes are no longer those that were opened; a stream cannot tell."""
        if self._source is not None:
            self._source.check_unchanged()

    @property
    def supports_parallel_reads(self) -> bool:
        """True where any thread may read anywhere in it, without waiting for others."""
        return self.descriptor_at(0) is not None

    def descriptor_at(self, position: int) -> Optional[Tuple[int, int]]:
        """The descriptor, and the place in it, of the byte at ``position``; None without a descriptor."""
        found: Any = getattr(self._source, "descriptor_at", None)
        return None if found is None else found(position)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes; 0 at the end."""
        if self._source is None:
            count = _read_into(self._file, view, self.label)
        else:
            count = self.read_at(view, self._position)
        self._position += count
        return count

    def mark_read(self) -> None:
        """Count as read what others read by :meth:`read_at`: all of it."""
        self._position = self.size or 0

    def rewind(self) -> None:
        """Go back to the start, where that is possible."""
        if self._source is not None:
            self._position = 0

    def read_at(self, view: memoryview, position: int) -> int:
        """Fill ``view`` from ``position``, counted from the start; 0 at the end."""
        assert self._source is not None, "a stream is read in order"
        try:
            return self._source.read_at(view, position)
        except OSError as error:
            raise wrap_os_error(error, self.label, "read") from None

    def close(self) -> None:
        """Close what was opened; an open file of the caller's is behind what was read of it."""
        source, self._source = self._source, None
        if source is not None:
            source.close()
        if self._restore_position is not None:
            self._file.seek(self._restore_position)
        elif self._start is not None:
            self._file.seek(self._start + self._position)

    def __enter__(self) -> "InputFile":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class InputSlice:
    """A stretch of an input, read in order.

    :param start: first byte.
    :param stop: byte after the last one; an input that ends before it has changed.
    """

    def __init__(self, source: InputFile, start: int, stop: int) -> None:
        self._source = source
        self._position = start
        self._stop = stop

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes; 0 at the end."""
        left = self._stop - self._position
        if not left:
            return 0
        count = self._source.read_at(view[:left], self._position)
        if not count:
            raise SourceChanged(f"{self._source.label} became shorter while it was read")
        self._position += count
        return count


def _get_position(file: Any) -> Optional[int]:
    """Return the position of a file; None for one that does not know it."""
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError):
        return None


def _read_into(file: Any, view: memoryview, label: str) -> int:
    """Fill ``view`` from someone's stream; what that raises is the caller's to see."""
    if hasattr(file, "readinto"):
        count = file.readinto(view)
        if count is None:
            raise LocalError(f"the {label} has no bytes yet", hint="give a stream that waits for them")
        return int(count)
    data = file.read(len(view))
    if data is None:
        raise LocalError(f"the {label} has no bytes yet", hint="give a stream that waits for them")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"the {label} gives {type(data).__name__}, not bytes",
            hint="open it in binary mode: open(path, 'rb')",
        )
    if len(data) > len(view):
        raise LocalError(
            f"the {label} gives more bytes than it was asked for",
            hint="correct its read(): read(n) returns at most n bytes",
        )
    view[: len(data)] = data
    return len(data)
