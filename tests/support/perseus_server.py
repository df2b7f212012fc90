"""A running service and clients of it."""

from __future__ import annotations

from typing import Any, List, Optional

from smartxfer import RetryPolicy
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault
from smartxfer.perseus import PerseusClient

#: What tests change of the configuration, as it is at first.
_PLAIN = {
    "upload_delay": 0.0,
    "compare_hash": True,
    "known": "409",
    "recreate_pending": False,
    "create_status": 200,
    "url_seconds": 3600,
    "signed_type": "",
    "echo_hash": True,
    "max_size": 0,
    "clock_offset": 0.0,
}


class PerseusServer:
    """A running service, empty for each test, and clients of it that retry without waits."""

    def __init__(self) -> None:
        self.server = LocalServer(services=["perseus"], perseus={}).start()
        self.site = self.server.perseus
        self._clients: List[PerseusClient] = []
        self._before = 0

    def empty(self) -> None:
        """Forget what the last test left."""
        self.server.clear_faults()
        self.site.configure(**_PLAIN)
        for record in self.site.records():
            self.site.backend.delete(record["id"])
        self._before = len(self.site.requests)

    def client(self, **options: Any) -> PerseusClient:
        """A client of its own."""
        options = {"api_key": self.site.api_key, "retry": RetryPolicy(backoff=0), **options}
        self._clients.append(PerseusClient(self.site.url, **options))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; a test whose fault did not fire fails."""
        return self.server.fault("perseus", match, effect, times=times, after=after)

    @property
    def calls(self) -> List[str]:
        """Return the requests of this test so far, a word for each."""
        seen = self.site.requests[self._before :]
        return [_word(method, path) for method, path, _ in seen]

    @property
    def statuses(self) -> List[str]:
        """The statuses of the records, oldest first."""
        return [record["status"] for record in self.site.records()]

    def close(self) -> None:
        """End clients and server."""
        for client in self._clients:
            client.close()
        self.server.stop()


def _word(method: str, path: str) -> str:
    if method == "POST":
        return "find" if path.endswith("/find") else "create"
    return {"PUT": "put", "DELETE": "delete"}[method]
