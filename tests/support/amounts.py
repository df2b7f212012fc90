"""Size of the costly tests: less in an ordinary run, all of it with SMARTXFER_TEST_EVERY=1."""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Set, Tuple

EVERY = os.environ.get("SMARTXFER_TEST_EVERY") == "1"


def amount(usual: int, every: int) -> int:
    """Return how many rounds, files or bytes a test takes."""
    return every if EVERY else usual


def spread(cases: Sequence[Tuple[str, str]], one_in: int = 3) -> List[Tuple[str, str]]:
    """Return the cases of a table that a test takes: one in so many, spread over its rows and columns.

    Each row and each column is taken at least once: each request fails, and it fails in each way somewhere.

    :param cases: row and column of each.
    """
    if EVERY:
        return list(cases)
    rows = _numbered([row for row, _ in cases])
    columns = _numbered([column for _, column in cases])
    taken = {(row, column) for row, column in cases if (rows[row] + columns[column]) % one_in == 0}
    seen: Set[Tuple[int, str]] = {(at, case[at]) for case in taken for at in (0, 1)}
    for case in cases:
        new = {(0, case[0]), (1, case[1])} - seen
        if new:
            taken.add(case)
            seen |= new
    return [case for case in cases if case in taken]


def _numbered(names: Sequence[str]) -> Dict[str, int]:
    """Return the place of each name among those that differ."""
    return {name: number for number, name in enumerate(dict.fromkeys(names))}
