"""Buffers for moving bytes: thread buffers, a pool of part buffers, and adaptive block sizes.

Memory does not grow with the size of a file.  Each thread has one buffer, and a part that must be in memory
completely, for example to encrypt it, borrows a buffer from a pool.
"""

import contextlib
import mmap
import threading
from typing import Callable, Iterator, List, Optional

from smartxfer._system import SYSTEM_CLOCK, Clock
from smartxfer.errors import SourceChanged
from smartxfer.transfer.protocols import Source

__all__ = [
    "BLOCK_SIZE", "MIN_BLOCK_SIZE", "AdaptiveBlockSize", "BufferPool", "allocate_buffer",
    "get_thread_buffer", "iter_blocks", "pop_last_block_size", "set_last_block_size",
]  # fmt: skip

#: Block size in bytes for local files and fast connections.
BLOCK_SIZE = 1024 * 1024
#: Block size in bytes for connections that are slow, or whose speed is unknown.
MIN_BLOCK_SIZE = 64 * 1024
#: Maximum seconds of a block on a fast connection, and minimum seconds on a slow one.
_FAST_BLOCK_SECONDS, _SLOW_BLOCK_SECONDS = 0.02, 0.5
#: Bytes of a large page.
_HUGE_PAGE_SIZE = 2 * 1024 * 1024

_local = threading.local()


def get_thread_buffer() -> memoryview:
    """Return the buffer of the calling thread, with :data:`BLOCK_SIZE` bytes."""
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(BLOCK_SIZE))
    view: memoryview = _local.buffer
    return view


class BufferPool:
    """Reusable buffers for complete parts."""

    def __init__(self) -> None:
        self._free: List[memoryview] = []

    @contextlib.contextmanager
    def borrow(self, size: int) -> Iterator[memoryview]:
        """Yield a buffer of ``size`` bytes, which is returned to the pool after the block."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = allocate_buffer(size)
        if len(buffer) < size:
            buffer = allocate_buffer(size)
        try:
            yield buffer[:size]
        finally:
            self._free.append(buffer)


def allocate_buffer(size: int) -> memoryview:
    """Return a buffer of at least ``size`` bytes, in huge pages if the system supports them.

    The page faults of thousands of small pages take longer than filling the buffer.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # elsewhere than on Linux
        return memoryview(bytearray(size))
    mapped = mmap.mmap(
        -1, -(-size // _HUGE_PAGE_SIZE) * _HUGE_PAGE_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    )
    mapped.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(mapped)


def pop_last_block_size() -> int:
    """The block that the calling thread's last body ended with; small after one that broke."""
    block: int = getattr(_local, "block", MIN_BLOCK_SIZE)
    _local.block = MIN_BLOCK_SIZE
    return block


def set_last_block_size(size: int) -> None:
    """Set the first block size of the next body in the calling thread."""
    _local.block = size


class AdaptiveBlockSize:
    """Size of the next block: small on a slow connection, so that the stall detection sees bytes move."""

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, *, maximum: int = BLOCK_SIZE, begin: int = MIN_BLOCK_SIZE
    ) -> None:
        self.size = begin
        self._maximum = maximum
        self._clock = clock
        self._at = clock.monotonic()

    def update(self) -> int:
        """Return the size of the next block; called after each block."""
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
    """Yield the bytes [start, stop) of a source in blocks, each of which is valid until the next one.

    :param stop: None for the end of the source.
    :param check: called before each block; raises if the call is ending.
    :raises SourceChanged: the source ends before ``stop``.
    """
    position, stop = start, source.size if stop is None else stop
    view = memoryview(bytearray(min(BLOCK_SIZE, max(0, stop - start))))
    while position < stop:
        check()
        count = source.read_at(view[: stop - position], position)
        if not count:
            raise SourceChanged(f"{source.name} was truncated while it was being read")
        yield view[:count]
        position += count
