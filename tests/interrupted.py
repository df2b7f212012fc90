"""How long a process takes to end after a signal, whatever else the machine does meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

#: Seconds after which a process that does not end fails the test.
_PATIENCE = 60.0


def seconds_to_end(process: subprocess.Popen[Any], number: int) -> float:
    """Send a signal and return the seconds until the process has ended; it is not waited for yet.

    The time for which its main thread, or this one, was ready to run and got no core is left out: it is the
    load of the machine.  On an idle machine it is 0.
    """
    before = _without_core(process.pid) + _without_core(os.getpid())
    process.send_signal(number)
    sent = time.monotonic()
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        assert time.monotonic() - sent < _PATIENCE, "the process does not end"
        time.sleep(0.002)
    seconds = time.monotonic() - sent
    # A process that has ended keeps its account until it is waited for.
    return seconds - (_without_core(process.pid) + _without_core(os.getpid()) - before)


def _without_core(pid: int) -> float:
    """Seconds for which a process's main thread waited for a core; 0 where the system does not count them."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
