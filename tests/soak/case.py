"""One case: a logical transfer, planned from its seed alone."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, TypeVar

from smartxfer import RetryPolicy
from tests.soak.disturbance import Disturbance
from tests.soak.server import Server
from tests.soak.service import Item

T = TypeVar("T")


class PlannedFault(NamedTuple):
    """A fault of the server; arguments of ``LocalServer.fault``."""

    service: str
    match: str
    effect: str
    times: int
    after: int


class Plan(NamedTuple):
    """All that is decided before a case begins."""

    seed: str
    kind: str
    items: List[Item]
    options: Dict[str, Any]
    faults: List[PlannedFault]
    disturbances: List[Disturbance]


class Case:
    """A planned case with its directory and its server: what an adapter works with.

    :param plan: what is to be done.
    :param directory: an empty directory of this case.
    :param server: the local server of this worker, running.
    """

    #: Tries without long waits, and the time-out of a client, in seconds.
    retry = RetryPolicy(attempts=3, backoff=0.02, backoff_cap=0.2, retry_after_cap=1.0, budget=30.0, limit_budget=30.0)
    retry_stalled = dataclasses.replace(retry, stall_speed=64, stall_window=1.0)
    timeout = 4.0

    def __init__(self, plan: Plan, directory: Path, server: Server) -> None:
        self.plan = plan
        self.seed, self.kind, self.options = plan.seed, plan.kind, plan.options
        #: The files as they have to arrive in the end.
        self.items: List[Item] = list(plan.items)
        self.directory = directory
        #: The directory with the files to upload; the directory to download into, missing at first; the
        #: state directory of the client.
        self.source, self.target, self.state = directory / "source", directory / "target", directory / "state"
        #: What ``prepare`` notes for ``run`` and ``check``.  ``run`` has a copy: what it changes is lost.
        self.facts: Dict[str, Any] = {}
        #: Texts that must not appear in logs, output, state files and targets.
        self.secrets: List[str] = []
        #: How many complete objects of an upload can be explained: runs that succeeded, that ended with
        #: OutcomeUnknown, or that had removed their journal, their last act, when they were broken.
        self.most_objects = 0
        #: Whether a source file has changed between two runs, or during one.
        self.changed = False
        self._server = server

    def ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function(server, *arguments)`` in the process of the LocalServer and return its value.

        :param function: of a module, not a lambda: it is pickled by name, arguments and value by content.
        """
        return self._server.ask(function, *arguments)

    def write_sources(self) -> None:
        """Write the files as they are planned into the source directory."""
        for item in self.items:
            path = self.source / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.content)

    def change_source(self, chance: random.Random) -> Item:
        """Give one source file other content, as an editor or a cron job does in place, and return the old item."""
        number = chance.randrange(len(self.items))
        old = self.items[number]
        size = old.size if chance.random() < 0.5 else max(1, old.size + chance.choice((-1, 1, 1000)))
        new = self.items[number] = old._replace(size=size, seed=old.seed + "/changed")
        (self.source / new.name).write_bytes(new.content)
        self.changed = True
        return old
