"""A running service, and a client of it."""

from __future__ import annotations

from typing import Iterator

import pytest

from smartxfer.perseus import PerseusClient
from tests.support.fake_clock import FakeClock
from tests.support.perseus_server import PerseusServer


@pytest.fixture(scope="session")
def perseus_shared() -> Iterator[PerseusServer]:
    """One running service for all tests here."""
    harness = PerseusServer()
    try:
        yield harness
    finally:
        harness.close()


@pytest.fixture
def harness(perseus_shared: PerseusServer) -> Iterator[PerseusServer]:
    """The running service, empty; a planned fault that did not fire fails the test."""
    perseus_shared.empty()
    yield perseus_shared
    assert perseus_shared.server.unfired() == []


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()


@pytest.fixture
def live(harness: PerseusServer, clock: FakeClock) -> PerseusClient:
    """A client of the running service, whose waits take no time."""
    return harness.client(clock=clock)
