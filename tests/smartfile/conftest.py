"""SmartFile behind canned answers: no server, no waits."""

from __future__ import annotations

from typing import Iterator

import pytest
import responses
from fakeclock import FakeClock

from smartxfer.smartfile import BasicClient


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """Answers by URL; one that is not asked for fails the test."""
    with responses.RequestsMock() as mock:
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
