"""The parts of a file, the pieces of a partial file, and checksums of both."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import threading
import zlib
from pathlib import Path
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.errors import SourceChanged, UsageError
from smartxfer.transfer import file_sink
from smartxfer.transfer.crc import combine_crc32
from smartxfer.transfer.digest import CRC32, compute_file_digest, crc32, new_hash
from smartxfer.transfer.extent_map import merge_adjacent_pairs
from smartxfer.transfer.extents import merge_extents, missing_extents
from smartxfer.transfer.file_parts import split_into_parts
from smartxfer.transfer.hashing_source import HashingSource
from smartxfer.transfer.source import BytesSource, PathSource
from tests.support.sinks import begun


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_the_checksum_of_two_runs(first: bytes, second: bytes) -> None:
    assert combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_the_checksum_of_a_long_run() -> None:
    first, second = b"head", bytes(5 << 20)
    assert combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_neighbours_are_joined_in_pairs() -> None:
    data = bytes(range(60))
    extents = [(0, 10), (10, 20), (20, 30), (35, 40), (40, 60)]
    runs = {stop: (start, zlib.crc32(data[start:stop])) for start, stop in extents}
    found = merge_adjacent_pairs(runs, CRC32)
    assert {(start, stop) for stop, (start, _) in found.items()} == {(0, 20), (20, 30), (35, 60)}
    assert all(checksum == zlib.crc32(data[start:stop]) for stop, (start, checksum) in found.items())


def test_the_note_stays_small_and_every_byte_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect one entry for each piece: megabytes of state, written every second."""
    monkeypatch.setattr(file_sink, "MAX_EXTENTS", 16)
    data = bytes(number * 7 % 251 for number in range(4000))
    order = list(range(0, 3600, 10))
    random.Random(1).shuffle(order)
    order.sort(key=lambda at: at // 400)  # as pieces come: nearly in order
    sink, _ = begun(tmp_path / "a", len(data))
    for at in order:
        sink.write_at(data[at : at + 4], at)
        sink.write_at(data[at + 4 : at + 10], at + 4)
    sink.suspend()
    noted = json.loads((tmp_path / "a.part.json").read_text(encoding="utf-8"))["runs"]
    assert len(noted) <= 60
    sink, have = begun(tmp_path / "a", len(data))
    assert sum(stop - start for start, stop in have) == 3600
    sink.write_at(data[3600:], 3600)
    sink.commit()
    assert (tmp_path / "a").read_bytes() == data


# -- parts and gaps ---------------------------------------------------------------------------------------


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


# -- checksums --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_digest_of_path_and_file(tmp_path: Path, algorithm: str) -> None:
    data = bytes(range(256)) * 10_000
    path = tmp_path / "file"
    path.write_bytes(data)
    expected = hashlib.new(algorithm, data).hexdigest()
    assert compute_file_digest(path, algorithm) == compute_file_digest(str(path), algorithm) == expected
    file = io.BytesIO(b"skipped" + data)
    file.seek(7)
    assert compute_file_digest(file, algorithm) == expected


def test_digest_of_nothing() -> None:
    assert compute_file_digest(io.BytesIO()) == hashlib.sha256().hexdigest()


def test_an_unknown_algorithm() -> None:
    with pytest.raises(UsageError, match="sha257"):
        new_hash("sha257")


@given(st.binary(), st.binary())
def test_crc32_of_consecutive_blocks(one: bytes, other: bytes) -> None:
    added = CRC32.update(CRC32.update(0, one, 0), other, len(one))
    assert added == CRC32.update(0, one + other, 7) == crc32(one + other) == zlib.crc32(one + other)


# -- in parallel to an upload -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (3 << 20) + 5])
def test_the_digest_is_that_of_all_bytes_whatever_else_is_read(size: int) -> None:
    data = os.urandom(size)
    source = HashingSource(BytesSource(data), "md5")
    buffer = memoryview(bytearray(100))
    assert (source.read_at(buffer, 7), source.digest()) == (len(data[7:107]), hashlib.md5(data).hexdigest())
    source.close()


def test_closing_ends_the_thread_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(4 << 30)
    source = HashingSource(PathSource(path), "md5")
    assert not any(thread.name == "smartxfer-digest" for thread in threading.enumerate())
    assert source.read_at(memoryview(bytearray(1)), 0) == 1  # the thread starts with the first read
    assert any(thread.name == "smartxfer-digest" for thread in threading.enumerate())
    source.close()
    assert not any(thread.name == "smartxfer-digest" for thread in threading.enumerate())


def test_a_file_that_became_shorter_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * 100)
    inner = PathSource(path)
    os.truncate(str(path), 50)
    source = HashingSource(inner, "md5")
    with pytest.raises(SourceChanged, match="was truncated while"):
        source.digest()
    source.close()
