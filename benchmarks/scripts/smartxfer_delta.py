"""Our side of the delta benchmark: one warm process that does what it is told, line by line."""

import json
import sys
import time
from typing import Any, Dict

from benchmarks.measure import get_peak_memory


def run_step(settings: Dict[str, Any]) -> None:
    """One step on files."""
    from smartxfer import delta

    if settings["step"] == "signature":
        delta.signature(settings["basis"], settings["signature"], block_length=settings["block_length"])
    elif settings["step"] == "delta":
        delta.delta(settings["signature"], settings["fresh"], settings["delta"])
    else:
        delta.patch(settings["basis"], settings["delta"], settings["made"])


def main() -> None:
    """Take orders until there are no more; answer each with what it cost."""
    from smartxfer import delta

    if not delta.available():
        raise SystemExit("there is no librsync on this machine")
    idle = get_peak_memory()
    print(json.dumps({"idle": idle}), flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        cpu, began = time.process_time(), time.perf_counter()
        run_step(given)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        # The high water of all that was done so far: no step may exceed the bound.
        peak = get_peak_memory()
        figures = {"wall": wall, "cpu": cpu, "peak": peak, "growth": peak - idle}
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
