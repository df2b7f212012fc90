"""Our side of the delta benchmark: one warm process that does what it is told, line by line."""

import json
import sys
import time
from typing import Any, Dict

from benchmarks.measure import high_water


def work(given: Dict[str, Any]) -> None:
    """One step on files."""
    from smartxfer import delta

    if given["step"] == "signature":
        delta.signature(given["basis"], given["signature"], block_length=given["block_length"])
    elif given["step"] == "delta":
        delta.delta(given["signature"], given["fresh"], given["delta"])
    else:
        delta.patch(given["basis"], given["delta"], given["made"])


def main() -> None:
    """Take orders until there are no more; answer each with what it cost."""
    from smartxfer import delta

    if not delta.available():
        raise SystemExit("there is no librsync on this machine")
    idle = high_water()
    print(json.dumps({"idle": idle}), flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        cpu, began = time.process_time(), time.perf_counter()
        work(given)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        # The high water of all that was done so far: no step may exceed the bound.
        peak = high_water()
        figures = {"wall": wall, "cpu": cpu, "peak": peak, "growth": peak - idle}
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
