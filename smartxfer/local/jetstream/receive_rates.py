"""Receive rates by sender."""

import collections
import threading
import time
from typing import Deque, Dict, Tuple


class ReceiveRates:
    """Received bytes of the last seconds, by sender.

    :param window: number of seconds.
    """

    def __init__(self, window: int = 10) -> None:
        self.window = window
        self._lock = threading.Lock()
        self._pieces: Dict[str, Deque[Tuple[float, int]]] = {}

    def add(self, sender: str, size: int) -> None:
        """Count received bytes; those of the same tenth of a second share one entry."""
        now = round(time.monotonic(), 1)
        with self._lock:
            pieces = self._pieces.setdefault(sender, collections.deque())
            if pieces and pieces[-1][0] == now:
                size += pieces.pop()[1]
            pieces.append((now, size))
            while pieces[0][0] < now - self.window:
                pieces.popleft()

    def kilobits_per_second(self, sender: str) -> int:
        """Return the average rate in kilobits per second."""
        since = time.monotonic() - self.window
        with self._lock:
            total = sum(size for moment, size in self._pieces.get(sender, ()) if moment >= since)
        return int(total * 8 / 1000 / self.window)
