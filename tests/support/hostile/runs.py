"""A run: the local server, gates before it, and a process of clients."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence

from smartxfer.local import LocalServer
from tests.support.hostile.behaviours import BEHAVIOURS, TABLE
from tests.support.hostile.gate import Gate
from tests.support.hostile.services import SERVICES, combinations

_HERE = Path(__file__).parent
#: Calls side by side.
GATES = 24
#: Services before which an ordinary run puts each behaviour, in turn.
_SERVICES_EACH = 3
#: Further gates, for calls that are made alone.
SPARE = 40


@contextlib.contextmanager
def gates(service: str, count: int) -> Iterator[Any]:
    """``(facts, addresses)``: what a server of the service holds, and the gates before it."""
    kind = SERVICES[service]
    peers = ["jetstream_peer"] if service == "jetstream" else []
    running = LocalServer(services=[service, *peers], **{service: kind.site})
    with running as server, contextlib.ExitStack() as stack:
        facts = kind.plant(server)
        made = [Gate(kind.targets(server), BEHAVIOURS) for _ in range(count)]
        for gate in made:
            stack.enter_context(gate)
        yield facts, [gate.url for gate in made]


def run(
    service: str, every: bool, only: str = "", on_result: Callable[[Any], Any] = lambda found: None
) -> List[Dict[str, Any]]:
    """Make the calls of a service; what became of each.

    :param every: each behaviour in each phase, else each once and before some of the services.
    :param only: a word that the names have.
    """
    plan = _planned(service, every, only)
    with gates(service, GATES + SPARE) as (facts, urls):
        plan.update(service=service, facts=facts, gates=urls[:GATES], spare=urls[GATES:])
        return _process(plan, on_result)


def _planned(service: str, every: bool, only: str) -> Dict[str, Any]:
    """The calls that are made side by side, those that are made a few at a time, and those made alone."""
    plan: Dict[str, Any] = {"light": [], "few": [], "heavy": []}
    number = list(SERVICES).index(service)
    for at, (behaviour, phase) in enumerate(combinations(service, list(TABLE), every)):
        if only not in f"{behaviour} | {phase}" or not (every or (at + number) % len(SERVICES) < _SERVICES_EACH):
            continue
        row, ends = TABLE[behaviour], SERVICES[service].phases[phase].ends
        tasks = plan["light" if not row.heavy else "heavy" if every or at % len(SERVICES) == number else "few"]
        # Of two calls that take a deadline the fast suite gives one to the second.
        tasks += [(behaviour, phase, row.may_pass, late) for late in ((False, True) if every else (bool(at % 2),)) if ends or not late]
        if not ends and not every and at % 2:
            tasks.append((behaviour, phase, row.may_pass, False))
    return plan


def _process(plan: Dict[str, Any], on_result: Callable[[Any], Any]) -> List[Dict[str, Any]]:
    path = os.pathsep.join(filter(None, sys.path))
    found = []
    with subprocess.Popen(
        [sys.executable, str(_HERE / "client_process.py")],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan))
        process.stdin.close()
        for line in process.stdout:
            found.append(json.loads(line))
            on_result(found[-1])
    assert process.returncode == 0
    return found


def list_problems(found: Sequence[Dict[str, Any]]) -> List[str]:
    """Return the problems, a line each."""
    return [f"{one['task']}: {one['error']}: {why}" for one in found for why in one["wrong"]]


if __name__ == "__main__":
    began = time.monotonic()
    _all = run(
        sys.argv[1],
        sys.argv[2:3] == ["all"],
        "".join(sys.argv[3:4]),
        lambda one: print(f"{one['seconds']:6.2f} {one.get('memory', 0) >> 20:4d} {one['task']}: {one['error'][:700]}", *one["wrong"], sep="\n   !! ", flush=True),
    )
    print(len(_all), "calls", time.monotonic() - began)
