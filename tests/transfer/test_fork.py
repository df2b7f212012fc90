"""A process that forks while transfers are under way: the child's own calls work."""

from __future__ import annotations

import os
import threading
from typing import Any, Callable

import pytest

from smartxfer.nrp import limit_connections
from smartxfer.nrp.limits import acquire_connection
from smartxfer.transport import Attempt
from tests.support.jobs import Tasks, operation
from tests.support.raw_server import PATIENCE, RawServer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_a_child(step: Callable[[], Any]) -> int:
    """Do a step in a forked child; its exit code, or -14 where it never came back."""
    child = os.fork()
    if not child:
        import signal

        signal.alarm(10)
        try:
            step()
        except BaseException:  # noqa: BLE001 - only the exit code comes back
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def test_a_limit_whose_connections_are_all_in_use() -> None:
    """Fails if a child process counts connections of its parent, which are never released there."""
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with acquire_connection(Attempt()):
            inside.set()
            over.wait(PATIENCE)

    def step() -> None:
        with acquire_connection(Attempt()):
            pass

    with limit_connections(1):
        thread = threading.Thread(target=hold)
        thread.start()
        assert inside.wait(PATIENCE)
        assert in_a_child(step) == 0
        over.set()
        thread.join(PATIENCE)
        step()


def test_in_the_middle_of_a_transfer(engine: Any) -> None:
    """From a task, as a callback may do it; the child uses the same client."""
    from smartxfer.transport import Body, RequestSpec, Success

    with RawServer(lambda peer: (peer.request(), peer.answer(200, b"again"))) as server:
        made = engine(server.url)
        call = RequestSpec("GET", server.url, success=Success({200}, Body.ANY))

        def step() -> None:
            with made.operation(max_workers=2) as own:
                assert own.run_one(lambda: own.retry("x", lambda: made.wire.request_once(call))).text == "again"

        codes = []
        with operation(max_workers=2) as doing:
            doing.run_jobs([Tasks(lambda: (made.wire.request_once(call), codes.append(in_a_child(step))))], 1)
        assert codes == [0]
