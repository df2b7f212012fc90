"""A clock that never sleeps: waits are noted and the time moves on by them."""

from __future__ import annotations

import threading
from typing import List

from smartxfer.seams import Clock


class FakeClock(Clock):
    """Time stands still but for waits; ``chance`` is what ``random()`` says."""

    def __init__(self, wall: float = 1_700_000_000.0, chance: float = 0.5) -> None:
        self.waits: List[float] = []
        self.chance = chance
        self._wall = wall
        self._monotonic = 1000.0
        self._lock = threading.Lock()

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.sleep(seconds)
        return event.is_set()

    def random(self) -> float:
        return self.chance
