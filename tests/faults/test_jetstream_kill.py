"""Ctrl-C and kill -9 of a client that waits for a transfer; the same program again: F22, F23."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from tests.support.amounts import EVERY
from tests.support.jetstream_harness import MIB, JetStreamHarness, again, noise, on, until
from tests.support.process_signals import seconds_to_end

pytestmark = pytest.mark.slow

DATA = noise(8 * MIB)
#: A small file first, then what would take minutes at the rate of these tests.
FILES = {"/run/0.bin": noise(1024, 2)}
FILES.update({f"/run/{number}.bin": DATA[number * MIB : (number + 1) * MIB] for number in range(1, 8)})
#: Bytes per second of the transfer until a test ends the wait for it.
SLOW = 64 << 10

#: What users write; the exit code is that of an interrupted program.
_PROGRAM = """
import sys
from smartxfer.jetstream import JetStream
to, *paths = sys.argv[1:]
try:
    with JetStream().api() as api:
        print(api.send_files(paths, to, timeout=60).transfer_id)
except KeyboardInterrupt:
    sys.exit(130)
"""

Process = Any


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JetStreamHarness]:
    with JetStreamHarness(tmp_path_factory.mktemp("server")) as harness:
        for path, data in FILES.items():
            harness.site.write(path, data)
        yield harness


@pytest.fixture
def harness(server: JetStreamHarness, tmp_path: Path) -> Iterator[JetStreamHarness]:
    server.site.configure(rate=SLOW)
    with again(server, tmp_path) as harness:
        yield harness
    server.site.configure(rate=0)


@pytest.fixture
def program(harness: JetStreamHarness) -> Iterator[Callable[..., Process]]:
    """``program(*paths)``: a client at work in a process of its own."""
    running: List[Process] = []

    def start(*paths: str) -> Process:
        command = [sys.executable, "-c", _PROGRAM, harness.to, *paths]
        search = os.pathsep.join(filter(None, sys.path))
        environment: Dict[str, str] = {**os.environ, **harness.site.env, "PYTHONPATH": search}
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def _finish(process: Process) -> str:
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return str(printed.strip())


def _interrupt(process: Process) -> None:
    seconds = seconds_to_end(process, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert seconds < 2


def _kill(process: Process) -> None:
    process.kill()
    process.communicate(timeout=20)


_ENDS = pytest.mark.parametrize("end", [_interrupt, _kill], ids=["SIGINT", "SIGKILL"])


def _empty(harness: JetStreamHarness) -> None:
    """Nothing has arrived yet."""
    for path in harness.peer.files():
        os.unlink(harness.peer.stored_path(path))


@_ENDS
def test_f23_while_it_waits(harness: JetStreamHarness, program: Callable[..., Process], end: Any) -> None:
    """The transfer continues alone, and a re-run waits for that one: broken by a second transfer.

    The transfer is under way until the re-run has found it: one that is complete by then is sent again.
    """
    _empty(harness)
    before = len(harness.held("transfers")), len(harness.held("manifests"))
    process = program("/run")
    until(lambda: harness.peer.files() or process.poll() is not None, "the first file")
    end(process)
    assert 0 < len(harness.peer.files()) < len(FILES)
    again = program("/run")
    # Only a re-run asks for a transfer by its id.
    until(lambda: harness.count(on("send.getTransfer")) or again.poll() is not None, "the look at the transfer")
    harness.site.configure(rate=0)
    id = _finish(again)
    assert [int(id)] == harness.held("transfers")[before[0] :]
    assert len(harness.held("manifests")) == before[1] + 1
    assert {path: harness.peer.read(path) for path in harness.peer.files()} == FILES
    assert harness.count(on("send.createTransfer")) == 1


@_ENDS
def test_f23_then_suspended(harness: JetStreamHarness, program: Callable[..., Process], end: Any) -> None:
    """Somebody suspended it meanwhile: the re-run resumes it."""
    _empty(harness)
    before = len(harness.held("transfers"))
    process = program("/run")
    until(lambda: harness.peer.files() or process.poll() is not None, "the first file")
    end(process)
    with harness.client() as other:
        [transfer] = other.send.getTransfers()[before:]
        other.send.suspendTransfer(transfer)
    harness.site.configure(rate=0)
    assert _finish(program("/run")) == transfer.transfer_id
    assert {path: harness.peer.read(path) for path in harness.peer.files()} == FILES


def test_f23_over_meanwhile(harness: JetStreamHarness, program: Callable[..., Process]) -> None:
    """It was done when the re-run came: that one looks at the files anew."""
    _empty(harness)
    process = program("/run")
    until(lambda: harness.peer.files() or process.poll() is not None, "the first file")
    _kill(process)
    harness.site.configure(rate=0)
    until(lambda: len(harness.peer.files()) == len(FILES), "the end")
    harness.site.write("/run/0.bin", b"changed since")
    try:
        _finish(program("/run"))
        assert harness.peer.read("/run/0.bin") == b"changed since"
    finally:
        harness.site.write("/run/0.bin", FILES["/run/0.bin"])


STEPS = ["auth", "send.createDestination", "send.createManifest", "send.waitForManifest", "send.waitForTransfer"]
POINTS = [
    (method, effect, _kill)
    for number, method in enumerate(STEPS)
    for turn, effect in enumerate(("stall", "no-answer"))
    if EVERY or (number + turn) % 2 == 0  # in an ordinary run they take turns
]
POINTS += [("send.createTransfer", "no-answer", _kill), ("auth", "stall", _interrupt), ("send.waitForTransfer", "stall", _interrupt)]


@pytest.mark.parametrize(("method", "effect", "end"), POINTS)
def test_f23_beside_every_answer(
    harness: JetStreamHarness, program: Callable[..., Process], method: str, effect: str, end: Any
) -> None:
    """Wherever the end comes: the re-run is right, and there is one transfer."""
    harness.site.configure(rate=0)
    _empty(harness)
    before = len(harness.held("transfers"))
    held = harness.fault(on(method), effect)
    process = program("/run/1.bin")
    assert held.wait(20)
    end(process)
    harness.server.clear_faults()
    _finish(program("/run/1.bin"))
    assert harness.peer.files() == {"/1.bin": MIB}
    # Done meanwhile, and sent anew; or begun, and nobody was told of it.
    ended = 2 if method in ("send.waitForTransfer", "send.createTransfer") else 1
    assert 1 <= len(harness.held("transfers")) - before <= ended
