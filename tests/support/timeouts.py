"""Time-outs of tests after which a call must still succeed: short on an idle machine, longer on a busy one."""

from __future__ import annotations

import os

__all__ = ["patient"]

#: A time-out becomes so many times as long at most, and stays below the upper bounds of the tests.
_MOST = 5.0


def patient(seconds: float) -> float:
    """Return a read time-out or a stall window, as many times as long as there are threads for each core."""
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return seconds * min(_MOST, max(1.0, load))
