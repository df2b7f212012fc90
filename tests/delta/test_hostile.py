"""Valid and invalid signatures and deltas; thousands of damaged ones, in a process that must not crash or hang."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartxfer import delta
from smartxfer.delta.commands import Copy, encode_literal, read_commands
from smartxfer.delta.signature_header import parse_header
from smartxfer.delta.sizes import MAX_BLOCK_LENGTH
from smartxfer.delta.weak_sums import reject_collisions
from smartxfer.errors import DeltaError, UsageError
from tests.support import delta_worker
from tests.support.amounts import amount
from tests.support.delta_edits import FORMATS, Line, encode, noise, rdiff
from tests.support.sinks import names

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="bounds memory as Linux does")


def work(kind: str, seed: int, count: int, folder: Path, seconds: float) -> Dict[str, int]:
    """Return how many cases the worker counted, by outcome."""
    done = subprocess.run(
        [sys.executable, "-W", "error", delta_worker.__file__, kind, str(seed), str(count), str(folder)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    outcomes: Dict[str, int] = json.loads(done.stdout)
    # MiB; two workers with blocks of 16 MiB take most of it.
    assert outcomes.pop("growth") <= 80
    assert sum(outcomes.values()) == count
    return outcomes


def cases(seed: int, count: int, slow_count: int) -> Any:
    """Two numbers of cases, each with its seed; the larger one is slow."""
    slow = pytest.param(seed + 1, slow_count, marks=[pytest.mark.slow, pytest.mark.timeout(400)])
    return pytest.mark.parametrize(("seed", "count"), [(seed, count), slow])


@needs_proc
@cases(1, 400, amount(600, 6000))
def test_no_spoilt_delta_makes_a_wrong_file(seed: int, count: int, tmp_path: Path) -> None:
    outcomes = work("delta", seed, count, tmp_path, 100 + count * 0.04)
    assert outcomes["refused"] > count / 4
    assert outcomes["accepted"] > count / 20


@needs_proc
@cases(3, 250, amount(400, 4000))
def test_no_spoilt_signature_does_harm(seed: int, count: int, tmp_path: Path) -> None:
    outcomes = work("signature", seed, count, tmp_path, 100 + count * 0.04)
    assert outcomes["refused"] > count / 10
    assert outcomes["exact"] > count / 10


@needs_proc
@pytest.mark.slow
def test_huge_blocks_are_not_held_in_memory(tmp_path: Path) -> None:
    work("blocks", 5, len(delta_worker.HUGE), tmp_path, 100)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([0, 1, 100, 5000]), count=st.integers(0, 40))
def test_every_spelling_of_a_command_is_read(
    seed: int, size: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also shows that the reference reads deltas as ``rdiff`` does."""
    room = tmp_path_factory.mktemp("spelling")
    chance = random.Random(seed)
    basis = noise(chance, size)
    (room / "basis").write_bytes(basis)
    (room / "delta").write_bytes(encode(chance, basis, count))
    wanted = delta_worker.interpret((room / "delta").read_bytes(), basis).content
    assert wanted is not None
    assert delta.patch(room / "basis", room / "delta", room / "ours") == len(wanted)
    assert (room / "ours").read_bytes() == wanted
    rdiff("patch", room / "basis", room / "delta", room / "theirs")
    assert (room / "theirs").read_bytes() == wanted


#: What is wrong with each delta for a file of 10 bytes, the delta, and the message.
SPOILT = {
    "nothing at all": (b"", "it is empty"),
    "half a magic": (b"rs\x02", "truncated"),
    "another magic": (b"rs\x016\x00", "begins with 72730136"),
    "no end": (b"rs\x026", "truncated"),
    "no end after a command": (b"rs\x026\x01a", "truncated"),
    "more after the end": (b"rs\x026\x01a\x00\x00", "data after its end"),
    "an unknown command": (b"rs\x026\x55\x00", "unknown command 85"),
    "the last unknown command": (b"rs\x026\xff\x00", "unknown command 255"),
    "a literal of no bytes": (b"rs\x026\x41\x00\x00", "command 65 of the delta has length 0"),
    "a literal cut short": (b"rs\x026\x05ab", "truncated"),
    "a literal of 2**63": (b"rs\x026\x44\x80" + bytes(7) + b"ab\x00", "truncated"),
    "a literal of 2**64 - 1": (b"rs\x026\x44" + b"\xff" * 8 + b"ab\x00", "truncated"),
    "a length cut short": (b"rs\x026\x44\x00\x00", "truncated"),
    "a copy cut short": (b"rs\x026\x54\x00\x00", "truncated"),
    "a copy of no bytes": (b"rs\x026\x45\x05\x00\x00", "command 69 of the delta has length 0"),
    "a copy one byte too far": (b"rs\x026\x45\x05\x06\x00", "copies bytes 5 to 11, but the old file has 10"),
    "a copy from the end": (b"rs\x026\x45\x0a\x01\x00", "but the old file has 10"),
    "a copy from behind the end": (b"rs\x026\x45\xff\x01\x00", "but the old file has 10"),
    "a copy whose end wraps around": (b"rs\x026\x54" + b"\xff" * 8 + bytes(7) + b"\x05\x00", "but the old file has 10"),
    "a copy of 2**64 - 1": (b"rs\x026\x54" + bytes(8) + b"\xff" * 8 + b"\x00", "but the old file has 10"),
    "a copy from 2**63": (b"rs\x026\x54\x80" + bytes(7) + bytes(7) + b"\x01\x00", "but the old file has 10"),
}


