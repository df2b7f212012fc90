"""How figures are printed, and judged against what is in reach."""

import math
from typing import Dict, List, Tuple

from benchmarks.measure import Figures, median

__all__ = ["Verdict", "table"]


def table(title: str, measured: Dict[str, List[Figures]], size: int) -> None:
    """Print the medians of each side; ``size`` in bytes is what one run moves."""
    print(f"\n{title}: medians of {len(next(iter(measured.values())))} runs")
    print(f"  {'side':<20}{'wall s':>9}{'MB/s':>9}{'CPU s':>9}{'peak MiB':>10}{'growth MiB':>12}")
    for name, runs in measured.items():
        wall = median(runs, "wall")
        peak, growth = (_or_dash(median(runs, key)) for key in ("peak", "growth"))
        speed = f"{size / wall / 1e6:>9.0f}"
        print(f"  {name:<20}{wall:>9.3f}{speed}{median(runs, 'cpu'):>9.3f}{peak:>10}{growth:>12}")


def _or_dash(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:.1f}"


class Verdict:
    """The figures in reach, and those that are not."""

    def __init__(self) -> None:
        self.missed = 0

    def ratio(self, what: str, runs: Tuple[List[Figures], List[Figures]], key: str, most: float) -> None:
        """Judge the medians of two sides, the first by the second."""
        self.figure(what, median(runs[0], key) / median(runs[1], key), most, "x")

    def figure(self, what: str, value: float, most: float, unit: str) -> None:
        """Judge one figure."""
        good = value <= most
        self.missed += not good
        print(f"  {what:<52}{value:>8.2f}{unit}  reach {most:g}{unit}  {'ok' if good else 'MISSED'}")
