"""A running service, and a client of it."""

from __future__ import annotations

from typing import Iterator

import pytest

from smartxfer.perseus import PerseusClient
from tests.support.fake_clock import FakeClock
from tests.support.perseus_server import Stand


@pytest.fixture(scope="session")
def perseus_shared() -> Iterator[Stand]:
    """One running service for all tests here."""
    stand = Stand()
    try:
        yield stand
    finally:
        stand.close()


@pytest.fixture
def stand(perseus_shared: Stand) -> Iterator[Stand]:
    """The running service, empty; a planned fault that did not fire fails the test."""
    perseus_shared.empty()
    yield perseus_shared
    assert perseus_shared.server.unfired() == []


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()


@pytest.fixture
def live(stand: Stand, clock: FakeClock) -> PerseusClient:
    """A client of the running service, whose waits take no time."""
    return stand.client(clock=clock)
