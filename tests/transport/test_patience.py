"""``RequestSpec.read_timeout``: an upper bound of the wait for an answer if the client's limit is longer."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest
import requests

from smartxfer.errors import ReadTimeout
from smartxfer.transport import HTTPTransport, RequestSpec
from tests.support.raw_server import Peer, RawServer, answering, status

MakeWire = Callable[..., HTTPTransport]


ok = status(200, b"{}", "Content-Type: application/json")


@pytest.mark.parametrize(("patience", "used"), [(None, 5.0), (0.5, 0.5), (4.9, 4.9), (5.0, 5.0), (60.0, 5.0)])
def test_the_smaller_of_the_two_is_the_read_time_out(make_wire: MakeWire, patience: Any, used: float) -> None:
    seen: List[Any] = []
    with RawServer(answering(ok)) as server:
        wire = make_wire(server.url, timeout=(3.0, 5.0))
        real_send = wire.session.send

        def send(request: requests.PreparedRequest, **settings: Any) -> requests.Response:
            seen.append(settings["timeout"])
            return real_send(request, **settings)

        wire.session.send = send  # type: ignore[method-assign]
        wire.request_once(RequestSpec("GET", f"{server.url}/x", read_timeout=patience))
    assert seen == [(3.0, used)]


def test_a_silent_server_is_left_when_patience_ends(make_wire: MakeWire) -> None:
    def silent(peer: Peer) -> None:
        peer.request()
        peer.hang()

    with RawServer(silent) as server:
        wire = make_wire(server.url, timeout=(5.0, 60.0))
        with pytest.raises(ReadTimeout):
            wire.request_once(RequestSpec("GET", f"{server.url}/x", read_timeout=0.05))
    assert len(server.requests) == 1
