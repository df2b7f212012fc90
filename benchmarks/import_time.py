"""Importing a client beside ``import requests``: each in a fresh interpreter, the sides taking turns."""

import os
import resource
import statistics
import subprocess
import sys
from typing import Dict, List

__all__ = ["run"]

#: What every other figure is divided by.
BASE_STATEMENT = "import requests"
IMPORT_STATEMENTS = (
    "from smartxfer import FileSenderClient",
    "from smartxfer import BasicClient",
    "from smartxfer import PerseusClient",
    "from smartxfer import JetStream",
    "from smartxfer.nrp import get_client",
)
#: Least number of runs: a process takes tenths of a second, and the figures of few are chance.
MIN_RUNS = 15
#: The largest ratio in reach, of the least time of each side.
MAX_RATIO = 1.2


def _measure_cpu_seconds(statement: str, environment: Dict[str, str]) -> float:
    """Return the CPU time of a process that executes a statement and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when a figure is out of reach; ``size`` means nothing here.

    The time of an interpreter that imports nothing is taken away from each figure.
    """
    # A package that cannot keep its bytecode would be compiled in every run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: Dict[str, List[float]] = {
        statement: [] for statement in ("pass", BASE_STATEMENT, *IMPORT_STATEMENTS)
    }
    runs = max(runs, MIN_RUNS)
    for number in range(runs + 1):
        for statement, seconds in found.items():
            taken = _measure_cpu_seconds(statement, environment)
            if number:  # the first writes bytecode
                seconds.append(taken)
    return 0 if _check_ratios(found, runs) else 1


def _check_ratios(measured: Dict[str, List[float]], runs: int) -> bool:
    """Print the figures, and say whether each ratio is in reach."""
    print(f"\nCPU milliseconds of an import, less those of an empty process: {runs} processes each")
    print(f"  {'statement':<42}{'least':>8}{'median':>8}   ratio: least, median")
    least = {name: min(times) for name, times in measured.items()}
    median = {name: statistics.median(times) for name, times in measured.items()}
    good = True
    for name in (BASE_STATEMENT, *IMPORT_STATEMENTS):
        figures = [(side[name] - side["pass"]) * 1000 for side in (least, median)]
        ratios = [
            (side[name] - side["pass"]) / (side[BASE_STATEMENT] - side["pass"]) for side in (least, median)
        ]
        within = ratios[0] <= MAX_RATIO
        good = good and within
        verdict = "" if name == BASE_STATEMENT else f"  reach {MAX_RATIO:g}x  {'ok' if within else 'MISSED'}"
        times = "".join(f"{figure:>8.1f}" for figure in figures)
        print(f"  {name:<42}{times}   {ratios[0]:.2f}x {ratios[1]:.2f}x{verdict}")
    return good
