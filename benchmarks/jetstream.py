"""Benchmark of JetStream: 1,000 control calls in a session, compared with a plain ``requests.Session``."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from benchmarks.measure import Metrics, median, run_interleaved, run_python

#: Labels of the compared clients in the table, and their modules.
OUR_LABEL, REQUESTS_LABEL = "smartxfer", "requests.Session"
SCRIPTS = {OUR_LABEL: "smartxfer_jetstream", REQUESTS_LABEL: "requests_jetstream"}
#: Rounds of four calls.
ROUNDS = 250
CALL_COUNT = 4 * ROUNDS
#: Minimum call rate of smartxfer, as a fraction of that of the plain session.
MIN_RATE_RATIO = 0.7


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, Any]]:
    """Run a server process that has a transfer."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scripts.jetstream_server", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def _run_script(label: str, settings: Dict[str, Any]) -> Metrics:
    return run_python(SCRIPTS[label], "calls", settings)


def run(runs: int, size: int) -> int:
    """Run the benchmark and return the exit code; ``size`` is not used."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        with _run_server(Path(name) / "data") as site:
            settings = {**site, "work_dir": name, "rounds": ROUNDS}
            measured = run_interleaved(
                {
                    OUR_LABEL: lambda: _run_script(OUR_LABEL, settings),
                    REQUESTS_LABEL: lambda: _run_script(REQUESTS_LABEL, settings),
                },
                runs,
            )
    within = _check_rate(measured, runs)
    print(f"\n{time.monotonic() - started:.0f} s in total")
    return 0 if within else 1


def _check_rate(measured: Dict[str, List[Metrics]], runs: int) -> bool:
    """Print the medians, and return True if the rate is within the limit."""
    print(f"\n{CALL_COUNT:,} control calls over one session: medians of {runs} runs")
    print(f"  {'client':<20}{'wall s':>9}{'calls/s':>9}{'CPU s':>9}")
    for name, results in measured.items():
        wall = median(results, "wall")
        print(f"  {name:<20}{wall:>9.3f}{CALL_COUNT / wall:>9.0f}{median(results, 'cpu'):>9.3f}")
    ratio = median(measured[REQUESTS_LABEL], "wall") / median(measured[OUR_LABEL], "wall")
    within = ratio >= MIN_RATE_RATIO
    result = "ok" if within else "TOO SLOW"
    print(f"\n  rate / requests.Session {ratio:>8.2f}x  limit {MIN_RATE_RATIO:g}x at least  {result}")
    return within
