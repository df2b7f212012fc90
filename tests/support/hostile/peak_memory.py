"""The peak of the memory that a process needed."""

from __future__ import annotations

import gc
import threading
from typing import Any


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
