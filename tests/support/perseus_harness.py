"""A client of Perseus and a local server between them: for tests of its faults."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault
from smartxfer.perseus import PerseusClient
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import NRPHarness, _listening_in
from tests.support.smartfile_harness import AT_ONCE, MIB, Polling, pieces, piped

__all__ = [
    "ALL",
    "AT_ONCE",
    "CREATE",
    "DATA",
    "DELETE",
    "FIND",
    "MIB",
    "PUT",
    "PerseusHarness",
    "Polling",
    "again",
    "pieces",
    "piped",
]  # fmt: skip

CREATE = "POST /api/v0/file"
FIND = "POST /api/v0/file/find"
DELETE = "DELETE /api/v0/file/*"
PUT = "PUT /storage/*"
ALL = "* *"

DATA = noise(2 * MIB)


class PerseusHarness(NRPHarness):
    """A running server, and clients of it; as a context manager it asks in the end whether all that was planned came.

    :param site: options of the local Perseus.
    """

    def __init__(self, directory: Path, **site: Any) -> None:
        self.directory = directory
        self.server = LocalServer(services=["perseus"], perseus=site).start()
        self.site = self.server.perseus
        self.url = self.site.url
        self._clients: List[Any] = []
        self._heads: List[Any] = []
        for listener in self.listeners():
            listener._server.RequestHandlerClass = _listening_in(listener._server.RequestHandlerClass, self._heads)

    def client(self, url: Optional[str] = None, **options: Any) -> PerseusClient:
        """A client of the server that retries without waits."""
        settings = {"api_key": self.site.api_key, "retry": AT_ONCE, "timeout": 10.0, **options}
        client = PerseusClient(url or self.url, **settings)
        self._clients.append(client)
        return client

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; the test fails when it does not fire."""
        return self.server.fault("perseus", match, effect, times=times, after=after)

    def held(self) -> Dict[str, bytes]:
        """The contents of the uploaded records, by name."""
        uploaded = [record for record in self.site.records() if record["status"] == "uploaded"]
        return {record["name"]: self.site.content(record["id"]) for record in uploaded}

    def statuses(self) -> List[str]:
        """The statuses of all records, oldest first."""
        return [record["status"] for record in self.site.records()]


@contextlib.contextmanager
def again(harness: PerseusHarness, directory: Path) -> Iterator[PerseusHarness]:
    """The running server, emptied, for one more test; in the end as a harness of its own asks.

    :param directory: of the test.
    """
    for record in harness.site.records():
        harness.site.backend.delete(record["id"])
    harness.directory = directory
    harness.forget()
    failed = True
    try:
        yield harness
        failed = False
    finally:
        unfired = harness.server.unfired()
        crashes = [crash for listener in harness.listeners() for crash in listener.crashes]
        while harness._clients:
            harness._clients.pop().close()
        harness.server.clear_faults()
        for listener in harness.listeners():
            listener.crashes.clear()
    if not failed:
        assert not unfired, f"planned, but never seen: {unfired}"
        assert not crashes, f"the server has a bug: {crashes}"
