"""Measurement of time and memory in child processes, in interleaved runs of the compared clients."""

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
    """Measure a function in the current process, and print the metrics as JSON.

    :param prepare: imports and creates the client, and returns the function to measure.
    """
    work = prepare()
    peak_before = get_peak_memory()
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    work()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = get_peak_memory()
    print(json.dumps({"wall": wall, "cpu": cpu, "growth": peak - peak_before, "peak": peak}))


def get_peak_memory() -> float:
    """Return the peak resident memory of the process in MiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def run_python(
    script: str, operation: str, arguments: Mapping[str, Any], interpreter: str = sys.executable
) -> Metrics:
    """Run ``benchmarks.scripts.SCRIPT`` in a new interpreter and return its metrics."""
    process = subprocess.run(
        [interpreter, "-m", f"benchmarks.scripts.{script}", operation, json.dumps(dict(arguments))],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    metrics: Metrics = json.loads(process.stdout.splitlines()[-1])
    return metrics


def run_command(arguments: Sequence[str]) -> Metrics:
    """Run another program and return its metrics.

    The peak is NaN if it is not larger than that of this process, because a child process inherits the peak
    of its parent.
    """
    started = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.WEXITSTATUS(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} failed with exit code {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss / 1024
    return {
        "wall": wall,
        "cpu": cpu,
        "growth": math.nan,
        "peak": peak if peak > get_peak_memory() else math.nan,
    }


def run_interleaved(functions: Mapping[str, Callable[[], Metrics]], runs: int) -> Dict[str, List[Metrics]]:
    """Run each function ``runs`` times in turns, after a first turn that is not measured."""
    measured: Dict[str, List[Metrics]] = {name: [] for name in functions}
    for run_number in range(runs + 1):
        for name, function in functions.items():
            os.sync()  # write the data of the previous function to disk, so that this one is not slowed down
            metrics = function()
            if run_number:
                measured[name].append(metrics)
    return measured


def median(measured: Sequence[Metrics], key: str) -> float:
    """Return the median of one metric."""
    return statistics.median(metrics[key] for metrics in measured)
