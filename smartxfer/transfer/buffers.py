"""The buffers by which bytes are moved: their sizes, and their use again.

Memory does not grow with the size of a file: each thread has one buffer of its own, and what has to be held
whole, such as a part that is encrypted, is lent for as long as it is needed.
"""

import contextlib
import mmap
import threading
from typing import Callable, Iterator, List, Optional

from smartxfer._system import SYSTEM_CLOCK, Clock
from smartxfer.errors import SourceChanged
from smartxfer.transfer.protocols import Source

__all__ = [
    "BLOCK_SIZE",
    "MIN_BLOCK_SIZE",
    "AdaptiveBlockSize",
    "BufferPool",
    "allocate_buffer",
    "get_thread_buffer",
    "iter_blocks",
    "pop_last_block_size",
    "set_last_block_size",
]  # fmt: skip

#: Bytes that are read or written at once: of a file on this machine, and on a line that is fast.
BLOCK_SIZE = 1024 * 1024
#: Bytes that are moved at once on a line that is slow, or not known yet.
MIN_BLOCK_SIZE = 64 * 1024
#: Seconds that a block takes on a fast line, at most, and on a slow one, at least.
_FAST_BLOCK_SECONDS, _SLOW_BLOCK_SECONDS = 0.02, 0.5
#: Bytes of a large page.
_HUGE_PAGE_SIZE = 2 * 1024 * 1024

_local = threading.local()


def get_thread_buffer() -> memoryview:
    """The calling thread's own buffer of :data:`BLOCK` bytes."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(BLOCK_SIZE))
    view: memoryview = _local.buffer
    return view


class BufferPool:
    """Buffers for parts that have to be held whole; each is lent to one part at a time, and used again."""

    def __init__(self) -> None:
        self._free: List[memoryview] = []

    @contextlib.contextmanager
    def borrow(self, size: int) -> Iterator[memoryview]:
        """A buffer of ``size`` bytes, while the block lasts."""
        try:
            held = self._free.pop()
        except IndexError:
            held = allocate_buffer(size)
        if len(held) < size:
            held = allocate_buffer(size)
        try:
            yield held[:size]
        finally:
            self._free.append(held)


def allocate_buffer(size: int) -> memoryview:
    """A buffer of at least ``size`` bytes, in large pages where the system has them.

    The faults of thousands of small pages cost more than what fills the buffer.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # elsewhere than on Linux
        return memoryview(bytearray(size))
    held = mmap.mmap(
        -1, -(-size // _HUGE_PAGE_SIZE) * _HUGE_PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    )
    held.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(held)


def pop_last_block_size() -> int:
    """The block that the calling thread's last body ended with; small after one that broke."""
    block: int = getattr(_local, "block", MIN_BLOCK_SIZE)
    _local.block = MIN_BLOCK_SIZE
    return block


def set_last_block_size(size: int) -> None:
    """Have the calling thread's next body begin with a block of that size."""
    _local.block = size


class AdaptiveBlockSize:
    """The size of the next block: small on a slow line, so that the stall guard sees bytes move."""

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, *, maximum: int = BLOCK_SIZE, begin: int = MIN_BLOCK_SIZE
    ) -> None:
        self.size = begin
        self._maximum = maximum
        self._clock = clock
        self._at = clock.monotonic()

    def update(self) -> int:
        """One block went: how large the next may be, in bytes."""
        now = self._clock.monotonic()
        took, self._at = now - self._at, now
        if took < _FAST_BLOCK_SECONDS:
            self.size = min(self.size * 2, self._maximum)
        elif took > _SLOW_BLOCK_SECONDS:
            self.size = MIN_BLOCK_SIZE
        return self.size


def iter_blocks(
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
    view = memoryview(bytearray(min(BLOCK_SIZE, max(0, stop - start))))
    while at < stop:
        check()
        count = source.read_at(view[: stop - at], at)
        if not count:
            raise SourceChanged(f"{source.name} became shorter while it was read")
        yield view[:count]
        at += count
