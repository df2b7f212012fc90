"""Repositories behind canned answers, and a running local one."""

from __future__ import annotations

from typing import Iterator

import pytest
import responses

from smartxfer.nrp import RepositoryClient, get_client
from tests.support import canned_records as canned
from tests.support.fake_clock import FakeClock
from tests.support.nrp_server import Stand


@pytest.fixture
def bare_web() -> Iterator[responses.RequestsMock]:
    """Answers by URL; one that is not asked for fails the test."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def web(bare_web: responses.RequestsMock) -> responses.RequestsMock:
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
def shared_stand() -> Iterator[Stand]:
    """One running repository for a module: each test has records of its own."""
    stand = Stand()
    try:
        yield stand
    finally:
        stand.close()


@pytest.fixture
def stand(shared_stand: Stand) -> Iterator[Stand]:
    """The running repository; a planned fault that did not fire fails the test."""
    yield shared_stand
    assert shared_stand.server.unfired() == []


@pytest.fixture
def live(stand: Stand) -> RepositoryClient:
    """A client of the running repository."""
    return stand.client()
