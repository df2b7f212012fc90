"""A user's program in a process of its own, which a test interrupts or kills, and what it needs of memory."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

import pytest

from tests.support.filesender_harness import until
from tests.support.process_signals import seconds_to_end
from tests.support.service_harness import MIB, ServiceHarness

Process = Any


class ClientProgram:
    """Starts a program, as a user writes it, in processes of its own.

    :param text: of the program; its exit code is 130 when it is interrupted.
    :param environment: what it gets besides the address and the credentials of the server.
    """

    def __init__(self, harness: ServiceHarness, text: str, environment: Mapping[str, str]) -> None:
        self.harness = harness
        self.text = text
        self._environment = environment
        self._running: List[Process] = []

    def __call__(self, *words: Any, text: str = "", **environment: str) -> Process:
        """Start it with these arguments."""
        every: Dict[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        every.update({**self.harness.site.env, **self._environment, **environment})
        command = [sys.executable, "-c", text or self.text, *map(str, words)]
        pipe = subprocess.PIPE
        self._running.append(subprocess.Popen(command, env=every, stdout=pipe, stderr=pipe, text=True))
        return self._running[-1]

    def close(self) -> None:
        """End all of them."""
        for process in self._running:
            process.kill()
            process.communicate()


def finish(process: Process, seconds: float = 60) -> int:
    """The number that it printed; it must have succeeded."""
    printed, said = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return int(printed)


def reached(condition: Callable[[], Any], process: Process) -> None:
    """Wait until a condition holds; the process must still be at work then."""

    def met() -> Any:
        assert process.poll() is None, f"it was over before it could be ended: {process.communicate()[1]}"
        return condition()

    until(met, "the point")


def interrupt(process: Process) -> str:
    """Press Ctrl-C: it must end within two seconds, with the exit code for that; what it wrote to standard error."""
    seconds = seconds_to_end(process, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert seconds < 2
    return str(said)


def kill(process: Process) -> None:
    """Kill it."""
    process.kill()
    process.communicate(timeout=20)


ENDS = pytest.mark.parametrize("end", [interrupt, kill], ids=["SIGINT", "SIGKILL"])


def quiet(harness: ServiceHarness) -> None:
    """Drop the faults that slow the server, and wait until nothing of the ended client is under way."""
    harness.server.clear_faults()
    until(lambda: not any(listener.connections for listener in harness.listeners()), "the end of the connections")


def end_at(fault: Any, process: Process, end: Callable[[Process], Any], harness: ServiceHarness) -> None:
    """End a process once it has met a fault, and wait until the server is at rest."""
    assert fault.wait(20)
    end(process)
    quiet(harness)


def written(part: Path, size: int) -> bool:
    """Return whether a file has this many bytes on the disk."""
    return part.exists() and part.stat().st_blocks * 512 >= size


def large_file(path: Path, size: int, start: bytes = b"start") -> Path:
    """A file that takes little room on the disk."""
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(size)
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    return path


def digest_of(path: Any) -> str:
    """SHA-256 of a file, read in blocks."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(8 * MIB), b""):
            found.update(block)
    return found.hexdigest()


#: Defines ``peak()``, in KiB, for programs that measure what a transfer needs.
PEAK = """
import re
from pathlib import Path
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
