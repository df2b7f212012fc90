"""Two running servers, and a connection to one of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

# importlib mode leaves sys.path alone.
sys.path.append(str(Path(__file__).parent))

from fakeclock import FakeClock
from jetstream_stand import Stand

from smartxfer.jetstream import API


@pytest.fixture(scope="session")
def jetstream_shared() -> Iterator[Stand]:
    """Two running servers for all tests here."""
    stand = Stand()
    try:
        yield stand
    finally:
        stand.close()


@pytest.fixture
def stand(jetstream_shared: Stand) -> Iterator[Stand]:
    """The running servers, empty; a planned fault that did not fire fails the test."""
    jetstream_shared.empty()
    yield jetstream_shared
    jetstream_shared.leave()
    assert jetstream_shared.server.unfired() == []


@pytest.fixture
def api(stand: Stand) -> API:
    """An open connection of a user's."""
    api = stand.api()
    api.connect()
    return api


@pytest.fixture
def root(stand: Stand) -> API:
    """An open connection of a superuser's."""
    api = stand.api("root")
    api.connect()
    api.server.superuser()
    return api


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()
