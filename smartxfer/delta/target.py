"""The file that is written, in order: a sink of the engine; the kernel copies stretches where it can."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Dict, Iterable, Optional, Protocol, Tuple, Type, Union

from smartxfer.delta.inputs import AnyFile, Input
from smartxfer.directories import nameless_file
from smartxfer.errors import SourceChanged, UsageError
from smartxfer.transfer.buffers import BLOCK
from smartxfer.transfer.device import is_device
from smartxfer.transfer.sink import StreamSink, check_sink, open_sink
from smartxfer.transfer.source import descriptor_of
from smartxfer.transfer.whole import WholeFile

__all__ = ["Target"]

#: Pieces of fewer bytes are gathered before they are written, and not left to the kernel to copy.
_SMALL = 64 * 1024


class _Sink(Protocol):
    """The part of the engine's sinks that is used."""

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Tuple[int, int]]:
        """Get ready."""

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data``."""

    def commit(self) -> None:
        """Take note that all bytes are there."""

    def leave(self) -> None:
        """Give up."""


class Target:
    """A file that is written in a ``with`` block.

    A path gets its new content in one step when the block ends well, and keeps the mode and, where that is
    possible, the owner of what was there; when the block fails nothing is left.  An open file and a device
    get the bytes as they come.

    :raises UsageError: no binary file that can be written.
    :raises LocalError: the path is a directory, or cannot be written.
    """

    def __init__(self, thing: AnyFile) -> None:
        self._path = check_sink(thing)
        self._file: Any = None if self._path is not None else thing
        #: The file that replaces a path; None for all else.
        self._whole: Optional[WholeFile] = None
        if self._path is not None and not is_device(self._path):
            self._whole = WholeFile(self._path)
        self._sink: _Sink = self._whole or open_sink(thing, "")
        #: Bytes that the sink has, and bytes that wait in the buffer.
        self._at = self._gathered = 0
        self._buffer = memoryview(bytearray(BLOCK))

    @property
    def written(self) -> int:
        """Bytes so far."""
        return self._at + self._gathered

    def nameless(self) -> BinaryIO:
        """Make a temporary file without a name, beside the path where there is one.

        :raises OSError: it cannot be made.
        """
        return nameless_file(buffering=0) if self._whole is None else self._whole.nameless()

    def refuse(self, source: Input, in_place: bool = False) -> None:
        """Raise UsageError when the target is the file that ``source`` reads.

        :param in_place: a path may be, for it is replaced only when all is written.
        """
        if self._file is not None and source.is_file(self._file):
            same = True
        else:
            there = None if in_place and self._whole is not None else self._there()
            same = there is not None and source.identity == there
        if same:
            raise UsageError(f"{source.what} cannot be read and written over at once")

    def _there(self) -> Optional[Tuple[int, int]]:
        """Return device and inode of the file at the path, or of the open file."""
        place = descriptor_of(self._file) if self._path is None else str(self._path)
        if place is None:
            return None
        try:
            found = os.stat(place)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def __enter__(self) -> "Target":
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
                self._sink.leave()

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Append all of ``data``."""
        count = len(data)
        if count >= _SMALL:
            self._flush()
            self._put(memoryview(data))
            return
        if self._gathered + count > BLOCK:
            self._flush()
        self._buffer[self._gathered : self._gathered + count] = data
        self._gathered += count

    def _flush(self) -> None:
        """Write what was gathered."""
        count, self._gathered = self._gathered, 0
        self._put(self._buffer[:count])

    def _put(self, view: memoryview) -> None:
        self._sink.write_at(view, self._at)
        self._at += len(view)

    def copy(self, source: Input, position: int, length: int) -> None:
        """Append ``length`` bytes of ``source`` from ``position``; large ones by the kernel where it can."""
        place = source.place(position)
        if length >= _SMALL and self._whole is not None and place is not None:
            self._flush()
            done = self._whole.copy_at(place, length, self._at)
            self._at += done
            position, length = position + done, length - done
        while length:
            if self._gathered == BLOCK:
                self._flush()
            count = source.read_at(self._buffer[self._gathered : self._gathered + length], position)
            if not count:
                raise SourceChanged(f"{source.what} became shorter while it was read")
            self._gathered += count
            position, length = position + count, length - count
