"""Timing one side at a time, each run in a process of its own, the sides taking turns."""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Mapping, Sequence

__all__ = [
    "Metrics",
    "get_peak_memory",
    "measure_in_child",
    "median",
    "run_command",
    "run_interleaved",
    "run_python",
]

Metrics = Dict[str, float]


def measure_in_child(prepare: Callable[[], Callable[[], Any]]) -> None:
    """In a child: get ready, do the work, and print what it cost.

    ``prepare`` imports and builds the client; what it returns is the work that is timed.
    """
    work = prepare()
    idle = get_peak_memory()
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps({"wall": wall, "cpu": cpu, "growth": get_peak_memory() - idle, "peak": get_peak_memory()})
    )


def get_peak_memory() -> float:
    """Largest resident size so far, in MiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def run_python(
    script: str, operation: str, arguments: Mapping[str, Any], interpreter: str = sys.executable
) -> Metrics:
    """Run ``benchmarks.scripts.SCRIPT`` in a fresh interpreter and return what it reports."""
    done = subprocess.run(
        [interpreter, "-m", f"benchmarks.scripts.{script}", operation, json.dumps(dict(arguments))],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    figures: Metrics = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_command(arguments: Sequence[str]) -> Metrics:
    """Run another program and measure it from outside.

    Its peak is not a number where it is no larger than ours: a child starts with the peak of its parent.
    """
    began = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.WEXITSTATUS(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / 1024
    return {
        "wall": wall,
        "cpu": cpu,
        "growth": math.nan,
        "peak": peak if peak > get_peak_memory() else math.nan,
    }


def run_interleaved(functions: Mapping[str, Callable[[], Metrics]], runs: int) -> Dict[str, List[Metrics]]:
    """Every side ``runs`` times, in turns, after one turn that does not count."""
    measured: Dict[str, List[Metrics]] = {name: [] for name in functions}
    for number in range(runs + 1):
        for name, side in functions.items():
            os.sync()  # nobody pays for what the one before left to be written
            figures = side()
            if number:
                measured[name].append(figures)
    return measured


def median(measured: Sequence[Metrics], key: str) -> float:
    """The median of one figure."""
    return statistics.median(figures[key] for figures in measured)
