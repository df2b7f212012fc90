"""A partial file of many pieces: its side file does not grow with its size."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.transfer import file_sink
from smartxfer.transfer.crc import combine_crc32
from smartxfer.transfer.digest import CRC32
from smartxfer.transfer.extent_map import merge_adjacent_pairs
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
