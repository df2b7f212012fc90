"""The file that is written, in order: a sink of the engine; the kernel copies stretches where it can."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Dict, Iterable, Optional, Protocol, Tuple, Type, Union

from smartxfer.delta.input_file import AnyFile, InputFile
from smartxfer.directories import create_anonymous_file
from smartxfer.errors import SourceChanged, UsageError
from smartxfer.transfer.atomic_file import AtomicFile
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.device_sink import is_device
from smartxfer.transfer.sink import StreamSink, open_sink, validate_sink
from smartxfer.transfer.source import get_regular_file_descriptor

__all__ = ["OutputFile"]

#: Pieces of fewer bytes are gathered before they are written, and not left to the kernel to copy.
_MIN_DIRECT_SIZE = 64 * 1024


class _Sink(Protocol):
    """The part of the engine's sinks that is used."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Tuple[int, int]]:
        """Get ready."""

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data``."""

    def commit(self) -> None:
        """Take note that all bytes are there."""

    def suspend(self) -> None:
        """Give up."""


class OutputFile:
    """A file that is written in a ``with`` block.

    A path gets its new content in one step when the block ends well, and keeps the mode and, where that is
    possible, the owner of what was there; when the block fails nothing is left.  An open file and a device
    get the bytes as they come.

    :raises UsageError: no binary file that can be written.
    :raises LocalError: the path is a directory, or cannot be written.
    """

    def __init__(self, target: AnyFile) -> None:
        self._path = validate_sink(target)
        self._file: Any = None if self._path is not None else target
        #: The file that replaces a path; None for all else.
        self._replacement_file: Optional[AtomicFile] = None
        if self._path is not None and not is_device(self._path):
            self._replacement_file = AtomicFile(self._path)
        self._sink: _Sink = self._replacement_file or open_sink(target, "")
        #: Bytes that the sink has, and bytes that wait in the buffer.
        self._flushed = self._buffered = 0
        self._buffer = memoryview(bytearray(BLOCK_SIZE))

    @property
    def bytes_written(self) -> int:
        """Bytes so far."""
        return self._flushed + self._buffered

    def open_temporary_file(self) -> BinaryIO:
        """Make a temporary file without a name, beside the path where there is one.

        :raises OSError: it cannot be made.
        """
        return (
            create_anonymous_file(buffering=0)
            if self._replacement_file is None
            else self._replacement_file.open_nameless_file()
        )

    def reject_same_file(self, source: InputFile, in_place: bool = False) -> None:
        """Raise UsageError when the target is the file that ``source`` reads.

        :param in_place: a path may be, for it is replaced only when all is written.
        """
        if self._file is not None and source.reads_from(self._file):
            same = True
        else:
            there = None if in_place and self._replacement_file is not None else self._get_device_and_inode()
            same = there is not None and source.device_and_inode == there
        if same:
            raise UsageError(
                f"{source.label} cannot be read and written over at once", hint="pass another output file"
            )

    def _get_device_and_inode(self) -> Optional[Tuple[int, int]]:
        """Return device and inode of the file at the path, or of the open file."""
        place = get_regular_file_descriptor(self._file) if self._path is None else str(self._path)
        if place is None:
            return None
        try:
            found = os.stat(place)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def __enter__(self) -> "OutputFile":
        self._sink.begin(None, {})
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        complete = False
        try:
            if kind is None:
                self._flush()
                self._sink.commit()
                complete = True
        finally:
            # An open file is the caller's: to flush it could fail again, or wait.
            if not complete and not isinstance(self._sink, StreamSink):
                self._sink.suspend()

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Append all of ``data``."""
        count = len(data)
        if count >= _MIN_DIRECT_SIZE:
            self._flush()
            self._write_to_sink(memoryview(data))
            return
        if self._buffered + count > BLOCK_SIZE:
            self._flush()
        self._buffer[self._buffered : self._buffered + count] = data
        self._buffered += count

    def _flush(self) -> None:
        """Write what was gathered."""
        count, self._buffered = self._buffered, 0
        self._write_to_sink(self._buffer[:count])

    def _write_to_sink(self, view: memoryview) -> None:
        self._sink.write_at(view, self._flushed)
        self._flushed += len(view)

    def copy(self, source: InputFile, position: int, length: int) -> None:
        """Append ``length`` bytes of ``source`` from ``position``; large ones by the kernel where it can."""
        place = source.descriptor_at(position)
        if length >= _MIN_DIRECT_SIZE and self._replacement_file is not None and place is not None:
            self._flush()
            done = self._replacement_file.copy_at(place, length, self._flushed)
            self._flushed += done
            position, length = position + done, length - done
        while length:
            if self._buffered == BLOCK_SIZE:
                self._flush()
            count = source.read_at(self._buffer[self._buffered : self._buffered + length], position)
            if not count:
                raise SourceChanged(f"{source.label} became shorter while it was read")
            self._buffered += count
            position, length = position + count, length - count
