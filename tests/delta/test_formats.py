"""Valid and invalid signatures and deltas."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import List, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import delta
from smartxfer.delta.commands import Copy, encode_literal, read_commands
from smartxfer.delta.signature_header import parse_header
from smartxfer.delta.sizes import MAX_BLOCK_LENGTH
from smartxfer.delta.weak_sums import reject_collisions
from smartxfer.errors import DeltaError, UsageError


def head(magic: int = 0x72730136, block: int = 2048, strong: int = 8) -> bytes:
    return struct.pack(">III", magic, block, strong)


def commands_of(change: bytes, basis_size: int = 1000, size: Union[int, None] = None) -> List[Union[Copy, bytes]]:
    """Return every command, with literal data as bytes."""
    incoming = io.BytesIO(change)
    commands = read_commands(incoming.readinto, basis_size, size)
    return [command if isinstance(command, Copy) else bytes(command) for command in commands]


@pytest.mark.parametrize(
    ("magic", "hash_name", "weak"),
    [
        (0x72730136, "md4", "rollsum"),
        (0x72730137, "blake2", "rollsum"),
        (0x72730146, "md4", "rabinkarp"),
        (0x72730147, "blake2", "rabinkarp"),
    ],
)
def test_all_four_kinds_are_known(magic: int, hash_name: str, weak: str) -> None:
    made = head(magic, 700, 5) + bytes(3 * 9)
    found = delta.read_signature(io.BytesIO(made))
    assert found == delta.Signature(magic, hash_name, weak, 700, 5, 3)
    assert found.header() == made[:12]
    assert found.size == len(made)


@pytest.mark.parametrize(
    ("start", "length", "says"),
    [
        (b"", 0, "only 0 bytes"),
        (head()[:11], 11, "only 11 bytes"),
        (b"rs\x026" + head()[4:], 12, "begins with 72730236"),
        (head(block=0), 12, "invalid block length 0 "),
        (head(block=MAX_BLOCK_LENGTH + 1), 12, "invalid block length 16777217 "),
        (head(strong=0), 12, "invalid length 0 of the md4 sums"),
        (head(strong=17), 12, "invalid length 17 of the md4 sums"),
        (head(0x72730147, strong=33), 12, "invalid length 33 of the blake2 sums"),
        (head(), 12 + 12 + 11, "block 2 has only 11 bytes"),
    ],
)
def test_no_signature(start: bytes, length: int, says: str) -> None:
    with pytest.raises(DeltaError, match=says):
        parse_header(start, length)


def test_the_longest_sums_are_taken() -> None:
    assert parse_header(head(strong=16, block=MAX_BLOCK_LENGTH), 12).strong_length == 16
    assert parse_header(head(0x72730137, strong=32, block=1), 12).blocks == 0


@pytest.mark.parametrize(
    ("size", "fits"), [(4096, True), (4095, True), (2049, True), (2048, False), (4097, False)]
)
def test_the_number_of_blocks_is_held_against_the_size(size: int, fits: bool) -> None:
    made = io.BytesIO(head() + bytes(24))
    if fits:
        assert delta.read_signature(made, basis_size=size).blocks == 2
        return
    with pytest.raises(DeltaError, match="2 blocks, but"):
        delta.read_signature(made, basis_size=size)


def test_an_empty_file_has_a_signature_without_blocks() -> None:
    assert delta.read_signature(io.BytesIO(head()), basis_size=0).blocks == 0


def test_reading_a_header_keeps_the_position_of_the_file(tmp_path: Path) -> None:
    made = b"before" + head() + bytes(24)
    (tmp_path / "file").write_bytes(made)
    with open(tmp_path / "file", "rb") as real:
        for file in (io.BytesIO(made), real):
            file.seek(6)
            assert delta.read_signature(file).blocks == 2
            assert file.tell() == 6


class Line:
    """A stream with ``read`` alone."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def read(self, most: int = -1) -> bytes:
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


def test_the_header_of_a_stream_is_checked_against_all_of_it() -> None:
    assert delta.read_signature(Line(head() + bytes(12 * 9999))).blocks == 9999  # type: ignore[arg-type]
    with pytest.raises(DeltaError, match="truncated"):
        delta.read_signature(Line(head() + bytes(12 * 9999 - 1)))  # type: ignore[arg-type]


def test_commands_of_every_width() -> None:
    change = (
        b"rs\x026" + b"\x02ab" + b"\x41\x01c" + b"\x42\x00\x02de" + b"\x43\x00\x00\x00\x01f"
        b"\x44" + bytes(7) + b"\x01g" + b"\x45\x05\x07" + b"\x4a\x00\x05\x00\x07"
        b"\x4f\x00\x00\x00\x05\x00\x00\x00\x07" + b"\x54" + bytes(7) + b"\x05" + bytes(7) + b"\x07" + b"\x00"
    )
    assert commands_of(change) == [b"ab", b"c", b"de", b"f", b"g", *[Copy(5, 7)] * 4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (b"", "it is empty"),
        (b"rs", "truncated"),
        (b"rs\x016\x00", "begins with 72730136"),
        (b"rs\x026", "truncated"),
        (b"rs\x026\x02a", "truncated"),
        (b"rs\x026\x45\x05", "truncated"),
        (b"rs\x026\x55\x00", "unknown command 85"),
        (b"rs\x026\x41\x00\x00", "command 65 of the delta has length 0"),
        (b"rs\x026\x45\x05\x00\x00", "command 69 of the delta has length 0"),
        (b"rs\x026\x45\x05\x06\x00", "copies bytes 5 to 11, but the old file has 10"),
        (b"rs\x026\x54" + b"\xff" * 16 + b"\x00", "but the old file has 10"),
        (b"rs\x026\x44" + b"\xff" * 8 + b"ab", "truncated"),
        (b"rs\x026\x00\x00", "data after its end"),
    ],
)
def test_no_delta(change: bytes, says: str) -> None:
    with pytest.raises(DeltaError, match=says):
        commands_of(change, 10)


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
        (None, 2048),
        (0, 256),
        (256 * 256, 256),
        (384 * 384 - 1, 256),
        (384 * 384, 384),
        (4 * 1024**2, 2048),
        (256 * 1024**2, 16384),
        (1024**5, MAX_BLOCK_LENGTH),
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