@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("in_place", [False, True])
def test_an_invalid_delta(what: str, in_place: bool, tmp_path: Path) -> None:
    change, message = SPOILT[what]
    outcome = delta_worker.interpret(change, b"0123456789")
    assert outcome.content is None or outcome.doubtful
    (tmp_path / "basis").write_bytes(b"0123456789")
    (tmp_path / "delta").write_bytes(change)
    target = tmp_path / ("basis" if in_place else "new")
    with pytest.raises(DeltaError, match=message):
        delta.patch(tmp_path / "basis", tmp_path / "delta", target)
    assert (names(tmp_path), (tmp_path / "basis").read_bytes()) == (["basis", "delta"], b"0123456789")


def head(magic: int = 0x72730136, block: int = 2048, strong: int = 8) -> bytes:
    return struct.pack(">III", magic, block, strong)


#: What is wrong with each signature, the signature, and the message.
UNSIGNED = {
    "nothing at all": (b"", "only 0 bytes"),
    "a magic alone": (b"rs\x016", "only 4 bytes"),
    "a header cut short": (head(0x72730136, 64, 8)[:11], "only 11 bytes"),
    "the magic of a delta": (head(0x72730236, 64, 8) + bytes(12), "begins with 72730236"),
    "another magic": (head(0x72730135, 64, 8) + bytes(12), "begins with 72730135"),
    "zeros": (bytes(1000), "begins with 00000000"),
    "blocks of 0 bytes": (head(0x72730136, 0, 8) + bytes(12), "invalid block length 0 "),
    "blocks of 16 MiB and a byte": (head(0x72730136, 2**24 + 1, 8) + bytes(12), "invalid block length 16777217 "),
    "sums of 0 bytes": (head(0x72730136, 64, 0) + bytes(12), "invalid length 0 of the md4 sums"),
    "an MD4 of 17 bytes": (head(0x72730136, 64, 17) + bytes(21), "invalid length 17 of the md4 sums"),
    "an MD4 of 32 bytes": (head(0x72730146, 64, 32) + bytes(36), "invalid length 32 of the md4 sums"),
    "a BLAKE2 of 33 bytes": (head(0x72730137, 64, 33) + bytes(37), "invalid length 33 of the blake2 sums"),
    "a BLAKE2 of 2**32 - 1 bytes": (head(0x72730147, 64, 2**32 - 1) + bytes(37), "invalid length 4294967295 of"),
    "a block cut short": (head(0x72730136, 64, 8) + bytes(23), "block 2 has only 11 bytes"),
    "a byte too many": (head(0x72730136, 64, 8) + bytes(25), "block 3 has only 1 bytes"),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_an_invalid_signature(what: str, tmp_path: Path) -> None:
    """Of a file, and of a stream that can be read once."""
    signature, message = UNSIGNED[what]
    (tmp_path / "signature").write_bytes(signature)
    (tmp_path / "new").write_bytes(b"0123456789" * 20)
    for kind in ("file", "stream"):
        for call in (delta.read_signature, lambda made: delta.delta(made, tmp_path / "new", tmp_path / "delta")):
            made: Any = tmp_path / "signature" if kind == "file" else Line(signature)
            with pytest.raises(DeltaError, match=message):
                call(made)
    assert names(tmp_path) == ["new", "signature"]


# -- formats ----------------------------------------------------------------------------------------------


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
    assert (found.header(), found.size) == (made[:12], len(made))


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
            assert (delta.read_signature(file).blocks, file.tell()) == (2, 6)


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
