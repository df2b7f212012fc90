"""``api.send``: each method of the reference and its result; a structure is accepted in place of its id."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import attrs
import pytest

from smartxfer.errors import NotFound, UsageError, WaitTimeout
from smartxfer.jetstream import API, Connection, Destination, Manifest, Request, Status, Token, Transfer
from smartxfer.transfer import Progress
from tests.support.jetstream_servers import BOUND, JetStreamServers


@attrs.frozen
class Made:
    """An object on the server, and the methods that get, list and delete objects of its kind."""

    kind: Any
    thing: Any
    id_name: str
    get: Callable[..., Any]
    list: Callable[[], Any]
    delete: Callable[[Any], Any]

    @property
    def id(self) -> str:
        """Return the id, which is text."""
        return str(self.thing[self.id_name])


Make = Callable[[JetStreamServers, API], Any]
#: The end of the names of its methods: (type, how one is made, name of the id)
KINDS: Dict[str, Tuple[Any, Make, str]] = {
    "Manifest": (Manifest, lambda h, api: h.manifest(api), "manifestId"),
    "Destination": (Destination, lambda h, api: api.send.createDestination("localhost", 7), "destinationId"),
    "Transfer": (Transfer, lambda h, api: h.slow(api), "transferId"),
    "SharedToken": (Token, lambda h, api: api.send.createSharedToken(h.manifest(api)), "token"),
    "APIToken": (Token, lambda h, api: api.server.createAPIToken("x"), "token"),
}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest, harness: JetStreamServers, api: API) -> Made:
    name = request.param
    kind, make, id_name = KINDS[name]
    methods = api.server if name == "APIToken" else api.send
    found = [getattr(methods, method) for method in (f"get{name}", f"get{name}s", f"delete{name}")]
    return Made(kind, make(harness, api), id_name, *found)


def test_get(made: Made) -> None:
    """getManifest, getDestination, getTransfer, getSharedToken, getAPIToken"""
    by_name = made.get(**{made.id_name: made.thing})
    for found in (by_name, *map(made.get, (made.thing, made.id, dict(made.thing)))):
        assert (type(found), found[made.id_name], found.owner) == (made.kind, made.id, "ann")


def test_list(made: Made) -> None:
    """getManifests, getDestinations, getTransfers, getSharedTokens, getAPITokens"""
    found = made.list()
    assert (type(found), {type(one) for one in found}) == (list, {made.kind})
    assert made.id in [one[made.id_name] for one in found]


def test_delete(made: Made, harness: JetStreamServers) -> None:
    """deleteManifest, deleteDestination, deleteTransfer, deleteSharedToken, deleteAPIToken"""
    assert made.delete(made.thing) is None
    with pytest.raises(NotFound):
        made.get(made.thing)
    assert harness.far.files() == {}


def test_user_data(made: Made, api: API) -> None:
    """updateObjectUserData, deleteObjectUserData"""
    assert api.send.updateObjectUserData(made.thing, key="note", value={"n": [1, "ü"]}) is None
    assert made.get(made.thing)["userData"]["note"] == {"n": [1, "ü"]}
    assert api.send.deleteObjectUserData(made.thing, "note") is None  # type: ignore[func-returns-value]
    assert "note" not in made.get(made.thing)["userData"]


#: (keyword, call with it, list of what it would make)
MISSPELT = [
    *[
        (word, lambda h, api, more: api.send.createDestination("localhost", 4711, **more), "getDestinations")
        for word in ("sendRateMaxx", "sendratemax", "destinationport")
    ],
    *[
        (word, lambda h, api, more: api.send.createSharedToken(h.manifest(api), **more), "getSharedTokens")
        for word in ("passwrd", "downloadlimit", "expiryTme")
    ],
    (
        "prioritty",
        lambda h, api, more: api.send.createTransfer(h.destination(api), h.manifest(api), **more),
        "getTransfers",
    ),
    *[
        (
            word,
            lambda h, api, more: api.send.createManifest({"/in/a.txt": "/out/a.txt"}, **more),
            "getManifests",
        )
        for word in ("relay", "mapping")
    ],
]


@pytest.mark.parametrize(("word", "call", "listed"), MISSPELT)
def test_misspelt_keywords(harness: JetStreamServers, api: API, word: str, call: Any, listed: str) -> None:
    """A call that silently did without a limit would do more than was meant; ``extra=`` sends what is not known."""
    before = len(getattr(api.send, listed)())
    with pytest.raises(TypeError, match="unexpected keyword"):
        call(harness, api, {word: 1000})
    assert len(getattr(api.send, listed)()) == before


def test_extra_is_for_what_is_not_known(harness: JetStreamServers, api: API) -> None:
    before = len(api.send.getTransfers())
    with pytest.raises(UsageError, match="the known field 'priority'"):
        api.send.createTransfer(harness.destination(api), harness.manifest(api), extra={"priority": 7})
    assert len(api.send.getTransfers()) == before


def test_create_manifest(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(manifest_delay=0.05)
    harness.near.write("/out/a.txt", b"a" * 1091)
    manifest = api.send.createManifest(mappings={"/in/a.txt": "/out/a.txt"})
    assert isinstance(manifest, Manifest)
    assert (manifest["status"], manifest["processing"], manifest["totalFiles"]) == ("pending", True, None)
    assert manifest["manifestId"] == manifest.manifest_id
    assert manifest.owner == "ann"


def test_get_manifest_files(harness: JetStreamServers, api: API) -> None:
    harness.near.write("/out/deep/b", b"b")
    harness.near.write("/out/a", b"a")
    made = api.send.waitForManifest(api.send.createManifest({"/in": "/out"}), timeout=BOUND)
    assert api.send.getManifestFiles(made) == {"/in/a": "/out/a", "/in/deep/b": "/out/deep/b"}


def test_wait_for_manifest_that_is_late(harness: JetStreamServers, api: API) -> None:
    harness.near.configure(manifest_delay=0.3)
    harness.near.write("/out/a.txt", b"a")
    made = api.send.createManifest({"/in/a.txt": "/out/a.txt"})
    with pytest.raises(WaitTimeout) as raised:
        api.send.waitForManifest(made, timeout=0.02)
    assert (raised.value.last.manifest_id, raised.value.last.processing) == (made.manifest_id, True)
    assert "the server continues it" in str(raised.value)
    assert api.send.waitForManifest(made, timeout=BOUND).status == Status.COMPLETE


def test_delete_manifest_in_use(harness: JetStreamServers, api: API) -> None:
    transfer = harness.slow(api)
    api.send.deleteManifest(transfer)
    harness.near.configure(rate=0)
    assert api.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
    assert harness.far.files() == {"/in/a.txt": 1 << 20}


def test_create_destination(harness: JetStreamServers, api: API) -> None:
    found = api.send.createDestination("localhost", destinationPort=harness.far.port)
    assert isinstance(found, Destination)
    assert (found["destinationAddress"], found["destinationPort"]) == ("localhost", harness.far.port)
    assert (found["destinationIP"], found.destination_ip) == ("127.0.0.1", "127.0.0.1")
    assert found.destination_id == found["destinationId"] != ""
    again = api.send.createDestination(destinationAddress="localhost", destinationPort=harness.far.port)
    assert again.destination_id == found.destination_id
    other = api.send.createDestination("localhost", harness.far.port, sendRateMax=1000)
    assert other.destination_id != found.destination_id


def test_get_connection_and_get_connections(harness: JetStreamServers, api: API) -> None:
    made = harness.destination(api)
    found = api.send.getConnection(made)
    assert isinstance(found, Connection)
    assert (found.connection_id, found.destination_port) == (made.connection_id, harness.far.port)
    assert found.connection_id in [one.connection_id for one in api.send.getConnections()]


def test_create_transfer(harness: JetStreamServers, api: API) -> None:
    destination, manifest = harness.destination(api), harness.manifest(api)
    transfer = api.send.createTransfer(destination, manifest)
    assert isinstance(transfer, Transfer)
    assert (transfer["status"], transfer["processing"]) == ("pending", True)
    assert (transfer["destinationId"], transfer["manifestId"]) == (
        destination["destinationId"], manifest["manifestId"],
    )  # fmt: skip
    assert transfer.requested_at is not None
    done = api.send.waitForTransfer(transfer, timeout=BOUND)
    assert (done.status, done.fraction, done.bytes_acked) == ("complete", 1.0, 1000)
    assert harness.far.read("/in/a.txt") == b"a" * 1000


def test_create_transfer_with_all_that_is_documented(harness: JetStreamServers, api: API) -> None:
    made = api.send.createTransfer(
        destinationId=harness.destination(api).destination_id,
        manifestId=harness.manifest(api).manifest_id,
        priority=7,
        destinationPath="/below",
        checkpointFrequencySeconds=5,
        userData={"a": [1]},
    )
    assert (made.priority, made.destination_path, made.checkpoint_frequency_seconds) == (7, "/below", 5)
    assert made.user_data == {"a": [1]}
    assert api.send.waitForTransfer(made, timeout=BOUND).status == Status.COMPLETE
    assert harness.far.files() == {"/below/in/a.txt": 1000}


def test_wait_for_transfer(harness: JetStreamServers, api: API) -> None:
    events: List[Progress] = []
    made = harness.slow(api)
    with pytest.raises(WaitTimeout) as raised:
        api.send.waitForTransfer(made, timeout=0.02)
    assert raised.value.last.status == "sending"
    harness.near.configure(rate=0)
    done = api.send.waitForTransfer(transferId=made, timeout=BOUND, progress=events.append)
    assert (done.status, done.error_message, done.bytes_acked) == (Status.COMPLETE, None, 1 << 20)
    assert done.ended_at is not None
    assert events


def test_suspend_transfer_and_resume_transfer(harness: JetStreamServers, api: API) -> None:
    made = harness.slow(api)
    assert api.send.suspendTransfer(made) is None
    still = api.send.waitForTransfer(made, timeout=BOUND)
    assert (still.status, still.processing) == (Status.SUSPENDED, False)
    acked = still.blocks_acked or 0
    assert acked > 0
    assert harness.far.files() == {}
    harness.near.configure(rate=0)
    assert api.send.resumeTransfer(made.transfer_id) is None
    done = api.send.waitForTransfer(made, timeout=BOUND)
    assert (done.status, done.blocks_acked) == ("complete", done.total_blocks)
    assert harness.far.read("/in/a.txt") == harness.near.read("/out/big")


def test_fail_transfer(harness: JetStreamServers, api: API) -> None:
    made = harness.slow(api)
    assert api.send.failTransfer(made, errorMessage="no longer wanted") is None
    ended = api.send.waitForTransfer(made, timeout=BOUND)
    assert (ended.status, ended["errorMessage"]) == (Status.ERROR, "no longer wanted")
    assert harness.far.files() == {}


def test_set_send_rate_async(harness: JetStreamServers, api: API) -> None:
    made = harness.destination(api)
    request = api.send.setSendRateAsync(destinationId=made.destination_id, sendRateMax=5000)
    assert isinstance(request, Request)
    assert request.result(BOUND) is None
    assert api.send.getDestination(made)["sendRateMax"] == 5000


@pytest.mark.parametrize("id", [None, "", True, 1.5, {}, Destination(destination_id="1")])
def test_an_invalid_id_is_not_sent(harness: JetStreamServers, api: API, id: Any) -> None:
    before = len(harness.calls)
    send = api.send
    for call in (
        send.getManifest, send.waitForManifest, send.deleteManifest, send.getManifestFiles, send.getTransfer,
        send.waitForTransfer, send.resumeTransfer, send.suspendTransfer, send.deleteTransfer,
        send.createSharedToken, send.getConnection, send.getSharedToken, lambda id: send.createTransfer("1", id),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            call(id)
    assert len(harness.calls) == before
