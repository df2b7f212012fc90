"""Thousands of damaged deltas and signatures, in a process that must not crash, hang or use too much memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartxfer import delta
from smartxfer.errors import DeltaError
from tests.support import delta_worker
from tests.support.amounts import amount
from tests.support.delta_edits import encode, noise, rdiff

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="bounds memory as Linux does")


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


@pytest.mark.parametrize(
    ("seed", "count"),
    [(1, 400), pytest.param(2, amount(600, 6000), marks=[pytest.mark.slow, pytest.mark.timeout(400)])],
)
def test_no_spoilt_delta_makes_a_wrong_file(seed: int, count: int, tmp_path: Path) -> None:
    outcomes = work("delta", seed, count, tmp_path, 100 + count * 0.04)
    assert outcomes["refused"] > count / 4
    assert outcomes["accepted"] > count / 20


@pytest.mark.parametrize(
    ("seed", "count"),
    [(3, 250), pytest.param(4, amount(400, 4000), marks=[pytest.mark.slow, pytest.mark.timeout(400)])],
)
def test_no_spoilt_signature_does_harm(seed: int, count: int, tmp_path: Path) -> None:
    outcomes = work("signature", seed, count, tmp_path, 100 + count * 0.04)
    assert outcomes["refused"] > count / 10
    assert outcomes["exact"] > count / 10


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


#: What is wrong with each, and a delta for a file of 10 bytes.
SPOILT = {
    "nothing at all": b"",
    "half a magic": b"rs\x02",
    "another magic": b"rs\x016\x00",
    "no end": b"rs\x026",
    "no end after a command": b"rs\x026\x01a",
    "more after the end": b"rs\x026\x01a\x00\x00",
    "an unknown command": b"rs\x026\x55\x00",
    "the last unknown command": b"rs\x026\xff\x00",
    "a literal cut short": b"rs\x026\x05ab",
    "a literal of 2**63": b"rs\x026\x44\x80" + bytes(7) + b"ab\x00",
    "a literal of 2**64 - 1": b"rs\x026\x44" + b"\xff" * 8 + b"ab\x00",
    "a length cut short": b"rs\x026\x44\x00\x00",
    "a copy cut short": b"rs\x026\x54\x00\x00",
    "a copy one byte too far": b"rs\x026\x45\x00\x0b\x00",
    "a copy from the end": b"rs\x026\x45\x0a\x01\x00",
    "a copy from behind the end": b"rs\x026\x45\xff\x01\x00",
    "a copy whose end wraps around": b"rs\x026\x54" + b"\xff" * 8 + b"\x00" * 7 + b"\x05\x00",
    "a copy of 2**64 - 1": b"rs\x026\x54" + bytes(8) + b"\xff" * 8 + b"\x00",
    "a copy from 2**63": b"rs\x026\x54\x80" + bytes(7) + bytes(7) + b"\x01\x00",
}


@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("in_place", [False, True])
def test_an_invalid_delta(what: str, in_place: bool, tmp_path: Path) -> None:
    assert delta_worker.interpret(SPOILT[what], b"0123456789").content is None
    (tmp_path / "basis").write_bytes(b"0123456789")
    (tmp_path / "delta").write_bytes(SPOILT[what])
    target = tmp_path / ("basis" if in_place else "new")
    with pytest.raises(DeltaError):
        delta.patch(tmp_path / "basis", tmp_path / "delta", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["basis", "delta"]
    assert (tmp_path / "basis").read_bytes() == b"0123456789"


def _signature(magic: int, block: int, strong: int, rest: bytes = b"") -> bytes:
    return magic.to_bytes(4, "big") + block.to_bytes(4, "big") + strong.to_bytes(4, "big") + rest


#: What is wrong with each signature.
UNSIGNED = {
    "nothing at all": b"",
    "a magic alone": b"rs\x016",
    "a header cut short": _signature(0x72730136, 64, 8)[:11],
    "the magic of a delta": b"rs\x026" + _signature(0x72730136, 64, 8, bytes(12))[4:],
    "another magic": _signature(0x72730135, 64, 8, bytes(12)),
    "blocks of 0 bytes": _signature(0x72730136, 0, 8, bytes(12)),
    "sums of 0 bytes": _signature(0x72730136, 64, 0, bytes(12)),
    "an MD4 of 17 bytes": _signature(0x72730136, 64, 17, bytes(21)),
    "an MD4 of 32 bytes": _signature(0x72730146, 64, 32, bytes(36)),
    "a BLAKE2 of 33 bytes": _signature(0x72730137, 64, 33, bytes(37)),
    "a BLAKE2 of 2**32 - 1 bytes": _signature(0x72730147, 64, 2**32 - 1, bytes(37)),
    "a block cut short": _signature(0x72730136, 64, 8, bytes(23)),
    "a byte too many": _signature(0x72730136, 64, 8, bytes(25)),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_an_invalid_signature(what: str, tmp_path: Path) -> None:
    (tmp_path / "signature").write_bytes(UNSIGNED[what])
    (tmp_path / "new").write_bytes(b"0123456789" * 20)
    with pytest.raises(DeltaError):
        delta.read_signature(tmp_path / "signature")
    with pytest.raises(DeltaError):
        delta.delta(tmp_path / "signature", tmp_path / "new", tmp_path / "delta")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "signature"]


@pytest.mark.parametrize(("blocks", "size"), [(1, 0), (0, 1), (2, 64), (2, 129), (1, 2**40), (3, 300)])
def test_a_signature_of_another_number_of_blocks(blocks: int, size: int, tmp_path: Path) -> None:
    (tmp_path / "signature").write_bytes(_signature(0x72730136, 64, 8, bytes(12 * blocks)))
    assert delta.read_signature(tmp_path / "signature").blocks == blocks
    with pytest.raises(DeltaError):
        delta.read_signature(tmp_path / "signature", basis_size=size)
