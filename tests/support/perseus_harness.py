"""A client of Perseus and a local server between them: for tests of its faults."""

from __future__ import annotations

from typing import Any, Dict, List

from smartxfer.perseus import PerseusClient
from tests.support.filesender_harness import noise
from tests.support.service_harness import MIB, Polling, ServiceHarness

__all__ = ["ALL", "CREATE", "DATA", "DELETE", "FIND", "MIB", "PUT", "PerseusHarness", "Polling"]

CREATE = "POST /api/v0/file"
FIND = "POST /api/v0/file/find"
DELETE = "DELETE /api/v0/file/*"
PUT = "PUT /storage/*"
ALL = "* *"

DATA = noise(2 * MIB)


class PerseusHarness(ServiceHarness):
    """A running Perseus, and clients of it."""

    name = "perseus"

    def _new_client(self, url: str, **options: Any) -> PerseusClient:
        return PerseusClient(url, **{"api_key": self.site.api_key, **options})

    def _empty(self) -> None:
        for record in self.site.records():
            self.site.backend.delete(record["id"])

    def held(self) -> Dict[str, bytes]:
        """The contents of the uploaded records, by name."""
        uploaded = [record for record in self.site.records() if record["status"] == "uploaded"]
        return {record["name"]: self.site.content(record["id"]) for record in uploaded}

    def statuses(self) -> List[str]:
        """The statuses of all records, oldest first."""
        return [record["status"] for record in self.site.records()]
