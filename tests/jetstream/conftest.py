"""Two running servers, and a connection to one of them."""

from __future__ import annotations

from typing import Iterator

import pytest

from smartxfer.jetstream import API
from tests.support.fake_clock import FakeClock
from tests.support.jetstream_servers import Stand


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
