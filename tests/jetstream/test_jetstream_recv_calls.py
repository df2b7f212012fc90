"""``api.recv``: each method of the reference and its result; all of it for superusers."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from smartxfer.errors import Forbidden, NotFound, UsageError
from smartxfer.jetstream import API, Destination, ReceiveTransfer, Request, Source, Status
from tests.support.jetstream_servers import BOUND, JetStreamServers, until


@pytest.fixture
def far(harness: JetStreamServers) -> Iterator[API]:
    """An open connection of a superuser's to the far server, which takes in from all again at the end."""
    api = harness.far_api("root")
    api.connect()
    api.server.superuser()
    yield api
    api.recv.allowOnlyAuthorizedClientsAsync(False).result(BOUND)


def test_trusted_senders(harness: JetStreamServers, api: API, far: API) -> None:
    """addAuthorizedClientAsync, removeAuthorizedClientAsync, allowOnlyAuthorizedClientsAsync"""
    key = api.server.getServerInfo().public_key
    request = far.recv.allowOnlyAuthorizedClientsAsync(onlyAuthorizedClientsAllowed=True)
    assert isinstance(request, Request)
    assert request.result(BOUND) is None
    destination = harness.destination(api)
    transfer = api.send.createTransfer(destination, harness.manifest(api))
    until(lambda: "authorize" in (api.send.getDestination(destination).last_error_message or ""))
    assert (api.send.getTransfer(transfer).status, harness.far.files()) == ("pending", {})

    assert far.recv.addAuthorizedClientAsync(clientPublicKey=key).result(BOUND) is None
    assert api.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
    assert harness.far.files() == {"/in/a.txt": 1000}

    assert far.recv.removeAuthorizedClientAsync(key).result(BOUND) is None
    with pytest.raises(NotFound):
        far.recv.removeAuthorizedClientAsync(key).result(BOUND)


def test_a_key_may_stand_in_a_structure(far: API) -> None:
    key = Destination.from_wire({"destinationId": "1", "destinationPublicKey": "k" * 64})
    assert far.recv.addAuthorizedClientAsync(key).result(BOUND) is None
    assert far.recv.removeAuthorizedClientAsync({"publicKey": "k" * 64}).result(BOUND) is None


@pytest.mark.parametrize("key", ["", None, 5, {}, {"publicKey": ""}, Destination(destination_id="1")])
def test_invalid_keys(harness: JetStreamServers, key: Any) -> None:
    for call in (harness.api().recv.addAuthorizedClientAsync, harness.api().recv.removeAuthorizedClientAsync):
        with pytest.raises(UsageError):
            call(key)
    assert harness.calls == []


def test_get_transfers_async_and_get_sources_async(harness: JetStreamServers, api: API, far: API) -> None:
    transfer = harness.slow(api)

    def receiving() -> Any:
        request = far.recv.getTransfersAsync()
        assert isinstance(request, Request)
        return [one for one in request.result(BOUND) if one.status == "receiving" and one.last_recv_time]

    [one] = until(receiving)
    assert isinstance(one, ReceiveTransfer)
    assert (one.total_size, one.source_ip, one.source_port) == (1 << 20, "127.0.0.1", harness.near.port)
    assert one.last_received_at is not None
    [source] = far.recv.getSourcesAsync().result(BOUND)
    assert isinstance(source, Source)
    assert (source.source_ip, source.source_port) == ("127.0.0.1", harness.near.port)
    assert (source.active_transfer_count or 0) + (source.inactive_transfer_count or 0) == 1
    assert (source.ave_recv_rate or 0) > 0
    assert [found.transfer_id for found in far.receiving() if found.status == "receiving"] == [
        one.transfer_id
    ]
    assert [found.source_port for found in far.sources()] == [harness.near.port]
    api.send.failTransfer(transfer, "enough")
    assert until(lambda: not receiving())


def test_they_are_for_superusers_alone(harness: JetStreamServers, api: API) -> None:
    recv = api.recv
    for call in (
        lambda: recv.addAuthorizedClientAsync("k"),
        lambda: recv.removeAuthorizedClientAsync("k"),
        lambda: recv.allowOnlyAuthorizedClientsAsync(True),
        recv.getSourcesAsync,
        recv.getTransfersAsync,
        api.sources,
        api.receiving,
    ):
        with pytest.raises(Forbidden, match="superusers"):
            call()
