"""Two running servers, and a connection to one of them."""

from __future__ import annotations

from typing import Iterator

import pytest

from smartxfer.jetstream import API
from tests.support.fake_clock import FakeClock
from tests.support.jetstream_servers import JetStreamServers


@pytest.fixture(scope="session")
def jetstream_shared() -> Iterator[JetStreamServers]:
    """Two running servers for all tests here."""
    harness = JetStreamServers()
    try:
        yield harness
    finally:
        harness.close()


@pytest.fixture
def harness(jetstream_shared: JetStreamServers) -> Iterator[JetStreamServers]:
    """The running servers, empty; a planned fault that did not fire fails the test."""
    jetstream_shared.empty()
    yield jetstream_shared
    jetstream_shared.leave()
    assert jetstream_shared.server.unfired() == []


@pytest.fixture
def api(harness: JetStreamServers) -> API:
    """An open connection of a user's."""
    api = harness.api()
    api.connect()
    return api


@pytest.fixture
def root(harness: JetStreamServers) -> API:
    """An open connection of a superuser's."""
    api = harness.api("root")
    api.connect()
    api.server.superuser()
    return api


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()
