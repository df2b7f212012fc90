"""Repositories with canned responses, and a running local one."""

from __future__ import annotations

from typing import Iterator

import pytest
from responses import RequestsMock

from smartxfer.nrp import RepositoryClient, get_client
from tests.support import canned_records as canned
from tests.support.fake_clock import FakeClock
from tests.support.nrp_server import NRPServer


@pytest.fixture
def bare_web() -> Iterator[RequestsMock]:
    """Answers by URL; one that is not asked for fails the test."""
    with RequestsMock() as mock:
        yield mock


@pytest.fixture
def web(bare_web: RequestsMock) -> RequestsMock:
    """The same, and it knows what the repository says of itself."""
    bare_web.add("GET", f"{canned.BASE}/.well-known/repository/", json=canned.about())
    return bare_web


@pytest.fixture
def clock() -> FakeClock:
    """Time moves on by waits alone."""
    return FakeClock()


@pytest.fixture
def api(clock: FakeClock) -> Iterator[RepositoryClient]:
    """A client of https://repo.example with a token."""
    with get_client(canned.BASE, token="t" * 30, clock=clock) as client:
        yield client


@pytest.fixture(scope="module")
def shared_harness() -> Iterator[NRPServer]:
    """One running repository for a module: each test has records of its own."""
    harness = NRPServer()
    try:
        yield harness
    finally:
        harness.close()


@pytest.fixture
def harness(shared_harness: NRPServer) -> Iterator[NRPServer]:
    """The running repository; a planned fault that did not fire fails the test."""
    yield shared_harness
    assert shared_harness.server.unfired() == []


@pytest.fixture
def live(harness: NRPServer) -> RepositoryClient:
    """A client of the running repository."""
    return harness.client()
