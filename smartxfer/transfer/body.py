"""The body of one request: a part of a source, read as it is sent."""

from typing import Callable, Iterator, Optional, Union

from smartxfer.errors import LocalError, SourceChanged
from smartxfer.transfer.buffers import BLOCK_SIZE, AdaptiveBlockSize, get_thread_buffer
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transport import Attempt

__all__ = ["PartBody", "ScaledProgress"]


class ScaledProgress:
    """Tells of bytes in another measure: of ``size`` bytes that stand for ``reported_size``."""

    def __init__(self, size: int, reported_size: int, advance: Callable[[int], None]) -> None:
        self._size, self._reported_size, self._advance = size, reported_size, advance
        self._at = self._reported = 0

    def __call__(self, count: int) -> None:
        """``count`` more bytes (less than 0: fewer) were moved."""
        self._at += count
        now = self._reported_size * self._at // self._size
        change, self._reported = now - self._reported, now
        self._advance(change)


class PartBody:
    """A file-like body for requests: a length, ``read`` in blocks without copies, and ``seek(0)``.

    :param advance: told the number of bytes handed to the socket; less than 0 when they are sent again.
    """

    def __init__(self, source: Source, part: Part, advance: Callable[[int], None]) -> None:
        self.part = part
        self._source = source
        #: Gives the bytes without a copy, where they are in memory.
        self._view_at = getattr(source, "view_at", None)
        self._advance = advance
        self._position = 0
        self._reported = 0
        self._block_size = AdaptiveBlockSize()
        self._attempt: Optional[Attempt] = None

    def set_attempt(self, attempt: Attempt) -> None:
        """Count the bytes that are sent from now on for a try."""
        self._attempt = attempt

    def __len__(self) -> int:
        return self.part.size

    def __iter__(self) -> Iterator[memoryview]:
        """The blocks, for a look at the bytes before they are sent (a signature, a checksum)."""
        at = 0
        while at < self.part.size:
            block = self._read_block(at, BLOCK_SIZE)
            at += len(block)
            yield block

    def tell(self) -> int:
        """Offset within the part."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind; only to the start."""
        if (offset, whence) != (0, 0):
            raise LocalError("a part can only be rewound to its start")
        self._position = 0
        self.rollback_progress()
        return 0

    def rollback_progress(self) -> None:
        """Take back what was told as sent."""
        if self._reported:
            told, self._reported = self._reported, 0
            self._advance(-told)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """The next block, of the size that the line's pace allows; the one before it is sent by now.

        Without a ``size`` all that is left, as a file gives it; nothing that sends for us asks so.
        """
        if size < 0:
            return b"".join(bytes(block) for block in iter(lambda: self.read(BLOCK_SIZE), b""))
        self._report_sent()
        wanted = self._block_size.update()
        if self._attempt is not None:
            self._attempt.body_in_flight = self._position < self.part.size
        block = self._read_block(self._position, max(size, wanted))
        self._position += len(block)
        return block

    def _report_sent(self) -> None:
        count = self._position - self._reported
        if count > 0:
            self._reported = self._position
            if self._attempt is not None:
                self._attempt.bytes_moved += count
            self._advance(count)

    def _read_block(self, at: int, wanted: int) -> memoryview:
        wanted = min(wanted, self.part.size - at, BLOCK_SIZE)
        view = get_thread_buffer()[:wanted]
        if not wanted:
            return view
        if self._view_at is not None:
            view = self._view_at(self.part.start + at, wanted)
            count = len(view)
        else:
            try:
                count = self._source.read_at(view, self.part.start + at)
            except OSError as error:
                raise LocalError(
                    f"cannot read {self._source.name}: {error.strerror or error}",
                    hint="check the file and its disk, then run again",
                ) from None
        if not count:
            raise SourceChanged(f"{self._source.name} became shorter while it was sent")
        return view[:count]
