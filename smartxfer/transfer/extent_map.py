"""Extents of a part file, limited in number."""

from typing import Dict, Tuple

from smartxfer.transfer.digest import IncrementalChecksum

__all__ = ["MAX_EXTENTS", "ExtentMap", "merge_adjacent_pairs"]

#: Maximum number of extents with their own checksums; more extents make damage cheaper to repair.
MAX_EXTENTS = 1024

ExtentMap = Dict[int, Tuple[int, int]]
"""stop -> (start, checksum) of each extent."""


def merge_adjacent_pairs(extents: ExtentMap, check: IncrementalChecksum) -> ExtentMap:
    """Return the same bytes in fewer extents, by joining adjacent ones in pairs."""
    merged: ExtentMap = {}
    before = None
    for stop in sorted(extents):
        start, checksum = extents[stop]
        if before == start:
            first, earlier = merged.pop(start)
            merged[stop] = first, check.combine(earlier, checksum, stop - start)
            before = None
        else:
            merged[stop] = start, checksum
            before = stop
    return merged
