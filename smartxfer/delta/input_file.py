"""Input files: sources of the engine, readable at any position by any thread, and sequential streams."""

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
    """An input file, open until the ``with`` block ends.

    :param source: a path, or an open binary file, read from its current position.
    :param label: name of the input in messages.
    :param from_start: read an open file from its start and restore its position afterwards.
    :param spool: store the bytes of a stream that cannot seek, so that any thread can read them.
    :raises UsageError: the source is not a binary file, or the path is not a regular file.
    """

    def __init__(self, source: AnyFile, label: str, *, from_start: bool = False, spool: bool = False) -> None:
        self.label = label
        #: None for a stream.
        self._source: Optional[Source] = None
        self._position = 0
        #: The caller's open file, and its position before it was read (None if it cannot seek).
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
                f"the {label} is a {type(source).__name__}, not a binary file",
                hint="pass a path or an open binary file",
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
        """Number of bytes; None for a stream."""
        return None if self._source is None else self._source.size

    @property
    def device_and_inode(self) -> Optional[Tuple[int, int]]:
        """Device and inode; None without a file descriptor."""
        location = self.descriptor_at(0)
        if location is None:
            return None
        status = os.fstat(location[0])
        return status.st_dev, status.st_ino

    def reads_from(self, file: Any) -> bool:
        """Return True if ``file`` is the file object that is read."""
        return self._file is not None and self._file is file

    def check_unchanged(self) -> None:
        """Raise SourceChanged if the file has changed since it was opened; streams are not checked."""
        if self._source is not None:
            self._source.check_unchanged()

    @property
    def supports_parallel_reads(self) -> bool:
        """True if several threads can read at different positions concurrently."""
        return self.descriptor_at(0) is not None

    def descriptor_at(self, position: int) -> Optional[Tuple[int, int]]:
        """Return the descriptor and the offset of the byte at ``position``; None without a descriptor."""
        descriptor_at: Any = getattr(self._source, "descriptor_at", None)
        return None if descriptor_at is None else descriptor_at(position)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes and return their number, 0 at the end."""
        if self._source is None:
            count = _read_into(self._file, view, self.label)
        else:
            count = self.read_at(view, self._position)
        self._position += count
        return count

    def mark_read(self) -> None:
        """Move the position to the end, after all bytes were read with :meth:`read_at`."""
        self._position = self.size or 0

    def rewind(self) -> None:
        """Move the position to the start; a stream is left as it is."""
        if self._source is not None:
            self._position = 0

    def read_at(self, view: memoryview, position: int) -> int:
        """Fill ``view`` with the bytes from ``position`` and return their number, 0 at the end."""
        assert self._source is not None, "a stream can only be read sequentially"
        try:
            return self._source.read_at(view, position)
        except OSError as error:
            raise wrap_os_error(error, self.label, "read") from None

    def close(self) -> None:
        """Close the source; the caller's open file is left at the end of the bytes that were read."""
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
    """A range of an input file, read sequentially.

    :param start: offset of the first byte.
    :param stop: offset after the last byte; an input that ends before it has changed.
    """

    def __init__(self, source: InputFile, start: int, stop: int) -> None:
        self._source = source
        self._position = start
        self._stop = stop

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with the next bytes and return their number, 0 at the end."""
        left = self._stop - self._position
        if not left:
            return 0
        count = self._source.read_at(view[:left], self._position)
        if not count:
            raise SourceChanged(f"{self._source.label} was truncated while it was read")
        self._position += count
        return count


def _get_position(file: Any) -> Optional[int]:
    """Return the position of a file; None if it has none."""
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError):
        return None


def _read_into(file: Any, view: memoryview, label: str) -> int:
    """Fill ``view`` from the caller's stream; exceptions of the stream are not converted."""
    if hasattr(file, "readinto"):
        count = file.readinto(view)
        if count is None:
            raise LocalError(f"the {label} is a non-blocking stream", hint="pass a blocking stream")
        return int(count)
    data = file.read(len(view))
    if data is None:
        raise LocalError(f"the {label} is a non-blocking stream", hint="pass a blocking stream")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"read() of the {label} returned {type(data).__name__}, not bytes",
            hint="open the file in mode 'rb'",
        )
    if len(data) > len(view):
        raise LocalError(
            f"read({len(view)}) of the {label} returned {len(data)} bytes",
            hint="pass a stream whose read(n) returns at most n bytes",
        )
    view[: len(data)] = data
    return len(data)
