"""Pairs of files, an old one and what edits made of it; Debian's ``rdiff``; deltas and signatures spoilt."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from hypothesis import strategies as st

#: Smallest, odd, and usual ones.
BLOCK_LENGTHS = (1, 2, 7, 16, 64, 100, 256, 1000, 2048)


class Format(NamedTuple):
    """A kind of signature: its magic, and what makes ``rdiff`` write it."""

    magic: int
    hash: str
    weak: str

    @property
    def options(self) -> List[str]:
        return ["-H", self.hash, "-R", self.weak]


#: All four that librsync knows.
FORMATS = {
    "md4": Format(0x72730136, "md4", "rollsum"),
    "blake2": Format(0x72730137, "blake2", "rollsum"),
    "md4-rabinkarp": Format(0x72730146, "md4", "rabinkarp"),
    "blake2-rabinkarp": Format(0x72730147, "blake2", "rabinkarp"),
}


class Pair(NamedTuple):
    """An old file and a new one, with the block length of the signature between them."""

    basis: bytes
    fresh: bytes
    block_length: int

    def __repr__(self) -> str:
        return f"Pair({len(self.basis)} -> {len(self.fresh)} bytes, block {self.block_length})"


def noise(chance: random.Random, size: int) -> bytes:
    """Random bytes, the same for the same seed on every Python."""
    return chance.getrandbits(8 * size).to_bytes(size, "big") if size else b""


def _bytes(chance: random.Random, kind: str, size: int) -> bytes:
    if kind == "noise":
        return noise(chance, size)
    if kind == "zeros":
        return bytes(size)
    if kind == "two":  # a small alphabet: many weak sums are equal
        return bytes(chance.choice(b"ab") for _ in range(size))
    period = noise(chance, chance.randint(1, 40))
    return (period * (size // len(period) + 1))[:size]


def edited(chance: random.Random, basis: bytes, edits: List[str], most: int) -> bytes:
    """Return ``basis`` after each edit, made at a random offset and of up to ``most`` bytes."""
    fresh = basis
    for edit in edits:
        at = chance.randint(0, len(fresh))
        size = chance.randint(1, max(1, most))
        stop = min(len(fresh), at + size)
        if edit == "insert":
            fresh = fresh[:at] + noise(chance, size) + fresh[at:]
        elif edit == "delete":
            fresh = fresh[:at] + fresh[stop:]
        elif edit == "replace":
            fresh = fresh[:at] + noise(chance, stop - at) + fresh[stop:]
        elif edit == "flip" and at < len(fresh):
            fresh = fresh[:at] + bytes([fresh[at] ^ 1]) + fresh[at + 1 :]
        elif edit == "move":
            piece, rest = fresh[at:stop], fresh[:at] + fresh[stop:]
            to = chance.randint(0, len(rest))
            fresh = rest[:to] + piece + rest[to:]
        elif edit == "repeat":
            fresh = fresh[:stop] + fresh[at:stop] + fresh[stop:]
    return fresh


@st.composite
def sizes(draw: Callable[[Any], Any], block: int) -> int:
    """Sizes of files: none, up to several blocks, and the edges of a block."""
    blocks: int = draw(st.integers(0, 9))
    beyond: int = draw(st.one_of(st.sampled_from([-1, 0, 1]), st.integers(0, block)))
    return max(0, blocks * block + beyond)


@st.composite
def pairs(draw: Callable[[Any], Any]) -> Pair:
    """An old file of several kinds of content, and a new one made of it by a few edits."""
    block = draw(st.sampled_from(BLOCK_LENGTHS))
    chance = random.Random(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "noise", "noise", "period", "two", "zeros"]))
    basis = _bytes(chance, kind, draw(sizes(block)))
    kinds = ["insert", "delete", "replace", "flip", "move", "repeat"]
    edits = draw(st.lists(st.sampled_from(kinds), max_size=5))
    if draw(st.integers(0, 9)) == 0:
        return Pair(basis, noise(chance, draw(sizes(block))), block)  # nothing in common
    return Pair(basis, edited(chance, basis, edits, 2 * block), block)


#: An old file; a delta of "new" and of bytes 256 to 9256 of the old file; the new file.
OLD = bytes(range(256)) * 40
CHANGE = b"rs\x026\x03new\x4a\x01\x00\x23\x28\x00"
NEW = b"new" + OLD[256:9256]


class Line:
    """A stream with ``read`` alone, in short pieces: no seek, no name, no descriptor."""

    def __init__(self, content: bytes, most: int = 10007) -> None:
        self._rest, self._most = content, most

    def read(self, most: int = -1) -> bytes:
        most = self._most if most < 0 else min(most, self._most)
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


class FillingLine(Line):
    """A stream that fills a buffer."""

    def readinto(self, view: memoryview) -> int:
        piece = self.read(len(view))
        view[: len(piece)] = piece
        return len(piece)


def rdiff(*words: Any) -> None:
    """Run Debian's program; the test fails if the program fails or is not installed."""
    done = subprocess.run(
        ["rdiff", "-f", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


def large_pair(folder: Path, size: int, seed: int, edits: int) -> Tuple[Path, Path, Dict[str, int]]:
    """Two files on disk, deterministic: noise, and the same with replaced, inserted and deleted stretches.

    :return: the paths, and how many bytes each kind of edit touched.
    """
    chance = random.Random(seed)
    mib = 1024 * 1024
    old, new = folder / "basis", folder / "fresh"
    with open(old, "wb") as file:
        for _ in range(size // mib):
            file.write(noise(chance, mib))
    touched = {"replace": 0, "insert": 0, "delete": 0}
    cuts = sorted(chance.sample(range(size), edits))
    with open(old, "rb") as source, open(new, "wb") as target:
        for number, cut in enumerate(cuts):
            target.write(source.read(max(0, cut - source.tell())))
            kind = ("replace", "insert", "delete")[number % 3]
            length = chance.randint(1, 2 * size // 100 // edits)
            touched[kind] += length
            if kind != "delete":
                target.write(noise(chance, length))
            if kind != "insert":
                source.seek(length, 1)
        target.write(source.read())
    return old, new, touched


DELTA_MAGIC = b"rs\x026"
_MAGICS = (b"rs\x016", b"rs\x017", b"rs\x01F", b"rs\x01G", DELTA_MAGIC, b"\x00\x00\x00\x00")
#: Lengths and places that a reader with a sign, 32 bits or a sum without a check trips over.
_HUGE = (2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)


class Command(NamedTuple):
    """A command of a delta: where it starts, where its parameters end, its end, and what it says.

    :param place: where a copy begins in the old file; None for literal data.
    """

    at: int
    head: int
    stop: int
    op: int
    place: Optional[int]
    length: int


def commands(change: bytes) -> List[Command]:
    """Return the commands of a delta as far as it is sound."""
    found, at = [], 4
    while at < len(change):
        op, place, length = change[at], None, 0
        head = at + 1
        if 0 < op <= 64:
            length = op
        elif 65 <= op <= 68:
            head += 1 << (op - 65)
            length = int.from_bytes(change[at + 1 : head], "big")
        elif op >= 69:
            middle = head + (1 << ((op - 69) >> 2))
            head = middle + (1 << ((op - 69) & 3))
            place, length = (int.from_bytes(change[a:b], "big") for a, b in ((at + 1, middle), (middle, head)))
        stop = head + (length if place is None else 0)
        if op > 84 or stop > len(change):
            break
        found.append(Command(at, head, stop, op, place, length))
        at = stop
    return found


def encode(chance: random.Random, basis: bytes, count: int) -> bytes:
    """A sound delta of random commands, in all their spellings."""
    made = bytearray(DELTA_MAGIC)
    for _ in range(count):
        wide, narrow = chance.randrange(4), chance.randrange(4)
        if chance.random() < 0.4 or not basis:
            length = chance.randint(1, 200 if narrow == 0 else 600)
            if length <= 64 and chance.random() < 0.5:
                made.append(length)
            else:
                made.append(65 + narrow)
                made += length.to_bytes(1 << narrow, "big")
            made += noise(chance, length)
            continue
        start = chance.randrange(min(len(basis), 256 if wide == 0 else 2**30))
        length = chance.randint(1, min(len(basis) - start, 255 if narrow == 0 else 4000))
        made.append(69 + 4 * wide + narrow)
        made += start.to_bytes(1 << wide, "big") + length.to_bytes(1 << narrow, "big")
    return bytes(made) + b"\x00"


def spoil_delta(chance: random.Random, change: bytes, other: bytes) -> bytes:
    """``change`` with one to three faults; ``other`` is a second one to take pieces from."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        parts = commands(change) if change[:4] == DELTA_MAGIC else []
        if parts and chance.random() < 0.6:
            change = _spoil_command(chance, change, parts)
        else:
            change = _spoil_bytes(chance, change, other)
    return change


def _spoil_command(chance: random.Random, change: bytes, parts: List[Command]) -> bytes:
    way = chance.randrange(6)
    at, head, stop = chance.choice(parts)[:3]
    if way == 0:  # another command with the same parameters
        return change[:at] + bytes([chance.randrange(256)]) + change[at + 1 :]
    if way == 1 and head > at + 1:  # huge in the width that it has
        value = chance.choice(_HUGE) % (1 << (8 * (head - at - 1)))
        return change[: at + 1] + value.to_bytes(head - at - 1, "big") + change[head:]
    if way == 2:  # a copy from anywhere, of anything
        wild = chance.choice(_HUGE).to_bytes(8, "big") + chance.choice(_HUGE).to_bytes(8, "big")
        return change[:at] + b"\x54" + wild + change[at:]
    if way == 3:  # a literal longer than the rest
        return change[:at] + b"\x44" + chance.choice(_HUGE).to_bytes(8, "big") + change[at:]
    if way == 4:  # twice, or not at all
        return change[:at] + change[at:stop] * chance.choice((0, 2, 3)) + change[stop:]
    first, second = sorted(chance.choice(parts) for _ in range(2))  # two change places
    if first == second:
        return change
    between = change[first.stop : second.at]
    moved = change[second.at : second.stop] + between + change[first.at : first.stop]
    return change[: first.at] + moved + change[second.stop :]


def _spoil_bytes(chance: random.Random, content: bytes, other: bytes) -> bytes:
    way = chance.randrange(7)
    at = chance.randrange(len(content) + 1)
    stop = min(len(content), at + chance.randint(1, 40))
    ways: List[Callable[[], bytes]] = [
        lambda: content[:at],
        lambda: content[:at] + noise(chance, chance.randint(1, 40)) + content[at:],
        lambda: content[:at] + content[stop:],
        lambda: content[:at] + other[chance.randrange(len(other) + 1) :],
        lambda: content + bytes(chance.randint(1, 3)),
        lambda: chance.choice(_MAGICS) + content[4:],
    ]
    if way < len(ways):
        return ways[way]()
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def spoil_signature(chance: random.Random, signature: bytes, other: bytes) -> bytes:
    """``signature`` with one to three faults; ``other`` is a second one to take pieces from."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        way = chance.randrange(4)
        width = 4 + int.from_bytes(signature[8:12], "big")
        if way == 0:  # another block length or strong length
            at = chance.choice((4, 8))
            value = chance.choice((0, 1, 2, 3, 15, 16, 17, 31, 32, 33, *_HUGE)) % 2**32
            signature = signature[:at] + value.to_bytes(4, "big") + signature[at + 4 :]
        elif way == 1 and width <= 36 and len(signature) > 12:  # whole blocks lost, doubled, moved
            blocks = [signature[at : at + width] for at in range(12, len(signature), width)]
            kinds = (
                lambda: blocks[: chance.randrange(len(blocks) + 1)],
                lambda: blocks * chance.randint(2, 9),
                lambda: chance.sample(blocks, len(blocks)),
                lambda: [blocks[0]] * len(blocks),
            )
            signature = signature[:12] + b"".join(chance.choice(kinds)())
        else:
            signature = _spoil_bytes(chance, signature, other)
    return signature
