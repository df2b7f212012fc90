"""Valid and invalid signatures and deltas."""

from __future__ import annotations

import contextlib
import io
import struct
from pathlib import Path
from typing import Any, List, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import delta
from smartxfer.delta.commands import Copy, encode_literal, read_commands
from smartxfer.delta.signature_header import parse_header
from smartxfer.delta.sizes import MAX_BLOCK_LENGTH
from smartxfer.delta.weak_sums import reject_collisions
from smartxfer.errors import DeltaError, UsageError
from tests.support.delta_edits import FORMATS, Line


def head(magic: int = 0x72730136, block: int = 2048, strong: int = 8) -> bytes:
    return struct.pack(">III", magic, block, strong)


def commands_of(change: bytes, basis_size: int = 1000, size: Union[int, None] = None) -> List[Union[Copy, bytes]]:
    """Return every command, with literal data as bytes."""
    incoming = io.BytesIO(change)
    commands = read_commands(incoming.readinto, basis_size, size)
    return [command if isinstance(command, Copy) else bytes(command) for command in commands]


@pytest.mark.parametrize("name", FORMATS)
def test_all_four_kinds_are_known(name: str) -> None:
    magic, hash_name, weak = FORMATS[name]
    made = head(magic, 700, 5) + bytes(3 * 9)
    found = delta.read_signature(io.BytesIO(made))
    assert found == delta.Signature(magic, hash_name, weak, 700, 5, 3)
    assert found.header() == made[:12]
    assert found.size == len(made)


def test_the_longest_sums_are_taken() -> None:
    assert parse_header(head(strong=16, block=MAX_BLOCK_LENGTH), 12).strong_length == 16
    assert parse_header(head(0x72730137, strong=32, block=1), 12).blocks == 0


@pytest.mark.parametrize(
    ("blocks", "size", "fits"),
    [
        *((2, size, True) for size in (4096, 4095, 2049)),
        *((2, size, False) for size in (2048, 4097)),
        *[(0, 0, True), (1, 0, False), (0, 1, False), (1, 2**40, False)],
    ],
)
def test_the_number_of_blocks_is_compared_with_the_size(blocks: int, size: int, fits: bool) -> None:
    made = io.BytesIO(head() + bytes(12 * blocks))
    assert delta.read_signature(made).blocks == blocks
    with contextlib.nullcontext() if fits else pytest.raises(DeltaError, match=f"{blocks} blocks?, but"):
        delta.read_signature(made, basis_size=size)


def test_reading_a_header_keeps_the_position_of_the_file(tmp_path: Path) -> None:
    made = b"before" + head() + bytes(24)
    (tmp_path / "file").write_bytes(made)
    with open(tmp_path / "file", "rb") as real:
        for file in (io.BytesIO(made), real):
            file.seek(6)
            assert delta.read_signature(file).blocks == 2
            assert file.tell() == 6


def test_the_header_of_a_stream_is_compared_with_all_of_it() -> None:
    line: Any = Line(head() + bytes(12 * 9999))
    assert delta.read_signature(line).blocks == 9999


def test_commands_of_every_width() -> None:
    change = (
        b"rs\x026" + b"\x02ab" + b"\x41\x01c" + b"\x42\x00\x02de" + b"\x43\x00\x00\x00\x01f"
        b"\x44" + bytes(7) + b"\x01g" + b"\x45\x05\x07" + b"\x4a\x00\x05\x00\x07"
        b"\x4f\x00\x00\x00\x05\x00\x00\x00\x07" + b"\x54" + bytes(7) + b"\x05" + bytes(7) + b"\x07" + b"\x00"
    )
    assert commands_of(change) == [b"ab", b"c", b"de", b"f", b"g", *[Copy(5, 7)] * 4]


def test_the_size_of_the_new_file_is_a_limit() -> None:
    change = b"rs\x026\x02ab\x45\x00\x0a\x00"
    assert commands_of(change, 10, 12) == [b"ab", Copy(0, 10)]
    with pytest.raises(DeltaError, match="more than the expected 11 bytes"):
        commands_of(change, 10, 11)
    with pytest.raises(DeltaError, match="12 bytes, not the expected 13"):
        commands_of(change, 10, 13)


@given(length=st.one_of(st.integers(1, 70), st.sampled_from([255, 256, 65535, 65536, 2**32 - 1, 2**32])))
def test_a_literal_command_is_as_short_as_it_can_be(length: int) -> None:
    made = encode_literal(length)
    wanted = 1 + sum(length > most for most in (64,)) + sum(length > most for most in (255,))
    wanted += 2 * (length > 65535) + 4 * (length > 2**32 - 1)
    assert len(made) == wanted
    read = read_commands(io.BytesIO(b"rs\x026" + made + b"x").readinto, 0)
    assert bytes(next(read)) == b"x"  # type: ignore[arg-type]
    if length == 1:
        with pytest.raises(DeltaError, match="truncated"):
            next(read)


@pytest.mark.parametrize(
    ("size", "block"),
    [
        *[(None, 2048), (0, 256), (256 * 256, 256), (384 * 384 - 1, 256), (384 * 384, 384)],
        *[(4 * 1024**2, 2048), (256 * 1024**2, 16384), (1024**5, MAX_BLOCK_LENGTH)],
    ],
)
def test_the_block_length_is_near_the_square_root(size: int, block: int) -> None:
    assert delta.block_length_for(size) == block


def test_no_file_has_a_negative_size() -> None:
    with pytest.raises(UsageError):
        delta.block_length_for(-1)


def _blocks(strong: int, weak: List[int]) -> io.BytesIO:
    sums = (struct.pack(">I", value) + number.to_bytes(strong, "big") for number, value in enumerate(weak))
    return io.BytesIO(b"".join(sums))


@pytest.mark.parametrize("strong", [5, 8])
def test_thousands_of_blocks_of_one_weak_sum_are_refused(strong: int) -> None:
    header = delta.Signature(0x72730136, "md4", "rollsum", 2048, strong, 70000)
    with pytest.raises(DeltaError, match="the same weak sum"):
        reject_collisions(header, _blocks(strong, [*range(69000), *[7] * 1000]).readinto)
    reject_collisions(header, _blocks(strong, [*range(69800), *[7] * 200]).readinto)


def test_thousands_of_equal_blocks_are_a_file_of_zeros() -> None:
    header = delta.Signature(0x72730136, "md4", "rollsum", 2048, 8, 70000)
    reject_collisions(header, io.BytesIO(bytes(12 * 70000)).readinto)
