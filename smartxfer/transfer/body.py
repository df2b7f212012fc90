"""The body of one request: a part of a source, read as it is sent."""

from typing import Callable, Iterator, Optional, Union

from smartxfer.errors import LocalError, SourceChanged
from smartxfer.transfer.buffers import BLOCK, Pace, buffer
from smartxfer.transfer.plan import Part
from smartxfer.transfer.protocols import Source
from smartxfer.transport import Attempt

__all__ = ["PartBody", "Scaled"]

class Scaled:
    """Tells of bytes in another measure: of ``size`` bytes that stand for ``meant``."""

    def __init__(self, size: int, meant: int, moved: Callable[[int], None]) -> None:
        self._size, self._meant, self._moved = size, meant, moved
        self._at = self._told = 0

    def __call__(self, count: int) -> None:
        """``count`` more bytes (less than 0: fewer) were moved."""
        self._at += count
        now = self._meant * self._at // self._size
        change, self._told = now - self._told, now
        self._moved(change)


class PartBody:
    """A file-like body for requests: a length, ``read`` in blocks without copies, and ``seek(0)``.

    :param moved: told the number of bytes handed to the socket; less than 0 when they are sent again.
    """

    def __init__(self, source: Source, part: Part, moved: Callable[[int], None]) -> None:
        self.part = part
        self._source = source
        #: Gives the bytes without a copy, where they are in memory.
        self._view_at = getattr(source, "view_at", None)
        self._moved = moved
        self._at = 0
        self._told = 0
        self._pace = Pace()
        self._attempt: Optional[Attempt] = None

    def follow(self, attempt: Attempt) -> None:
        """Count the bytes that are sent from now on for a try."""
        self._attempt = attempt

    def __len__(self) -> int:
        return self.part.size

    def __iter__(self) -> Iterator[memoryview]:
        """The blocks, for a look at the bytes before they are sent (a signature, a checksum)."""
        at = 0
        while at < self.part.size:
            block = self._block(at, BLOCK)
            at += len(block)
            yield block

    def tell(self) -> int:
        """Offset within the part."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Rewind; only to the start."""
        if (offset, whence) != (0, 0):
            raise LocalError("a part can only be rewound to its start")
        self._at = 0
        self.unsend()
        return 0

    def unsend(self) -> None:
        """Take back what was told as sent."""
        if self._told:
            told, self._told = self._told, 0
            self._moved(-told)

    def read(self, size: int = -1) -> Union[bytes, memoryview]:
        """The next block, of the size that the line's pace allows; the one before it is sent by now.

        Without a ``size`` all that is left, as a file gives it; nothing that sends for us asks so.
        """
        if size < 0:
            return b"".join(bytes(block) for block in iter(lambda: self.read(BLOCK), b""))
        self._tell_sent()
        wanted = self._pace.step()
        if self._attempt is not None:
            self._attempt.guarded = self._at < self.part.size
        block = self._block(self._at, max(size, wanted))
        self._at += len(block)
        return block

    def _tell_sent(self) -> None:
        count = self._at - self._told
        if count > 0:
            self._told = self._at
            if self._attempt is not None:
                self._attempt.moved += count
            self._moved(count)

    def _block(self, at: int, wanted: int) -> memoryview:
        wanted = min(wanted, self.part.size - at, BLOCK)
        view = buffer()[:wanted]
        if not wanted:
            return view
        if self._view_at is not None:
            view = self._view_at(self.part.start + at, wanted)
            count = len(view)
        else:
            try:
                count = self._source.read_at(view, self.part.start + at)
            except OSError as error:
                raise LocalError(f"cannot read {self._source.name}: {error.strerror or error}") from None
        if not count:
            raise SourceChanged(f"{self._source.name} became shorter while it was sent")
        return view[:count]
