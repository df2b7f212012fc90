"""JetStream: 1,000 control calls over one session, beside a bare ``requests.Session`` that posts the same."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from benchmarks.measure import Metrics, median, run_interleaved, run_python

#: The sides, as the table names them, and their modules.
OUR_LABEL, REQUESTS_LABEL = "smartxfer", "requests.Session"
SCRIPTS = {OUR_LABEL: "smartxfer_jetstream", REQUESTS_LABEL: "requests_jetstream"}
#: Rounds of four calls.
ROUNDS = 250
CALL_COUNT = 4 * ROUNDS
#: Least rate of ours, as a share of the other side's.
MIN_RATE_RATIO = 0.7


@contextlib.contextmanager
def _run_server(data: Path) -> Iterator[Dict[str, Any]]:
    """A server in a process of its own, with a transfer to ask for."""
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
    """Measure, print, and say 1 when the figure is out of reach; ``size`` means nothing here."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        with _run_server(Path(name) / "data") as site:
            given = {**site, "room": name, "rounds": ROUNDS}
            measured = run_interleaved(
                {
                    OUR_LABEL: lambda: _run_script(OUR_LABEL, given),
                    REQUESTS_LABEL: lambda: _run_script(REQUESTS_LABEL, given),
                },
                runs,
            )
    good = _check_rate(measured, runs)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 0 if good else 1


def _check_rate(measured: Dict[str, List[Metrics]], runs: int) -> bool:
    """Print the medians, and say whether the rate is in reach."""
    print(f"\n{CALL_COUNT:,} control calls over one session: medians of {runs} runs")
    print(f"  {'side':<20}{'wall s':>9}{'calls/s':>9}{'CPU s':>9}")
    for name, figures in measured.items():
        wall = median(figures, "wall")
        print(f"  {name:<20}{wall:>9.3f}{CALL_COUNT / wall:>9.0f}{median(figures, 'cpu'):>9.3f}")
    share = median(measured[REQUESTS_LABEL], "wall") / median(measured[OUR_LABEL], "wall")
    good = share >= MIN_RATE_RATIO
    verdict = "ok" if good else "MISSED"
    print(f"\n  rate / requests.Session {share:>8.2f}x  reach {MIN_RATE_RATIO:g}x at least  {verdict}")
    return good
