"""Output file: a sink of the engine, written sequentially; the kernel copies ranges where it can."""

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

#: Smaller pieces are buffered before they are written, and are not copied by the kernel.
_MIN_DIRECT_SIZE = 64 * 1024


class _Sink(Protocol):
    """The part of the engine's sink interface that is used here."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Tuple[int, int]]:
        """Prepare for writing."""

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data``."""

    def commit(self) -> None:
        """Complete the file after all bytes were written."""

    def suspend(self) -> None:
        """Close the file without completing it."""


class OutputFile:
    """A file that is written in a ``with`` block.

    A file given as a path is replaced atomically when the block ends without an error, and keeps its mode
    and, if possible, its owner; if the block fails, nothing is left.  Bytes for an open file or a device are
    written immediately.

    :raises UsageError: the target is not a writable binary file.
    :raises LocalError: the path is a directory, or cannot be written.
    """

    def __init__(self, target: AnyFile) -> None:
        self._path = validate_sink(target)
        self._file: Any = None if self._path is not None else target
        #: The file that replaces a path; None for open files and devices.
        self._replacement_file: Optional[AtomicFile] = None
        if self._path is not None and not is_device(self._path):
            self._replacement_file = AtomicFile(self._path)
        self._sink: _Sink = self._replacement_file or open_sink(target, "")
        #: Bytes written to the sink, and bytes in the buffer.
        self._flushed = self._buffered = 0
        self._buffer = memoryview(bytearray(BLOCK_SIZE))

    @property
    def bytes_written(self) -> int:
        """Number of bytes so far, buffered ones included."""
        return self._flushed + self._buffered

    def open_temporary_file(self) -> BinaryIO:
        """Create a temporary file without a name, in the directory of the target if that is a path.

        :raises OSError: the file cannot be created.
        """
        return (
            create_anonymous_file(buffering=0)
            if self._replacement_file is None
            else self._replacement_file.open_nameless_file()
        )

    def reject_same_file(self, source: InputFile, in_place: bool = False) -> None:
        """Raise UsageError if the target is the file that ``source`` reads.

        :param in_place: accept this for a path, which is replaced only after everything was written.
        """
        if self._file is not None and source.reads_from(self._file):
            same = True
        else:
            ours = None if in_place and self._replacement_file is not None else self._get_device_and_inode()
            same = ours is not None and source.device_and_inode == ours
        if same:
            raise UsageError(
                f"{source.label} cannot be both input and output", hint="pass another path as target"
            )

    def _get_device_and_inode(self) -> Optional[Tuple[int, int]]:
        """Return device and inode of the file at the path, or of the open file."""
        path = get_regular_file_descriptor(self._file) if self._path is None else str(self._path)
        if path is None:
            return None
        try:
            status = os.stat(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

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
            # The caller's open file is left alone: flushing it could fail again, or block.
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
        """Write the buffered bytes."""
        count, self._buffered = self._buffered, 0
        self._write_to_sink(self._buffer[:count])

    def _write_to_sink(self, view: memoryview) -> None:
        self._sink.write_at(view, self._flushed)
        self._flushed += len(view)

    def copy(self, source: InputFile, position: int, length: int) -> None:
        """Append ``length`` bytes of ``source`` from ``position``; the kernel copies large ranges."""
        location = source.descriptor_at(position)
        if length >= _MIN_DIRECT_SIZE and self._replacement_file is not None and location is not None:
            self._flush()
            done = self._replacement_file.copy_at(location, length, self._flushed)
            self._flushed += done
            position, length = position + done, length - done
        while length:
            if self._buffered == BLOCK_SIZE:
                self._flush()
            count = source.read_at(self._buffer[self._buffered : self._buffered + length], position)
            if not count:
                raise SourceChanged(f"{source.label} was truncated while it was read")
            self._buffered += count
            position, length = position + count, length - count
