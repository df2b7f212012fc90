"""The requests of a service: by its client's policy, under an operation's watch, or in one try."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Iterator, List

import attrs
import pytest

from smartxfer.errors import Cancelled, NetworkError, OutcomeUnknown
from smartxfer.service_api import ServiceApi
from smartxfer.transport import RequestSpec
from tests.support.raw_server import RawServer, reset, scripted, status

ok = status(200, b"{}", "Content-Type: application/json")


@attrs.frozen
class Api(ServiceApi):
    """A service with one question."""

    url: str
    seen: List[str] = attrs.field(factory=list)

    def ask(self, method: str = "GET") -> Any:
        self.seen.append(method)
        return self.send_request(RequestSpec(method, f"{self.url}/x", body=b"" if method == "POST" else None)).json()


@pytest.fixture
def serving(engine: Any) -> Any:
    """``with serving(reply, ...) as (server, engine, api)``: a service whose server gives the replies in turn."""

    @contextlib.contextmanager
    def serve(*replies: Any) -> Iterator[Any]:
        with RawServer(scripted(*replies)) as server:
            made = engine(server.url)
            yield server, made, Api(made.wire, server.url)

    return serve


def test_by_the_policy_of_the_client(serving: Any) -> None:
    with serving(reset, reset, ok) as (server, _, api):
        assert (api.ask(), len(server.requests)) == ({}, 3)
        assert api.clock is api.http.clock


def test_each_call_in_one_try(serving: Any) -> None:
    with serving(reset, ok) as (server, made, api), made.operation() as doing:
        with pytest.raises(NetworkError):
            api.without_retries(doing).ask()
        assert len(server.requests) == 1


def test_watched_by_the_policy_of_the_operation(serving: Any) -> None:
    with serving(reset, reset, ok) as (server, made, api):
        with made.operation() as doing:
            assert doing.run_one(api.with_runner(doing).ask) == {}
        assert len(server.requests) == 3


def test_a_write_is_not_repeated_in_an_operation_either(serving: Any) -> None:
    with serving(reset, ok) as (server, made, api):
        with made.operation() as doing, pytest.raises(OutcomeUnknown):
            doing.run_one(lambda: api.with_runner(doing).ask("POST"))
        assert len(server.requests) == 1


def test_a_pause_ends_with_the_operation(serving: Any) -> None:
    flag = threading.Event()
    with serving(ok) as (_, made, api), made.operation(cancel=flag) as doing:
        assert api.with_runner(doing).sleep == api.without_retries(doing).sleep == doing.sleep
        flag.set()
        with pytest.raises(Cancelled):
            doing.run_one(lambda: api.with_runner(doing).sleep(60.0))


def test_what_else_a_service_has_is_shared(serving: Any) -> None:
    with serving(ok) as (_, made, api):
        with made.operation() as doing:
            doing.run_one(api.with_runner(doing).ask)
            api.without_retries(doing).ask()
        assert (api.seen, api.send_request) == (["GET", "GET"], made.wire.request)
