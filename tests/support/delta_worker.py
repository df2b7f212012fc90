"""Applies spoilt deltas and uses spoilt signatures, by the thousand; run in a process of its own.

``python delta_worker.py KIND SEED COUNT FOLDER`` prints what came of them, in JSON.  A crash, a hang and a
wrong file end it with another exit code than 0; what it was about to read then lies in FOLDER.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from smartxfer import delta
from smartxfer.errors import DeltaError
from tests.support import delta_edits
from tests.support.delta_edits import DELTA_MAGIC, FORMATS, commands, edited, encode, noise

MIB = 1024 * 1024
#: Address space that the work may take beyond what the imports took.
ROOM = 256 * MIB
#: Seconds of CPU time, and of wall time for what waits in vain, after which one case counts as a hang.
CPU_PATIENCE, WALL_PATIENCE = 20, 90


class Outcome(NamedTuple):
    """The result of applying a delta.

    :param content: the new file; None where the delta is invalid.
    :param doubtful: it has a command of length 0, which a reader may take or refuse.
    """

    content: Optional[bytes]
    doubtful: bool = False


def interpret(change: bytes, basis: bytes) -> Outcome:
    """The new file, command by command."""
    made, doubtful = bytearray(), False
    for command in commands(change) if change[:4] == DELTA_MAGIC else []:
        if command.op == 0:
            return Outcome(None if command.stop < len(change) else bytes(made), doubtful)
        if command.place is None:
            made += change[command.head : command.stop]
        elif command.place + command.length > len(basis):
            return Outcome(None)
        else:
            made += basis[command.place : command.place + command.length]
        doubtful = doubtful or command.length == 0
    return Outcome(None)


def is_signature(content: bytes) -> bool:
    """Return whether this is a signature: a known header, followed by whole blocks."""
    magic, block, strong = (int.from_bytes(content[at : at + 4], "big") for at in (0, 4, 8))
    longest = {known.magic: 16 if known.hash == "md4" else 32 for known in FORMATS.values()}.get(magic, 0)
    return (
        block > 0 and 0 < strong <= longest and len(content) >= 12 and (len(content) - 12) % (4 + strong) == 0
    )


class Bench:
    """Sound deltas and signatures over a handful of files, and a place to work."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.out = folder / "out"
        self.out.mkdir()
        self.basis, self.fresh = folder / "basis", folder / "fresh"
        self.sound: List[Tuple[bytes, bytes, bytes, bytes]] = []
        for number in range(16):
            basis = noise(chance, (0, 1, 300, 5000)[number % 4] + number)
            kinds = ["insert", "delete", "replace", "move", "repeat"]
            fresh = edited(chance, basis, [chance.choice(kinds) for _ in range(4)], 300)
            self.basis.write_bytes(basis)
            self.fresh.write_bytes(fresh)
            signature = self.out / "signature"
            hash_ = ("md4", "blake2")[number // 4 % 2]
            delta.signature(self.basis, signature, block_length=(16, 64, 100, 256)[number // 4], hash=hash_)
            delta.delta(signature, self.fresh, self.out / "delta")
            change = (self.out / "delta").read_bytes()
            if number % 2:
                change = encode(chance, basis, chance.randint(1, 30))
            assert interpret(change, basis).content is not None
            self.sound.append((basis, fresh, signature.read_bytes(), change))
        self.empty()

    def empty(self) -> None:
        for path in self.out.iterdir():
            path.unlink()

    def left(self) -> Dict[str, bytes]:
        """Return the files in the directory of the targets."""
        return {path.name: path.read_bytes() for path in self.out.iterdir()}


def one_delta(bench: Bench) -> str:
    """Apply one spoilt delta; what came of it must be what the reference says."""
    chance = bench.chance
    basis, _, _, change = chance.choice(bench.sound)
    spoilt = delta_edits.spoil_delta(chance, change, chance.choice(bench.sound)[3])
    wanted = interpret(spoilt, basis)
    (bench.folder / "spoilt").write_bytes(spoilt)
    target = bench.out / "target"
    source, before = bench.basis, {}
    way = chance.randrange(4)
    if way == 0:  # over a file that exists
        before = {"target": b"what was here"}
    elif way == 1:  # in place
        source, before = target, {"target": basis}
    for name, content in before.items():
        (bench.out / name).write_bytes(content)
    if source is bench.basis:
        source.write_bytes(basis)
    try:
        size = delta.patch(source, bench.folder / "spoilt", target)
    except DeltaError:
        assert wanted.content is None or wanted.doubtful, "a sound delta is refused"
        assert bench.left() == before, f"left behind: {list(bench.left())}"
        bench.empty()
        return "refused"
    assert wanted.content is not None, "an invalid delta is accepted"
    assert bench.left() == {"target": wanted.content}, "a wrong file"
    assert size == len(wanted.content)
    bench.empty()
    return "doubtful" if wanted.doubtful else "accepted"


def one_signature(bench: Bench) -> str:
    """Make a delta with one spoilt signature; it must be refused, or the delta be sound."""
    chance = bench.chance
    basis, fresh, signature, _ = chance.choice(bench.sound)
    spoilt = delta_edits.spoil_signature(chance, signature, chance.choice(bench.sound)[2])
    (bench.folder / "spoilt").write_bytes(spoilt)
    bench.fresh.write_bytes(fresh)
    change = bench.out / "delta"
    try:
        size = delta.delta(bench.folder / "spoilt", bench.fresh, change)
    except DeltaError:
        assert bench.left() == {}, f"left behind: {list(bench.left())}"
        return "doubtful" if is_signature(spoilt) else "refused"
    assert is_signature(spoilt), "an invalid signature is accepted"
    header = delta.read_signature(bench.folder / "spoilt")
    made = change.read_bytes()
    assert list(bench.left()) == ["delta"]
    assert size == len(made)
    # A signature with other blocks speaks of another file: of its size, and of whatever content.
    described = bytes(min(header.blocks * header.block_length, 64 * MIB))
    outcome = interpret(made, described)
    assert outcome.content is not None, "a delta that copies what the signature does not have"
    assert len(outcome.content) == len(fresh), "a delta for another file"
    applied = interpret(made, basis).content
    target = bench.out / "target"
    bench.basis.write_bytes(basis)
    try:
        delta.patch(bench.basis, change, target)
        assert target.read_bytes() == applied, "a wrong file"
    except DeltaError:
        assert applied is None, "a sound delta is refused"
        assert not target.exists()
    bench.empty()
    return "exact" if applied == fresh else "accepted"


#: Bytes of the blocks of signatures that have few huge ones.
HUGE = [2**24, 2**31, 2**32 - 1]


def huge_blocks(bench: Bench) -> str:
    """Make a delta with a signature of three huge blocks: the new file must not be held in memory for them."""
    folder = bench.folder
    header = [FORMATS["md4"].magic, HUGE.pop(), 8]
    blocks = b"\x11" * 12 * 3
    (folder / "spoilt").write_bytes(b"".join(number.to_bytes(4, "big") for number in header) + blocks)
    with open(folder / "large", "wb") as file:
        file.truncate(160 * MIB)
    try:
        delta.delta(folder / "spoilt", folder / "large", bench.out / "delta", workers=2)
    except DeltaError:
        assert bench.left() == {}
        return "refused"
    finally:
        (folder / "large").unlink()
        bench.empty()
    return "accepted"


def high_water() -> int:
    """Most bytes of memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(kind: str, seed: int, count: int, folder: Path) -> Dict[str, int]:
    """All cases of one kind, each with a bound on its time and all with a bound on their memory."""
    bench = Bench(folder, random.Random(seed))
    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    idle = high_water()
    counts: Dict[str, int] = {}
    one = {"delta": one_delta, "signature": one_signature, "blocks": huge_blocks}[kind]
    # Handled in C, so that it works within native code, too; then the signal ends the process.
    faulthandler.register(signal.SIGPROF, chain=True)
    for number in range(count):
        signal.setitimer(signal.ITIMER_PROF, CPU_PATIENCE)
        faulthandler.dump_traceback_later(WALL_PATIENCE, exit=True)
        try:
            outcome = one(bench)
        except BaseException:
            sys.stderr.write(f"{kind} {number} of seed {seed}: see {folder / 'spoilt'}\n")
            raise
        counts[outcome] = counts.get(outcome, 0) + 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    faulthandler.cancel_dump_traceback_later()
    assert sorted(os.listdir(str(bench.out))) == []
    return {**counts, "growth": (high_water() - idle) // MIB}


if __name__ == "__main__":
    faulthandler.enable()
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))))
