"""Time that a process takes to end after a signal, independent of the load of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.support.stopwatch import Stopwatch

#: Seconds after which a process that does not end fails the test.
_PATIENCE = 60.0


def seconds_to_end(process: subprocess.Popen[Any], number: int) -> float:
    """Send a signal and return the seconds until the process has ended; it is not waited for yet.

    The time for which its threads, or those here, were ready to run and got no core is left out.
    """
    watch = Stopwatch(process.pid)
    process.send_signal(number)
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        assert watch.elapsed() < _PATIENCE, "the process does not end"
        time.sleep(0.005)
    # Of a process that has ended only the main thread has an account, until it is waited for.
    return watch.seconds()


def interrupt(process: subprocess.Popen[str]) -> None:
    """Send Ctrl-C; the process is gone within two seconds, with the exit code of an interrupted program."""
    assert process.poll() is None
    seconds = seconds_to_end(process, signal.SIGINT)
    _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 130, errors
    assert seconds < 2
    assert "Traceback" not in errors


def kill(process: subprocess.Popen[str]) -> None:
    assert process.poll() is None
    process.kill()
    process.communicate(timeout=_PATIENCE)


def until_asleep(process: subprocess.Popen[Any]) -> None:
    """Wait until the main thread waits for input.  Python may handle an earlier signal, and then still read."""
    ends_at = time.monotonic() + _PATIENCE
    while Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < ends_at, "the process is never asleep"
        time.sleep(0.005)
