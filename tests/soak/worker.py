"""A worker: one process that runs the cases of the seed one by one, with its own server."""

from __future__ import annotations

import importlib
import random
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from tests.soak.case import Case, Plan, PlannedFault
from tests.soak.disturbance import some_disturbances
from tests.soak.runner import Runner
from tests.soak.server import Server
from tests.soak.service import Service

#: Every service, in the order of the report.
SERVICES = ("filesender", "smartfile", "nrp", "perseus", "jetstream")
#: How often a fault takes effect, and how many of them a case has.
_TIMES = (1, 1, 2, 3, 5, 8)
_NUMBERS = (0, 0, 1, 1, 2, 3)
#: Effects of the faults that make a client give up.
_BREAKING = ("reset-before", "status 500", "status 503 retry-after=0")


class Result(NamedTuple):
    """Outcome of a case."""

    seed: str
    service: str
    seconds: float
    counts: Dict[str, int]
    findings: List[Tuple[str, str]]
    directory: str


def load(name: str) -> Service:
    """Return the adapter of a service."""
    found: Service = importlib.import_module(f"tests.soak.{name}").SERVICE()
    return found


def plan_of(seed: str) -> Plan:
    """Return the plan of a case seed such as ``1/filesender/17``: the same each time."""
    service = load(seed.split("/")[1])
    chance = random.Random(seed)
    kind = chance.choices(list(service.kinds), list(service.kinds.values()))[0]
    items, options = service.plan(kind, chance, seed)
    size = sum(item.size for item in items)
    disturbances = some_disturbances(
        chance, size=size, files=len(items), sources=kind in service.sources, targets=kind in service.targets,
    )
    return Plan(seed, kind, items, options, _some_faults(service, kind, chance, size), disturbances)


def _some_faults(service: Service, kind: str, chance: random.Random, size: int) -> List[PlannedFault]:
    """Draw the faults of a case.

    One case in three flips a bit that only a checksum finds.  In two of five the requests that carry the
    bytes, the first of the adapter's list, fail so often that the client gives up in mid-transfer.
    """
    menu = [(match, effect) for match, effects in service.faults(kind) for effect in effects]
    flipped = [(match, effect) for match, effect in menu if effect.startswith("flip")]
    chosen = [chance.choice(flipped)] if flipped and chance.random() < 1 / 3 else []
    chosen += [chance.choice(menu) for _ in range(chance.choice(_NUMBERS))] if menu else []
    breaking = [(menu[0][0], chance.choice(_BREAKING))] if menu and chance.random() < 0.4 else []
    found = []
    for match, effect in breaking + chosen:
        name, _, rest = match.rpartition(": ")
        # Often within the first bytes, as the bodies of parts and ranges are smaller than the file.
        at = min(max(0, size - 1), int(2 ** chance.uniform(0, 17)) - 1)
        text = effect.format(n=at, rate=max(1 << 16, 3 * size))
        flips = effect.startswith("flip")
        times = 1 if flips else chance.choice(_TIMES) if found or not breaking else 12
        after = chance.choice((0, 0, 0, 1) if flips else (0, 0, 1, 2, 3))
        found.append(PlannedFault(name or service.name, rest, text, times, after))
    return found


def seeds(seed: str, worker: int, services: Sequence[str]) -> Iterator[str]:
    """Yield the case seeds of a worker for ever: the services in turn."""
    turn, number = list(services), 0
    while True:
        yield f"{seed}/{turn[(number + worker) % len(turn)]}/{worker}.{number}"
        number += 1


class Worker:
    """Carries out cases one after the other.

    :param directory: of its cases and its server.
    :param services: their names.
    """

    def __init__(self, directory: Path, services: Sequence[str]) -> None:
        self._directory = directory
        self._adapters = {name: load(name) for name in services}
        self._options: Dict[str, Dict[str, Any]] = {}
        for adapter in self._adapters.values():
            self._options.update(adapter.options)
        self._servers = 0
        self._server = self._new_server()

    def _new_server(self) -> Server:
        self._servers += 1
        return Server(self._directory / f"server-{self._servers}", self._options)

    def do(self, seed: str) -> Result:
        """Carry out one case.  Its directory is kept when something is wrong, and so is the server's data."""
        began = time.monotonic()
        directory = self._directory / seed.replace("/", "-")
        directory.mkdir(parents=True)
        plan = plan_of(seed)
        name = seed.split("/")[1]
        case = Case(plan, directory, self._server)
        runner = Runner(self._adapters[name], case, self._server)
        runner.go()
        found = runner.findings.all
        if found:
            (directory / "plan.txt").write_text(f"{plan}\n\n{found}\n", encoding="utf-8")
            self._server.stop()
            self._server = self._new_server()
        else:
            self._adapters[name].clean(case)
            shutil.rmtree(directory, ignore_errors=True)
        return Result(seed, name, time.monotonic() - began, dict(runner.counts), found, str(directory))

    def close(self) -> None:
        """End the server."""
        self._server.stop()


def work(worker: Worker, stream: Iterator[str], seconds: float, report: Callable[[Result], None]) -> None:
    """Carry out cases until the time is over, one at least."""
    ends_at = time.monotonic() + seconds
    try:
        for seed in stream:
            report(worker.do(seed))
            if time.monotonic() > ends_at:
                break
    finally:
        worker.close()
