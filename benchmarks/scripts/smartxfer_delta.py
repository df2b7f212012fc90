"""Delta benchmark of smartxfer: a process that reads steps from standard input and executes them."""

import json
import sys
import time
from typing import Any, Dict

from benchmarks.measure import get_peak_memory


def run_step(settings: Dict[str, Any]) -> None:
    """Execute one step."""
    from smartxfer import delta

    if settings["step"] == "signature":
        delta.signature(settings["basis"], settings["signature"], block_length=settings["block_length"])
    elif settings["step"] == "delta":
        delta.delta(settings["signature"], settings["fresh"], settings["delta"])
    else:
        delta.patch(settings["basis"], settings["delta"], settings["made"])


def main() -> None:
    """Execute the steps on standard input, one JSON object per line, and print the metrics of each."""
    from smartxfer import delta

    if not delta.available():
        raise SystemExit("librsync is not installed")
    peak_before = get_peak_memory()
    print(json.dumps({"idle": peak_before}), flush=True)
    for line in sys.stdin:
        settings = json.loads(line)
        cpu_started, started = time.process_time(), time.perf_counter()
        run_step(settings)
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu_started
        # The peak of all steps so far, because the limit is for every step.
        peak = get_peak_memory()
        metrics = {"wall": wall, "cpu": cpu, "peak": peak, "growth": peak - peak_before}
        print(json.dumps(metrics), flush=True)


if __name__ == "__main__":
    main()
