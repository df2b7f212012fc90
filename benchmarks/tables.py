"""Tables of metrics, and checks of metrics against their limits."""

import math
from typing import Dict, List, Tuple

from benchmarks.measure import Metrics, median

__all__ = ["LimitChecker", "print_table"]


def print_table(title: str, measured: Dict[str, List[Metrics]], size: int) -> None:
    """Print the medians of each client.

    :param size: bytes that one run transfers.
    """
    print(f"\n{title}: medians of {len(next(iter(measured.values())))} runs")
    print(f"  {'client':<20}{'wall s':>9}{'MB/s':>9}{'CPU s':>9}{'peak MiB':>10}{'growth MiB':>12}")
    for name, runs in measured.items():
        wall = median(runs, "wall")
        peak, growth = (_format_or_dash(median(runs, key)) for key in ("peak", "growth"))
        speed = f"{size / wall / 1e6:>9.0f}"
        print(f"  {name:<20}{wall:>9.3f}{speed}{median(runs, 'cpu'):>9.3f}{peak:>10}{growth:>12}")


def _format_or_dash(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"


class LimitChecker:
    """Checks of values against limits; ``failure_count`` is the number of exceeded limits."""

    def __init__(self) -> None:
        self.failure_count = 0

    def check_ratio(
        self, label: str, runs: Tuple[List[Metrics], List[Metrics]], key: str, limit: float
    ) -> None:
        """Check the ratio of the medians of two clients, the first divided by the second."""
        self.check_value(label, median(runs[0], key) / median(runs[1], key), limit, "x")

    def check_value(self, label: str, value: float, limit: float, unit: str) -> None:
        """Check and print one value."""
        within = value <= limit
        self.failure_count += not within
        print(f"  {label:<52}{value:>8.2f}{unit}  limit {limit:g}{unit}  {'ok' if within else 'EXCEEDED'}")
