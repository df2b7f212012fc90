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

__all__ = ["Figures", "command", "high_water", "median", "python", "report_from_child", "take_turns"]

Figures = Dict[str, float]


def report_from_child(prepare: Callable[[], Callable[[], Any]]) -> None:
    """In a child: get ready, do the work, and print what it cost.

    ``prepare`` imports and builds the client; what it returns is the work that is timed.
    """
    work = prepare()
    idle = high_water()
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "growth": high_water() - idle, "peak": high_water()}))


def high_water() -> float:
    """Largest resident size so far, in MiB."""
    with open("/proc/self/status", encoding="ascii") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def python(side: str, work: str, arguments: Mapping[str, Any], interpreter: str = sys.executable) -> Figures:
    """Run ``benchmarks.sides.SIDE`` in a fresh interpreter and return what it reports."""
    done = subprocess.run(
        [interpreter, "-m", f"benchmarks.sides.{side}", work, json.dumps(dict(arguments))],
        stdout=subprocess.PIPE,
        check=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def command(arguments: Sequence[str]) -> Figures:
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
    return {"wall": wall, "cpu": cpu, "growth": math.nan, "peak": peak if peak > high_water() else math.nan}


def take_turns(sides: Mapping[str, Callable[[], Figures]], runs: int) -> Dict[str, List[Figures]]:
    """Every side ``runs`` times, in turns, after one turn that does not count."""
    measured: Dict[str, List[Figures]] = {name: [] for name in sides}
    for number in range(runs + 1):
        for name, side in sides.items():
            os.sync()  # nobody pays for what the one before left to be written
            figures = side()
            if number:
                measured[name].append(figures)
    return measured


def median(measured: Sequence[Figures], key: str) -> float:
    """The median of one figure."""
    return statistics.median(figures[key] for figures in measured)
