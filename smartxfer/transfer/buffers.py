"""The buffers by which bytes are moved: their sizes, and their use again.

Memory does not grow with the size of a file: each thread has one buffer of its own, and what has to be held
whole, such as a part that is encrypted, is lent for as long as it is needed.
"""

import contextlib
import mmap
import threading
from typing import Callable, Iterator, List, Optional

from smartxfer.errors import SourceChanged
from smartxfer.seams import SYSTEM_CLOCK, Clock
from smartxfer.transfer.protocols import Source

__all__ = [
    "BLOCK", "SMALLEST_BLOCK", "Pace", "Rooms", "blocks_of", "buffer", "fast_block", "memory",
    "remember_block",
]  # fmt: skip

#: Bytes that are read or written at once: of a file on this machine, and on a line that is fast.
BLOCK = 1024 * 1024
#: Bytes that are moved at once on a line that is slow, or not known yet.
SMALLEST_BLOCK = 64 * 1024
#: Seconds that a block takes on a fast line, at most, and on a slow one, at least.
_FAST, _SLOW = 0.02, 0.5
#: Bytes of a large page.
_PAGE = 2 * 1024 * 1024

_local = threading.local()


def buffer() -> memoryview:
    """The calling thread's own buffer of :data:`BLOCK` bytes."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(BLOCK))
    view: memoryview = _local.buffer
    return view


class Rooms:
    """Buffers for parts that have to be held whole; each is lent to one part at a time, and used again."""

    def __init__(self) -> None:
        self._free: List[memoryview] = []

    @contextlib.contextmanager
    def lend(self, size: int) -> Iterator[memoryview]:
        """A buffer of ``size`` bytes, while the block lasts."""
        try:
            held = self._free.pop()
        except IndexError:
            held = memory(size)
        if len(held) < size:
            held = memory(size)
        try:
            yield held[:size]
        finally:
            self._free.append(held)


def memory(size: int) -> memoryview:
    """A buffer of at least ``size`` bytes, in large pages where the system has them.

    The faults of thousands of small pages cost more than what fills the buffer.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # elsewhere than on Linux
        return memoryview(bytearray(size))
    held = mmap.mmap(-1, -(-size // _PAGE) * _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    held.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(held)


def fast_block() -> int:
    """The block that the calling thread's last body ended with; small after one that broke."""
    block: int = getattr(_local, "block", SMALLEST_BLOCK)
    _local.block = SMALLEST_BLOCK
    return block


def remember_block(size: int) -> None:
    """Have the calling thread's next body begin with a block of that size."""
    _local.block = size


class Pace:
    """The size of the next block: small on a slow line, so that the stall guard sees bytes move."""

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, *, most: int = BLOCK, begin: int = SMALLEST_BLOCK
    ) -> None:
        self.block = begin
        self._most = most
        self._clock = clock
        self._at = clock.monotonic()

    def step(self) -> int:
        """One block went: how large the next may be, in bytes."""
        now = self._clock.monotonic()
        took, self._at = now - self._at, now
        if took < _FAST:
            self.block = min(self.block * 2, self._most)
        elif took > _SLOW:
            self.block = SMALLEST_BLOCK
        return self.block


def blocks_of(
    source: Source,
    start: int = 0,
    stop: Optional[int] = None,
    check: Callable[[], object] = lambda: None,
) -> Iterator[memoryview]:
    """Yield the bytes [start, stop) of a source, each block valid until the next one.

    :param stop: None for the end.
    :param check: called before each block; raises when the call is over.
    :raises SourceChanged: there are fewer.
    """
    at, stop = start, source.size if stop is None else stop
    view = memoryview(bytearray(min(BLOCK, max(0, stop - start))))
    while at < stop:
        check()
        count = source.read_at(view[: stop - at], at)
        if not count:
            raise SourceChanged(f"{source.name} became shorter while it was read")
        yield view[:count]
        at += count
