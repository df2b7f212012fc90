"""How many runs of bytes are remembered of a partial file: a bounded number, whatever its size."""

from typing import Dict, Tuple

from smartxfer.transfer.digest import Check

__all__ = ["MOST_RUNS", "Runs", "joined"]

#: Runs that are remembered each with its own checksum, so that damage costs little.
MOST_RUNS = 1024

Runs = Dict[int, Tuple[int, int]]
"""stop -> (start, checksum) of each run of bytes."""


def joined(runs: Runs, check: Check) -> Runs:
    """Return the same bytes in fewer runs: neighbours are joined in pairs."""
    found: Runs = {}
    before = None
    for stop in sorted(runs):
        start, checksum = runs[stop]
        if before == start:
            first, earlier = found.pop(start)
            found[stop] = first, check.join(earlier, checksum, stop - start)
            before = None
        else:
            found[stop] = start, checksum
            before = stop
    return found
