"""Ctrl-C and kill -9 of a client that waits for a transfer; the same program again: F22, F23."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Dict

import pytest

from tests.support.amounts import EVERY
from tests.support.client_program import ENDS, ClientProgram, finish, interrupt, kill
from tests.support.jetstream_harness import MIB, JetStreamHarness, noise, on, until

pytestmark = pytest.mark.slow

DATA = noise(8 * MIB)
#: A small file first, then what would take minutes at the rate of these tests.
FILES = {"/run/0.bin": noise(1024, 2)}
FILES.update({f"/run/{number}.bin": DATA[number * MIB : (number + 1) * MIB] for number in range(1, 8)})
#: Bytes per second of the transfer until a test ends the wait for it.
SLOW = 64 << 10

#: What users write; the exit code is that of an interrupted program.
PROGRAM = """
import sys
from smartxfer.jetstream import JetStream
to, *paths = sys.argv[1:]
try:
    with JetStream().api() as api:
        print(api.send_files(paths, to, timeout=60).transfer_id)
except KeyboardInterrupt:
    sys.exit(130)
"""

SHARED = partial(JetStreamHarness, files=FILES)


@pytest.fixture(autouse=True)
def _slow(harness: JetStreamHarness) -> None:
    """Nothing has arrived yet, and the transfer of all takes minutes."""
    for path in harness.peer.files():
        os.unlink(harness.peer.stored_path(path))
    harness.site.configure(rate=SLOW)


def _broken_off(harness: JetStreamHarness, program: ClientProgram, end: Any) -> int:
    """Run the program and end it when the first file has arrived; the number of transfers before."""
    before = len(harness.held("transfers"))
    process = program(harness.to, "/run")
    until(lambda: harness.peer.files() or process.poll() is not None, "the first file")
    end(process)
    return before


def _arrived(harness: JetStreamHarness) -> Dict[str, bytes]:
    return {path: harness.peer.read(path) for path in harness.peer.files()}


@ENDS
def test_f23_while_it_waits(harness: JetStreamHarness, program: ClientProgram, end: Any) -> None:
    """The transfer continues alone, and a re-run waits for that one: broken by a second transfer.

    The transfer is under way until the re-run has found it: one that is complete by then is sent again.
    """
    manifests = len(harness.held("manifests"))
    before = _broken_off(harness, program, end)
    assert 0 < len(harness.peer.files()) < len(FILES)
    again = program(harness.to, "/run")
    # Only a re-run asks for a transfer by its id.
    until(lambda: harness.count(on("send.getTransfer")) or again.poll() is not None, "the look at the transfer")
    harness.site.configure(rate=0)
    assert [finish(again)] == harness.held("transfers")[before:]
    assert len(harness.held("manifests")) == manifests + 1
    assert (_arrived(harness), harness.count(on("send.createTransfer"))) == (FILES, 1)


@ENDS
def test_f23_then_suspended(harness: JetStreamHarness, program: ClientProgram, end: Any) -> None:
    """Another client suspended the transfer before the re-run, which resumes it."""
    before = _broken_off(harness, program, end)
    with harness.client() as other:
        [transfer] = other.send.getTransfers()[before:]
        other.send.suspendTransfer(transfer)
    harness.site.configure(rate=0)
    assert finish(program(harness.to, "/run")) == int(transfer.transfer_id)
    assert _arrived(harness) == FILES


def test_f23_complete_before_the_re_run(harness: JetStreamHarness, program: ClientProgram) -> None:
    """The transfer was complete before the re-run, which compares the files again."""
    _broken_off(harness, program, kill)
    harness.site.configure(rate=0)
    until(lambda: len(harness.peer.files()) == len(FILES), "the end")
    harness.site.write("/run/0.bin", b"changed since")
    try:
        finish(program(harness.to, "/run"))
        assert harness.peer.read("/run/0.bin") == b"changed since"
    finally:
        harness.site.write("/run/0.bin", FILES["/run/0.bin"])


STEPS = ["auth", "send.createDestination", "send.createManifest", "send.waitForManifest", "send.waitForTransfer"]
POINTS = [
    (method, effect, kill)
    for number, method in enumerate(STEPS)
    for turn, effect in enumerate(("stall", "no-answer"))
    if EVERY or (number + turn) % 2 == 0  # in an ordinary run they take turns
]
POINTS += [("send.createTransfer", "no-answer", kill), ("auth", "stall", interrupt), ("send.waitForTransfer", "stall", interrupt)]


@pytest.mark.parametrize(("method", "effect", "end"), POINTS)
def test_f23_beside_every_answer(
    harness: JetStreamHarness, program: ClientProgram, method: str, effect: str, end: Any
) -> None:
    """Wherever the end comes: the re-run is right, and there is one transfer."""
    harness.site.configure(rate=0)
    before = len(harness.held("transfers"))
    held = harness.fault(on(method), effect)
    process = program(harness.to, "/run/1.bin")
    assert held.wait(20)
    end(process)
    harness.server.clear_faults()
    finish(program(harness.to, "/run/1.bin"))
    assert harness.peer.files() == {"/1.bin": MIB}
    # Either complete and sent again, or started without a response to the client.
    ended = 2 if method in ("send.waitForTransfer", "send.createTransfer") else 1
    assert 1 <= len(harness.held("transfers")) - before <= ended
