"""How many runs of bytes are remembered of a partial file: a bounded number, whatever its size."""

from typing import Dict, Tuple

from smartxfer.transfer.digest import IncrementalChecksum

__all__ = ["MAX_EXTENTS", "ExtentMap", "merge_adjacent_pairs"]

#: Runs that are remembered each with its own checksum, so that damage costs little.
MAX_EXTENTS = 1024

ExtentMap = Dict[int, Tuple[int, int]]
"""stop -> (start, checksum) of each run of bytes."""


def merge_adjacent_pairs(extents: ExtentMap, check: IncrementalChecksum) -> ExtentMap:
    """Return the same bytes in fewer runs: neighbours are joined in pairs."""
    found: ExtentMap = {}
    before = None
    for stop in sorted(extents):
        start, checksum = extents[stop]
        if before == start:
            first, earlier = found.pop(start)
            found[stop] = first, check.combine(earlier, checksum, stop - start)
            before = None
        else:
            found[stop] = start, checksum
            before = stop
    return found
