"""A wire to a raw server."""

from __future__ import annotations

from typing import Any, Callable, Iterator, List

import pytest
from fakeclock import FakeClock

from smartxfer.transport import Origin, RetryPolicy, Wire
from smartxfer.transport.status import http_error


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_wire(clock: FakeClock) -> Iterator[Callable[..., Wire]]:
    """``make_wire(url, **settings)``; closed at the end."""
    wires: List[Wire] = []

    def make(url: str, **settings: Any) -> Wire:
        policy = settings.setdefault("policy", RetryPolicy())
        settings.setdefault("clock", clock)
        settings.setdefault("timeout", (5.0, 5.0))
        settings.setdefault("user_agent", "tests")
        settings.setdefault(
            "error_of",
            lambda answer, method, where: http_error(answer, method, where, policy=policy, clock=clock),
        )
        wires.append(Wire(Origin.of(url), **settings))
        return wires[-1]

    yield make
    for wire in wires:
        wire.close()
