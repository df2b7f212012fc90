"""A wire to a raw server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from smartxfer._system import SYSTEM_CLOCK
from smartxfer.transport import HTTPTransport, Origin, RetryPolicy
from smartxfer.transport.http_errors import build_http_error
from tests.support.certificates import server_context, trustme
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_wire(clock: FakeClock) -> Iterator[Callable[..., HTTPTransport]]:
    """``make_wire(url, **settings)``; closed at the end."""
    wires: List[HTTPTransport] = []

    def make(url: str, **settings: Any) -> HTTPTransport:
        policy = settings.setdefault("policy", RetryPolicy())
        settings.setdefault("clock", clock)
        settings.setdefault("timeout", (5.0, 5.0))
        settings.setdefault("user_agent", "tests")
        settings.setdefault(
            "build_error",
            lambda answer, method, where: build_http_error(answer, method, where, policy=policy, clock=clock),
        )
        wires.append(HTTPTransport(Origin.parse(url), **settings))
        return wires[-1]

    yield make
    for wire in wires:
        wire.close()


@pytest.fixture
def real(make_wire: Callable[..., HTTPTransport]) -> Callable[..., HTTPTransport]:
    """``make_wire`` with time-outs of five seconds by the real clock."""
    return lambda url, **more: make_wire(url, **{"clock": SYSTEM_CLOCK, "timeout": (5.0, 5.0), **more})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
