"""What a process needed: the peak of its memory, and the time for which it got no core."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any, Dict


def _status(name: str) -> int:
    """Bytes of a line of the process's account."""
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


class Peak:
    """Measures by how much the resident memory grew at most within a ``with`` block."""

    def __enter__(self) -> Peak:
        gc.collect()
        self._sampled = 0
        self._ended = threading.Event()
        try:
            with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
                file.write("5")  # the high water mark starts again
            self._marked = True
        except OSError:
            self._marked = False
        self._before = _status("VmRSS")
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        if not self._marked:
            self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._ended.wait(0.01):
            self._sampled = max(self._sampled, _status("VmRSS"))

    def __exit__(self, *error: Any) -> None:
        peak = _status("VmHWM") if self._marked else self._sampled
        self._ended.set()
        self.growth = max(0, peak - self._before)


class Load:
    """Counts the seconds for which threads of this process were ready to run and got no core, within a ``with`` block.

    Threads that have ended by then are counted too: they are looked at again and again.
    """

    def __enter__(self) -> Load:
        self._first = _delays()
        self._last = dict(self._first)
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._ended.wait(0.02):
            self._last.update(_delays())

    def seconds(self) -> float:
        """Return the sum so far."""
        now = {**self._last, **_delays()}
        return sum(delay - self._first.get(thread, 0.0) for thread, delay in now.items())

    def __exit__(self, *error: Any) -> None:
        self._ended.set()
        self._sampler.join()


def _delays() -> Dict[str, float]:
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return {}
    return {thread: _waited(thread) for thread in threads}


def _waited(thread: str) -> float:
    try:
        with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
