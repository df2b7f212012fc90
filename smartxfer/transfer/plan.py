"""How a file is cut into parts: plain arithmetic, no input or output."""

from typing import Iterable, Iterator, List, NamedTuple, Tuple

from smartxfer.errors import UsageError

__all__ = ["Part", "cut", "gaps", "merge"]


class Part(NamedTuple):
    """Bytes [start, stop) of a file; ``number`` counts from 0."""

    number: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


def cut(size: int, chunk_size: int) -> List[Part]:
    """Parts of ``chunk_size`` bytes that cover ``size`` bytes in order; an empty file has none.

    >>> cut(5, 2)
    [Part(number=0, start=0, stop=2), Part(number=1, start=2, stop=4), Part(number=2, start=4, stop=5)]
    """
    if size < 0 or chunk_size < 1:
        raise UsageError(f"cannot cut {size} bytes into chunks of {chunk_size}")
    starts = range(0, size, chunk_size)
    return [Part(i, start, min(start + chunk_size, size)) for i, start in enumerate(starts)]


def merge(extents: Iterable[Tuple[int, int]]) -> List[Tuple[int, int]]:
    """The same bytes as ordered extents that neither touch nor overlap.

    >>> merge([(4, 6), (0, 2), (2, 3)])
    [(0, 3), (4, 6)]
    """
    merged: List[Tuple[int, int]] = []
    for start, stop in sorted(extents):
        if start >= stop:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def gaps(size: int, have: Iterable[Tuple[int, int]], step: int) -> Iterator[Tuple[int, int]]:
    """What is missing of [0, size), in pieces that do not cross a multiple of ``step``.

    >>> list(gaps(10, [(2, 3)], 4))
    [(0, 2), (3, 4), (4, 8), (8, 10)]

    :raises UsageError: ``step`` is less than 1.
    """
    if step < 1:
        raise UsageError(f"cannot cut {size} bytes into chunks of {step}")
    at = 0
    for start, stop in [*merge(have), (size, size)]:
        while at < min(start, size):
            end = min(start, size, (at // step + 1) * step)
            yield at, end
            at = end
        at = max(at, stop)
