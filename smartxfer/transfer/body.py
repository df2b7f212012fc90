"""Request bodies: parts of a source, read while they are sent."""

from typing import Callable, Iterator, Optional, Union

from smartxfer.errors import LocalError, SourceChanged
from smartxfer.transfer.buffers import BLOCK_SIZE, AdaptiveBlockSize, get_thread_buffer
from smartxfer.transfer.file_parts import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transport import Attempt

__all__ = ["PartBody", "ScaledProgress"]


class ScaledProgress:
    """Converts progress of an encoded body of ``size`` bytes to that of its ``reported_size`` plain bytes."""

    def __init__(self, size: int, reported_size: int, advance: Callable[[int], None]) -> None:
        self._size, self._reported_size, self._advance = size, reported_size, advance
        self._at = self._reported = 0

    def __call__(self, count: int) -> None:
        """Report ``count`` more encoded bytes; a negative count takes bytes back."""
        self._at += count
        reported = self._reported_size * self._at // self._size
        change, self._reported = reported - self._reported, reported
        self._advance(change)


class PartBody:
    """A file-like body for requests, with a length, ``read`` in blocks without copies, and ``seek(0)``.

    :param advance: called with the number of bytes passed to the socket; negative when they are sent again.
    """

    def __init__(self, source: Source, part: Part, advance: Callable[[int], None]) -> None:
        self.part, self._source = part, source
        #: Returns the bytes without a copy, if the source is in memory.
        self._view_at = getattr(source, "view_at", None)
        self._advance = advance
        self._position = self._reported = 0
        self._block_size = AdaptiveBlockSize()
        self._attempt: Optional[Attempt] = None

    def set_attempt(self, attempt: Attempt) -> None:
        """Set the attempt that counts the bytes sent from now on."""
        self._attempt = attempt

    def __len__(self) -> int:
        return self.part.size

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the blocks of the part, to sign, hash or encrypt them before they are sent."""
        position = 0
        while position < self.part.size:
            block = self._read_block(position, BLOCK_SIZE)
            position += len(block)
            yield block

    def tell(self) -> int:
        """Return the offset within the part."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind to the start of the part; other positions are not supported."""
        if (offset, whence) != (0, 0):
            raise LocalError("a part can only be rewound to its start")
        self._position = 0
        self.rollback_progress()
        return 0

    def rollback_progress(self) -> None:
        """Take back the reported progress of this part."""
        if self._reported:
            reported, self._reported = self._reported, 0
            self._advance(-reported)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """Return the next block, whose size depends on the speed of the connection.

        A call means that the previous block has been sent.  Without ``size`` the rest is returned, as by a
        file; no library that sends bodies calls it that way.
        """
        if size < 0:
            return b"".join(bytes(block) for block in iter(lambda: self.read(BLOCK_SIZE), b""))
        self._report_sent()
        block_size = self._block_size.update()
        if self._attempt is not None:
            self._attempt.body_in_flight = self._position < self.part.size
        block = self._read_block(self._position, max(size, block_size))
        self._position += len(block)
        return block

    def _report_sent(self) -> None:
        count = self._position - self._reported
        if count > 0:
            self._reported = self._position
            if self._attempt is not None:
                self._attempt.bytes_moved += count
            self._advance(count)

    def _read_block(self, offset: int, size: int) -> memoryview:
        size = min(size, self.part.size - offset, BLOCK_SIZE)
        view = get_thread_buffer()[:size]
        if not size:
            return view
        if self._view_at is not None:
            view = self._view_at(self.part.start + offset, size)
            count = len(view)
        else:
            try:
                count = self._source.read_at(view, self.part.start + offset)
            except OSError as error:
                raise LocalError(
                    f"cannot read {self._source.name}: {error.strerror or error}",
                    hint="check the file and its disk, then run again",
                ) from None
        if not count:
            raise SourceChanged(f"{self._source.name} was truncated while it was being sent")
        return view[:count]
