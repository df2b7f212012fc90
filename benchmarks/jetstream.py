"""JetStream: 1,000 control calls over one session, beside a bare ``requests.Session`` that posts the same."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from benchmarks.measure import Figures, median, python, take_turns

#: The sides, as the table names them, and their modules.
MINE, BARE = "smartxfer", "requests.Session"
MODULES = {MINE: "smartxfer_jetstream", BARE: "requests_jetstream"}
#: Rounds of four calls.
ROUNDS = 250
CALLS = 4 * ROUNDS
#: Least rate of ours, as a share of the other side's.
LEAST = 0.7


@contextlib.contextmanager
def _server(data: Path) -> Iterator[Dict[str, Any]]:
    """A server in a process of its own, with a transfer to ask for."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sides.jetstream_server", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def _side(name: str, given: Dict[str, Any]) -> Figures:
    return python(MODULES[name], "calls", given)


def run(runs: int, size: int) -> int:
    """Measure, print, and say 1 when the figure is out of reach; ``size`` means nothing here."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="smartxfer-bench-") as name:
        with _server(Path(name) / "data") as site:
            given = {**site, "room": name, "rounds": ROUNDS}
            measured = take_turns({MINE: lambda: _side(MINE, given), BARE: lambda: _side(BARE, given)}, runs)
    good = _judge(measured, runs)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 0 if good else 1


def _judge(measured: Dict[str, List[Figures]], runs: int) -> bool:
    """Print the medians, and say whether the rate is in reach."""
    print(f"\n{CALLS:,} control calls over one session: medians of {runs} runs")
    print(f"  {'side':<20}{'wall s':>9}{'calls/s':>9}{'CPU s':>9}")
    for name, figures in measured.items():
        wall = median(figures, "wall")
        print(f"  {name:<20}{wall:>9.3f}{CALLS / wall:>9.0f}{median(figures, 'cpu'):>9.3f}")
    share = median(measured[BARE], "wall") / median(measured[MINE], "wall")
    good = share >= LEAST
    verdict = "ok" if good else "MISSED"
    print(f"\n  rate / requests.Session {share:>8.2f}x  reach {LEAST:g}x at least  {verdict}")
    return good
