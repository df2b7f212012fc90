"""A running repository and clients of it."""

from __future__ import annotations

from typing import Any, List, Optional

from smartxfer import RetryPolicy
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault
from smartxfer.nrp import RepositoryClient, get_client


class NRPServer:
    """A running repository and clients of it that retry without waits."""

    def __init__(self, **options: Any) -> None:
        self.server = LocalServer(services=["nrp"], nrp=options).start()
        self.site = self.server.nrp
        self._clients: List[RepositoryClient] = []

    def client(self, **options: Any) -> RepositoryClient:
        """Return a new client, of the first user by default."""
        options = {"url": self.site.url, "token": self.site.token, "retry": RetryPolicy(backoff=0), **options}
        self._clients.append(get_client(**options))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; a test whose fault did not fire fails."""
        return self.server.fault("nrp", match, effect, times=times, after=after)

    def close(self) -> None:
        """End clients and server."""
        for client in self._clients:
            client.close()
        self.server.stop()
