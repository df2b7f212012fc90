"""SmartFile with canned responses, and a running local server."""

from __future__ import annotations

from typing import Any, Iterator, List, Optional

import pytest
from responses import RequestsMock

from smartxfer import RetryPolicy
from smartxfer.local import LocalServer
from smartxfer.local.faults import Fault
from smartxfer.smartfile import BasicClient
from tests.support.fake_clock import FakeClock


@pytest.fixture
def web() -> Iterator[RequestsMock]:
    """Answers by URL; one that is not asked for fails the test."""
    with RequestsMock() as mock:
        yield mock


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()


@pytest.fixture
def api(clock: FakeClock) -> Iterator[BasicClient]:
    """A client of https://files.example.com."""
    with BasicClient("k" * 30, "p" * 30, url="https://files.example.com/", clock=clock) as client:
        yield client


class SmartFileServer:
    """A running server and clients of it that retry without waits."""

    def __init__(self, **options: Any) -> None:
        self.server = LocalServer(services=["smartfile"], smartfile=options).start()
        self.site = self.server.smartfile
        self._clients: List[BasicClient] = []

    def client(self, **options: Any) -> BasicClient:
        """A client of its own, as a new process would make it."""
        options = {"url": self.site.url, "retry": RetryPolicy(backoff=0), **options}
        self._clients.append(BasicClient(self.site.key, self.site.password, **options))
        return self._clients[-1]

    def fault(self, match: str, effect: str, times: Optional[int] = 1, after: int = 0) -> Fault:
        """Plan a fault; a test whose fault did not fire fails."""
        return self.server.fault("smartfile", match, effect, times=times, after=after)

    def close(self) -> None:
        """End clients and server."""
        for client in self._clients:
            client.close()
        self.server.stop()


@pytest.fixture
def harness() -> Iterator[SmartFileServer]:
    """A server whose tasks are done at once."""
    harness = SmartFileServer(task_polls=0)
    try:
        yield harness
        assert harness.server.unfired() == []
    finally:
        harness.close()


@pytest.fixture
def live(harness: SmartFileServer) -> BasicClient:
    """A client of the running server."""
    return harness.client()
