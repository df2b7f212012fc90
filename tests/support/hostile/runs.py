"""A run: the local server, gates before it, and a process of clients."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

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


def run(service: str, every: bool) -> List[Dict[str, Any]]:
    """Make the calls of a service; what became of each.

    :param every: each behaviour in each phase, else each once and before some of the services.
    """
    plan = _planned(service, every)
    with gates(service, GATES + SPARE) as (facts, urls):
        plan.update(service=service, facts=facts, gates=urls[:GATES], spare=urls[GATES:])
        return _process(plan)


def _planned(service: str, every: bool) -> Dict[str, Any]:
    """The calls that are made side by side, those that are made a few at a time, and those made alone."""
    plan: Dict[str, Any] = {"light": [], "few": [], "heavy": []}
    number = list(SERVICES).index(service)
    for at, (behaviour, phase) in enumerate(combinations(service, list(TABLE), every)):
        if not (every or (at + number) % len(SERVICES) < _SERVICES_EACH):
            continue
        row, ends = TABLE[behaviour], SERVICES[service].phases[phase].ends
        tasks = plan["light" if not row.heavy else "heavy" if every or at % len(SERVICES) == number else "few"]
        # Of two calls that take a deadline the fast suite gives one to the second.
        tasks += [(behaviour, phase, row.may_pass, late) for late in ((False, True) if every else (bool(at % 2),)) if ends or not late]
        if not ends and not every and at % 2:
            tasks.append((behaviour, phase, row.may_pass, False))
    return plan


def _process(plan: Dict[str, Any]) -> List[Dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(_HERE / "client_process.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def list_problems(found: Sequence[Dict[str, Any]]) -> List[str]:
    """Return the problems, a line each."""
    return [f"{one['task']}: {one['error']}: {why}" for one in found for why in one["wrong"]]
