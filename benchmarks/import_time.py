"""Benchmark of the import of each client, compared with ``import requests``, in new interpreters."""

import os
import resource
import statistics
import subprocess
import sys
from typing import Dict, List

__all__ = ["run"]

#: The statement with which the others are compared.
BASE_STATEMENT = "import requests"
IMPORT_STATEMENTS = (
    "from smartxfer import FileSenderClient",
    "from smartxfer import BasicClient",
    "from smartxfer import PerseusClient",
    "from smartxfer import JetStream",
    "from smartxfer.nrp import get_client",
)
#: Minimum number of runs, because the times of single processes vary.
MIN_RUNS = 15
#: Limit of the ratio of minimum times.
MAX_RATIO = 1.2


def _measure_cpu_seconds(statement: str, environment: Dict[str, str]) -> float:
    """Return the CPU time of a process that executes a statement and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code; ``size`` is not used.

    The time of an interpreter without imports is subtracted from each time.
    """
    # Without bytecode files the packages would be compiled in each run.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    measured: Dict[str, List[float]] = {
        statement: [] for statement in ("pass", BASE_STATEMENT, *IMPORT_STATEMENTS)
    }
    runs = max(runs, MIN_RUNS)
    for run_number in range(runs + 1):
        for statement, times in measured.items():
            seconds = _measure_cpu_seconds(statement, environment)
            if run_number:  # the first run writes the bytecode files
                times.append(seconds)
    return 0 if _check_ratios(measured, runs) else 1


def _check_ratios(measured: Dict[str, List[float]], runs: int) -> bool:
    """Print the times, and return True if all ratios are within the limit."""
    print(f"\nCPU milliseconds of an import, without those of an empty process: {runs} processes each")
    print(f"  {'statement':<42}{'min':>8}{'median':>8}   ratio: min, median")
    minimum = {name: min(times) for name, times in measured.items()}
    median = {name: statistics.median(times) for name, times in measured.items()}
    all_within = True
    for name in (BASE_STATEMENT, *IMPORT_STATEMENTS):
        net_times = [(statistic[name] - statistic["pass"]) * 1000 for statistic in (minimum, median)]
        ratios = [
            (statistic[name] - statistic["pass"]) / (statistic[BASE_STATEMENT] - statistic["pass"])
            for statistic in (minimum, median)
        ]
        within = ratios[0] <= MAX_RATIO
        all_within = all_within and within
        result = "" if name == BASE_STATEMENT else f"  limit {MAX_RATIO:g}x  {'ok' if within else 'EXCEEDED'}"
        columns = "".join(f"{milliseconds:>8.1f}" for milliseconds in net_times)
        print(f"  {name:<42}{columns}   {ratios[0]:.2f}x {ratios[1]:.2f}x{result}")
    return all_within
