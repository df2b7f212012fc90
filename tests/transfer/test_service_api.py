"""The requests of a service: by its client's policy, under an operation's watch, or in one try."""

from __future__ import annotations

import threading
from typing import Any, Callable, List

import attrs
import pytest

from smartxfer.errors import Cancelled, NetworkError, OutcomeUnknown
from smartxfer.service_api import ServiceApi
from smartxfer.transport import RequestSpec
from tests.support.raw_server import RawServer, answering, reset, scripted, status

ok = status(200, b"{}", "Content-Type: application/json")
Make = Callable[..., Any]


@attrs.frozen
class Api(ServiceApi):
    """A service with one question."""

    url: str
    seen: List[str] = attrs.field(factory=list)

    def ask(self, method: str = "GET") -> Any:
        self.seen.append(method)
        return self.send_request(RequestSpec(method, f"{self.url}/x", body=b"" if method == "POST" else None)).json()


def test_by_the_policy_of_the_client(engine: Make) -> None:
    with RawServer(scripted(reset, reset, ok)) as server:
        api = Api(engine(server.url).wire, server.url)
        assert api.ask() == {}
        assert len(server.requests) == 3
        assert api.clock is api.http.clock


def test_each_call_in_one_try(engine: Make) -> None:
    with RawServer(scripted(reset, ok)) as server:
        made = engine(server.url)
        with made.operation() as doing:
            api = Api(made.wire, server.url).without_retries(doing)
            with pytest.raises(NetworkError):
                api.ask()
            assert len(server.requests) == 1


def test_watched_by_the_policy_of_the_operation(engine: Make) -> None:
    with RawServer(scripted(reset, reset, ok)) as server:
        made = engine(server.url)
        with made.operation() as doing:
            assert doing.run_one(Api(made.wire, server.url).with_runner(doing).ask) == {}
        assert len(server.requests) == 3


def test_a_write_is_not_repeated_in_an_operation_either(engine: Make) -> None:
    with RawServer(scripted(reset, ok)) as server:
        made = engine(server.url)
        api = Api(made.wire, server.url)
        with made.operation() as doing, pytest.raises(OutcomeUnknown):
            doing.run_one(lambda: api.with_runner(doing).ask("POST"))
        assert len(server.requests) == 1


def test_a_pause_ends_with_the_operation(engine: Make) -> None:
    flag = threading.Event()
    with RawServer(answering(ok)) as server:
        made = engine(server.url)
        with made.operation(cancel=flag) as doing:
            for api in (Api(made.wire, server.url).with_runner(doing), Api(made.wire, server.url).without_retries(doing)):
                assert api.sleep == doing.sleep
            flag.set()
            with pytest.raises(Cancelled):
                doing.run_one(lambda: Api(made.wire, server.url).with_runner(doing).sleep(60.0))


def test_what_else_a_service_has_is_shared(engine: Make) -> None:
    with RawServer(answering(ok)) as server:
        made = engine(server.url)
        api = Api(made.wire, server.url)
        with made.operation() as doing:
            doing.run_one(api.with_runner(doing).ask)
            api.without_retries(doing).ask()
        assert api.seen == ["GET", "GET"]
        assert api.send_request == made.wire.request
