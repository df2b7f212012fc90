"""Part files of interrupted encrypted downloads: complete chunks, authenticated by a MAC."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer._system import FileSystem
from smartxfer.errors import DecodeError, LocalError
from smartxfer.filesender.decryption import Decryptor, PartFileMac
from smartxfer.transfer import FileSink
from smartxfer.transfer.digest import CRC32
from tests.support.encrypted_transfers import CHUNK, PASSWORD, anyone
from tests.support.filesender_harness import content

DATA = os.urandom(3 * CHUNK + 1)
SECRET = bytes(range(32))


@pytest.fixture(params=[1, 3])
def interrupted(site: Any, out: Path, monkeypatch: Any, request: Any) -> Callable[[float], Any]:
    """Return ``interrupted(1.5)``: it fetches DATA until that many chunks are written, and returns how to continue."""
    transfer = site.client().upload_workflow([("a.bin", DATA)], password=PASSWORD, key_version=request.param)
    left = [0]

    def pwrite(self: FileSystem, fd: int, data: memoryview, offset: int) -> int:
        count = min(len(data), left[0])
        if not count:
            raise OSError(5, "the disk has gone")
        left[0] -= count
        return os.pwrite(fd, data[:count], offset)

    def until(chunks: float) -> Callable[[], Any]:
        left[0] = int(chunks * CHUNK)
        with monkeypatch.context() as patch:
            patch.setattr(FileSystem, "pwrite", pwrite)
            with pytest.raises(LocalError, match="gone"):
                anyone(site, max_workers=1).download_files(transfer.token, out, password=PASSWORD)
        assert "a.bin" not in content(out)

        def resume() -> Any:
            [result] = anyone(site).download_files(transfer.token, out, password=PASSWORD)
            assert content(out) == {"a.bin": DATA}
            return result.resumed

        return resume

    return until


@pytest.mark.parametrize("chunks", [0.5, 1, 1.5, 2.9, 3])
def test_a_download_continues_after_the_last_complete_chunk(interrupted: Callable[[float], Any], chunks: float) -> None:
    assert interrupted(chunks)() == int(chunks) * CHUNK


def _alter(out: Path, change: Callable[[bytearray], None], summed: Callable[[bytes], int]) -> None:
    part, side = out / "a.bin.part", out / "a.bin.part.json"
    data = bytearray(part.read_bytes())
    change(data)
    part.write_bytes(data)
    noted = json.loads(side.read_text("utf-8"))
    noted["runs"] = [[start, stop, summed(data[start:stop])] for start, stop, _ in noted["runs"]]
    side.write_text(json.dumps(noted), "utf-8")


def _swap(data: bytearray) -> None:
    data[:CHUNK], data[CHUNK : 2 * CHUNK] = data[CHUNK : 2 * CHUNK], data[:CHUNK]


def _flip(data: bytearray) -> None:
    data[7] ^= 1


SUMS: Dict[str, Callable[[bytes], int]] = {
    "a CRC": zlib.crc32,
    "another's MAC": lambda data: PartFileMac(lambda: SECRET, CHUNK).update(0, data, 0),
    "nothing": lambda data: 0,
}


@pytest.mark.parametrize(
    ("change", "summed"),
    [(change, summed) for change in (_swap, _flip) for summed in SUMS.values()] + [(_swap, None)],
    ids=[f"{change}, {summed}" for change in ("swapped", "flipped") for summed in SUMS] + ["swapped, the true sum"],
)
def test_what_was_slipped_in_is_fetched_again(interrupted: Any, out: Path, change: Any, summed: Any) -> None:
    resume = interrupted(2)
    [[_, _, true]] = json.loads((out / "a.bin.part.json").read_text("utf-8"))["runs"]
    _alter(out, change, summed or (lambda data: int(true)))
    assert resume() == 0


def test_a_sink_is_not_left_with_a_key(site: Any, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "a.bin")
    for password in (PASSWORD, None):
        transfer = site.client().upload_workflow([("a.bin", DATA)], link=True, password=password)
        [file] = anyone(site).list_files(transfer.token)
        anyone(site).download_file(transfer.token, file.id, sink, password=password)
        assert (sink.checksum is CRC32) is (password is None)
        assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_key_is_derived_by_who_needs_it(site: Any) -> None:
    transfer = site.client().upload_workflow([("a.bin", DATA)], link=True, password=PASSWORD, key_version=3)
    [file] = anyone(site).list_files(transfer.token)
    mac = Decryptor(PASSWORD).create_part_file_mac(attrs.evolve(file, key_salt=""))
    with pytest.raises(DecodeError, match="salt"):
        mac.update(0, b"x", 0)


@given(st.binary(min_size=1, max_size=40), st.integers(1, 9), st.data())
def test_the_sum_is_that_of_all_chunks_in_any_order(data: bytes, grain: int, draw: st.DataObject) -> None:
    mac = PartFileMac(lambda: SECRET, grain)
    pieces: List[Any] = [(at, data[at : at + grain]) for at in range(0, len(data), grain)]
    running = 0
    for at, piece in draw.draw(st.permutations(pieces)):
        running = mac.update(running, piece, at)
    assert running == mac.update(0, memoryview(data), 0)
    place = draw.draw(st.integers(0, len(data) - 1))
    other = bytearray(data)
    other[place] ^= draw.draw(st.integers(1, 255))
    assert mac.update(0, other, 0) != running
    assert mac.update(0, data, grain) != running
    assert PartFileMac(lambda: bytes(32), grain).update(0, data, 0) != running
