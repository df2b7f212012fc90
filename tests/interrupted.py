"""How long a process takes to end after a signal, whatever else the machine does meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any, Dict

#: Seconds after which a process that does not end fails the test.
_PATIENCE = 60.0


def seconds_to_end(process: subprocess.Popen[Any], number: int) -> float:
    """Send a signal and return the seconds until the process has ended; it is not waited for yet.

    The time for which its threads, or this one, were ready to run and got no core is left out: it is the
    load of the machine.  On an idle machine it is 0, and a thread that sleeps or hangs is not ready to run.
    """
    before = _without_core(process.pid)
    ours = _delay(f"/proc/{os.getpid()}/schedstat")
    waited: Dict[str, float] = {}
    process.send_signal(number)
    sent = time.monotonic()
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        assert time.monotonic() - sent < _PATIENCE, "the process does not end"
        waited.update(_without_core(process.pid))
        time.sleep(0.005)
    seconds = time.monotonic() - sent
    # Of a process that has ended only the main thread has an account, until it is waited for.
    waited.update(_without_core(process.pid))
    threads = sum(delay - before.get(thread, 0.0) for thread, delay in waited.items())
    return seconds - threads - (_delay(f"/proc/{os.getpid()}/schedstat") - ours)


def until_asleep(process: subprocess.Popen[Any]) -> None:
    """Wait until the main thread waits for input: Python may see a signal just before, and read all the same."""
    ends_at = time.monotonic() + _PATIENCE
    while Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < ends_at, "the process is never asleep"
        time.sleep(0.005)


def seconds_without_core() -> float:
    """Return for how long the calling thread was ready to run and got no core: the load of the machine."""
    return _delay("/proc/thread-self/schedstat")


def _without_core(pid: int) -> Dict[str, float]:
    """Return the seconds for which each thread of a process waited for a core."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return {}
    return {thread: _delay(f"/proc/{pid}/task/{thread}/schedstat") for thread in threads}


def _delay(path: str) -> float:
    """Return the seconds in an account of the scheduler; 0 where the system does not count them."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
