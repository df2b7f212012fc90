"""Clocks: one that never sleeps, and one whose time passes when something happens."""

from __future__ import annotations

import threading
from typing import Callable, List

from smartxfer._system import Clock


class FakeClock(Clock):
    """A clock that only waits advance; ``random()`` returns ``chance``."""

    def __init__(self, wall: float = 1_700_000_000.0, chance: float = 0.5) -> None:
        self.waits: List[float] = []
        self.chance = chance
        self._wall = wall
        self._monotonic = 1000.0
        self._lock = threading.Lock()

    def time(self) -> float:
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

    def wait_for_event(self, event: threading.Event, seconds: float) -> bool:
        self.sleep(seconds)
        return event.is_set()

    def random(self) -> float:
        return self.chance


class JumpingClock(Clock):
    """The system's clock, on which ``seconds`` more have passed once something has happened.

    A deadline that is far away then passes at that moment, however busy the machine is.

    :param happened: returns whether it has.
    """

    def __init__(self, happened: Callable[[], bool], seconds: float) -> None:
        self._happened, self._seconds = happened, seconds

    def monotonic(self) -> float:
        return super().monotonic() + (self._seconds if self._happened() else 0.0)
