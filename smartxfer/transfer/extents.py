"""Extents of a file: present and missing byte ranges."""

from typing import Iterable, Iterator, List, Tuple

from smartxfer.errors import UsageError

__all__ = ["merge_extents", "missing_extents"]


def merge_extents(extents: Iterable[Tuple[int, int]]) -> List[Tuple[int, int]]:
    """Return the same bytes as ordered extents that neither touch nor overlap.

    >>> merge_extents([(4, 6), (0, 2), (2, 3)])
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


def missing_extents(
    size: int, present: Iterable[Tuple[int, int]], block_size: int
) -> Iterator[Tuple[int, int]]:
    """Yield the missing extents of [0, size), split at multiples of ``block_size``.

    >>> list(missing_extents(10, [(2, 3)], 4))
    [(0, 2), (3, 4), (4, 8), (8, 10)]

    :raises UsageError: ``block_size`` is less than 1.
    """
    if block_size < 1:
        raise UsageError(
            f"cannot split {size} bytes into blocks of {block_size}", hint="pass a part size of 1 or more"
        )
    return _iter_missing(size, [*merge_extents(present), (size, size)], block_size)


def _iter_missing(size: int, present: List[Tuple[int, int]], block_size: int) -> Iterator[Tuple[int, int]]:
    position = 0
    for start, stop in present:
        while position < min(start, size):
            end = min(start, size, (position // block_size + 1) * block_size)
            yield position, end
            position = end
        position = max(position, stop)
