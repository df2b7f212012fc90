"""Compatibility with Debian's ``rdiff``: the same bytes, and files exchanged in both directions.

A machine without ``rdiff`` or librsync fails these tests: nothing else shows that the formats are right.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartxfer import delta
from tests.support import delta_edits
from tests.support.amounts import amount
from tests.support.delta_edits import FORMATS, FillingLine, Line, Pair, noise, pairs, rdiff, sizes

#: A process per call of rdiff: few examples each, of many kinds.
few = settings(max_examples=amount(30, 300))
formats = pytest.mark.parametrize("name", FORMATS)


class Room:
    """A directory with the two files of a pair."""

    def __init__(self, path: Path, pair: Pair) -> None:
        self.path = path
        self.basis, self.fresh = path / "basis", path / "fresh"
        self.basis.write_bytes(pair.basis)
        self.fresh.write_bytes(pair.fresh)
        self.block_length = pair.block_length

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def rdiff_signature(self, name: str, strong: int = 8) -> Path:
        """A signature of the old file by rdiff, in the format of that name."""
        target = self / "rdiff.signature"
        rdiff(*FORMATS[name].options, "-S", strong, "-b", self.block_length, "signature", self.basis, target)
        return target

    def rdiff_delta(self, signature: Path) -> Path:
        rdiff("delta", signature, self.fresh, self / "rdiff.delta")
        return self / "rdiff.delta"

    def rdiff_patch(self, change: Path) -> bytes:
        rdiff("patch", self.basis, change, self / "rdiff.new")
        return (self / "rdiff.new").read_bytes()

    def our_patch(self, change: Path) -> bytes:
        size = delta.patch(self.basis, change, self / "our.new")
        made = (self / "our.new").read_bytes()
        assert size == len(made)
        return made


@contextlib.contextmanager
def a_room(pair: Pair) -> Iterator[Room]:
    """One directory for each example."""
    with tempfile.TemporaryDirectory(prefix="rdiff-") as place:
        yield Room(Path(place), pair)


@pytest.fixture(autouse=True)
def _both_are_here() -> None:
    """No skip: what these tests show can be shown in no other way."""
    if shutil.which("rdiff") is None:
        pytest.fail("these tests need the program rdiff (Debian: apt-get install rdiff)")
    if not delta.available():
        pytest.fail("these tests need librsync (Debian: apt-get install librsync2)")


@pytest.mark.parametrize(("name", "lengths"), [("md4", [8, 8, 1, 2, 15, 16]), ("blake2", [8, 8, 1, 31, 32])])
@few
@given(data=st.data(), pair=pairs())
def test_our_signature_is_that_of_rdiff(name: str, lengths: List[int], data: st.DataObject, pair: Pair) -> None:
    strong = data.draw(st.sampled_from(lengths))
    with a_room(pair) as room:
        options = {"block_length": pair.block_length, "strong_length": strong, "hash": name}
        size = delta.signature(room.basis, room / "ours", **options)
        made = (room / "ours").read_bytes()
        assert (made, size) == (room.rdiff_signature(name, strong).read_bytes(), len(made))


@few
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_the_block_length_that_we_choose_is_one_of_rdiff(data: st.DataObject, seed: int) -> None:
    size = data.draw(st.one_of(sizes(256), st.integers(0, 300_000)))
    block = delta.block_length_for(size)
    with a_room(Pair(noise(random.Random(seed), size), b"", block)) as room:
        delta.signature(room.basis, room / "ours")
        assert (room / "ours").read_bytes() == room.rdiff_signature("md4").read_bytes()


@formats
@few
@given(pair=pairs())
def test_the_header_of_each_format_is_read(name: str, pair: Pair) -> None:
    wanted = FORMATS[name]
    with a_room(pair) as room:
        header = delta.read_signature(room.rdiff_signature(name), basis_size=len(pair.basis))
    blocks = -(-len(pair.basis) // pair.block_length)
    assert (header.magic, header.hash) == (wanted.magic, wanted.hash)
    assert (header.block_length, header.strong_length, header.blocks) == (pair.block_length, 8, blocks)


@formats
@few
@given(pair=pairs())
def test_our_delta_from_any_signature_of_rdiff(name: str, pair: Pair) -> None:
    with a_room(pair) as room:
        signature = room.rdiff_signature(name)
        size = delta.delta(signature, room.fresh, room / "our.delta")
        made = (room / "our.delta").read_bytes()
        assert (size, room.rdiff_patch(room / "our.delta")) == (len(made), pair.fresh)
        assert room.our_patch(room / "our.delta") == pair.fresh
        assert made == room.rdiff_delta(signature).read_bytes()


@few
@given(pair=pairs())
def test_rdiff_understands_our_signature_and_our_delta(pair: Pair) -> None:
    with a_room(pair) as room:
        delta.signature(room.basis, room / "ours", block_length=pair.block_length)
        delta.delta(room / "ours", room.fresh, room / "our.delta")
        assert room.rdiff_patch(room.rdiff_delta(room / "ours")) == pair.fresh
        assert room.rdiff_patch(room / "our.delta") == pair.fresh


@few
@given(pair=pairs(), most=st.sampled_from([1, 3, 100, 4096]), stream=st.sampled_from([Line, FillingLine]))
def test_streams_give_the_same_bytes(pair: Pair, most: int, stream: Any) -> None:
    with a_room(pair) as room:
        signature, change, made = io.BytesIO(), io.BytesIO(), io.BytesIO()
        delta.signature(stream(pair.basis, most), signature, block_length=pair.block_length)
        wanted = room.rdiff_signature("md4")
        assert signature.getvalue() == wanted.read_bytes()
        delta.delta(stream(signature.getvalue(), most), stream(pair.fresh, most), change)
        assert change.getvalue() == room.rdiff_delta(wanted).read_bytes()
        delta.patch(io.BytesIO(pair.basis), stream(change.getvalue(), most), made)
        assert made.getvalue() == pair.fresh


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", [2048, None])
def test_64_mib(tmp_path: Path, block: Optional[int]) -> None:
    old, new, touched = delta_edits.large_pair(tmp_path, 64 * 1024 * 1024, seed=64, edits=160)
    delta.signature(old, tmp_path / "ours", block_length=block)
    block = block or delta.block_length_for(old.stat().st_size)
    rdiff("-R", "rollsum", "-H", "md4", "-S", 8, "-b", block, "signature", old, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    rdiff("delta", tmp_path / "theirs", new, tmp_path / "their.delta")
    theirs = (tmp_path / "their.delta").stat().st_size
    assert sum(touched.values()) > 0.008 * old.stat().st_size

    fresh = new.read_bytes()
    for workers in (None, 1, 2, 5):
        size = delta.delta(tmp_path / "theirs", new, tmp_path / "our.delta", workers=workers)
        # Every cut between workers costs a block that two of them see half of.
        assert theirs - block <= size <= theirs + 64 * (block + 16), workers
        rdiff("patch", old, tmp_path / "our.delta", tmp_path / "new")
        assert (tmp_path / "new").read_bytes() == fresh, workers
        assert delta.patch(old, tmp_path / "our.delta", tmp_path / "new") == len(fresh)
        assert (tmp_path / "new").read_bytes() == fresh, workers
    delta.patch(old, tmp_path / "their.delta", old)  # in place
    assert old.read_bytes() == fresh


def test_the_pairs_are_of_every_kind() -> None:
    """The strategies above do reach the edges: empty files, a block's length, equal files."""
    seen = set()

    @settings(max_examples=400)
    @given(pair=pairs())
    def look(pair: Pair) -> None:
        seen.add(("block", pair.block_length))
        seen.add(("empty basis", not pair.basis))
        seen.add(("empty fresh", not pair.fresh))
        seen.add(("equal", pair.basis == pair.fresh))
        seen.add(("whole blocks", len(pair.basis) % pair.block_length == 0))
        seen.add(("several blocks", len(pair.basis) > 3 * pair.block_length))

    look()
    flags = {"empty basis", "empty fresh", "equal", "whole blocks", "several blocks"}
    assert {(flag, value) for flag in flags for value in (True, False)} <= seen
    assert {("block", block) for block in delta_edits.BLOCK_LENGTHS} <= seen
