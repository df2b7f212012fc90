from __future__ import annotations

from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import UsageError
from smartxfer.transfer.extents import merge_extents, missing_extents
from smartxfer.transfer.file_parts import split_into_parts

extents = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


def covered(found: List[Tuple[int, int]]) -> List[int]:
    return [byte for start, stop in found for byte in range(start, stop)]


@given(st.integers(0, 10_000), st.integers(1, 3_000))
def test_parts_cover_the_file_once_and_in_order(size: int, chunk: int) -> None:
    parts = split_into_parts(size, chunk)
    assert [part.number for part in parts] == list(range(len(parts)))
    assert sum(part.size for part in parts) == size
    at = 0
    for part in parts:
        assert part.start == at
        assert 0 < part.size <= chunk
        at = part.stop
    assert all(part.size == chunk for part in parts[:-1])


@pytest.mark.parametrize(("size", "chunk"), [(-1, 5), (5, 0), (5, -1)])
def test_nonsense(size: int, chunk: int) -> None:
    with pytest.raises(UsageError, match="cannot split"):
        split_into_parts(size, chunk)


@given(extents)
def test_merge_keeps_every_byte_once(found: List[Tuple[int, int]]) -> None:
    merged = merge_extents(found)
    assert covered(merged) == sorted(set(covered(found)))
    assert all(one[1] < other[0] for one, other in zip(merged, merged[1:]))
    assert merge_extents(merged) == merged


@given(st.integers(0, 60), extents, st.integers(1, 20))
def test_gaps_are_what_is_missing(size: int, have: List[Tuple[int, int]], step: int) -> None:
    missing = list(missing_extents(size, have, step))
    assert covered(missing) == sorted(set(range(size)) - set(covered(have)))
    for start, stop in missing:
        assert start < stop
        assert start // step == (stop - 1) // step  # within one step


@pytest.mark.parametrize("step", [0, -1])
def test_gaps_of_no_step_are_refused(step: int) -> None:
    """Fails if such a chunk size of a site causes an endless loop."""
    with pytest.raises(UsageError, match="blocks of"):
        list(missing_extents(10, [], step))
