"""``api.send``: each method of the reference and its result; a structure is accepted in place of its id."""

from __future__ import annotations

from typing import Any, List

import pytest

from smartxfer.errors import NotFound, UsageError, WaitTimeout
from smartxfer.jetstream import API, Connection, Destination, Manifest, Request, Status, Transfer
from smartxfer.transfer import Progress
from tests.support.jetstream_servers import BOUND, JetStreamServers


class TestManifests:
    def test_create_manifest(self, harness: JetStreamServers, api: API) -> None:
        harness.near.configure(manifest_delay=0.05)
        harness.near.write("/out/a.txt", b"a" * 1091)
        manifest = api.send.createManifest(mappings={"/in/a.txt": "/out/a.txt"})
        assert isinstance(manifest, Manifest)
        assert (manifest["status"], manifest["processing"], manifest["totalFiles"]) == ("pending", True, None)
        assert manifest["manifestId"] == manifest.manifest_id
        assert manifest.owner == "ann"

    def test_create_manifest_passes_keywords_on(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/out/a.txt", b"a")
        manifest = api.send.createManifest({"/in/a.txt": "/out/a.txt"}, userData={"for": "bob"})
        assert manifest.user_data == {"for": "bob"}

    @pytest.mark.parametrize(
        "form", [lambda made: made, lambda made: made.manifest_id, lambda made: dict(made)]
    )
    def test_get_manifest(self, harness: JetStreamServers, api: API, form: Any) -> None:
        made = harness.manifest(api)
        found = api.send.getManifest(form(made))
        assert (found.manifest_id, found.status, found.processing) == (
            made.manifest_id,
            Status.COMPLETE,
            False,
        )
        assert (found.total_files, found.total_size, found.error_message) == (1, 1000, None)
        assert api.send.getManifest(manifestId=made) == found

    def test_get_manifests(self, harness: JetStreamServers, api: API) -> None:
        first, second = harness.manifest(api), harness.manifest(api)
        found = api.send.getManifests()
        assert [one.manifest_id for one in found][-2:] == [first.manifest_id, second.manifest_id]
        assert all(isinstance(one, Manifest) for one in found)

    def test_get_manifest_files(self, harness: JetStreamServers, api: API) -> None:
        harness.near.write("/out/deep/b", b"b")
        harness.near.write("/out/a", b"a")
        made = api.send.waitForManifest(api.send.createManifest({"/in": "/out"}), timeout=BOUND)
        assert api.send.getManifestFiles(made) == {"/in/a": "/out/a", "/in/deep/b": "/out/deep/b"}

    def test_wait_for_manifest(self, harness: JetStreamServers, api: API) -> None:
        harness.near.configure(manifest_delay=0.05)
        harness.near.write("/out/a.txt", b"a")
        made = api.send.createManifest({"/in/a.txt": "/out/a.txt"})
        found = api.send.waitForManifest(manifestId=made, timeout=BOUND)
        assert (found.manifest_id, found.processing, found.status) == (made.manifest_id, False, "complete")

    def test_wait_for_manifest_that_is_late(self, harness: JetStreamServers, api: API) -> None:
        harness.near.configure(manifest_delay=0.3)
        harness.near.write("/out/a.txt", b"a")
        made = api.send.createManifest({"/in/a.txt": "/out/a.txt"})
        with pytest.raises(WaitTimeout) as raised:
            api.send.waitForManifest(made, timeout=0.02)
        assert (raised.value.last.manifest_id, raised.value.last.processing) == (made.manifest_id, True)
        assert "the server continues it" in str(raised.value)
        assert api.send.waitForManifest(made, timeout=BOUND).status == Status.COMPLETE

    def test_delete_manifest(self, harness: JetStreamServers, api: API) -> None:
        made = harness.manifest(api)
        deleted: Any = api.send.deleteManifest(made)
        assert deleted is None
        with pytest.raises(NotFound):
            api.send.getManifest(made)

    def test_delete_manifest_in_use(self, harness: JetStreamServers, api: API) -> None:
        transfer = harness.slow(api)
        api.send.deleteManifest(transfer)
        harness.near.configure(rate=0)
        assert api.send.waitForTransfer(transfer, timeout=BOUND).status == Status.COMPLETE
        assert harness.far.files() == {"/in/a.txt": 1 << 20}


class TestDestinations:
    def test_create_destination(self, harness: JetStreamServers, api: API) -> None:
        found = api.send.createDestination("localhost", destinationPort=harness.far.port)
        assert isinstance(found, Destination)
        assert (found["destinationAddress"], found["destinationPort"]) == ("localhost", harness.far.port)
        assert (found["destinationIP"], found.destination_ip) == ("127.0.0.1", "127.0.0.1")
        assert found.destination_id == found["destinationId"] != ""
        again = api.send.createDestination(destinationAddress="localhost", destinationPort=harness.far.port)
        assert again.destination_id == found.destination_id
        other = api.send.createDestination("localhost", harness.far.port, sendRateMax=1000)
        assert other.destination_id != found.destination_id

    def test_its_default_port(self, api: API) -> None:
        assert api.send.createDestination("localhost").destination_port == 8886

    def test_get_destination(self, harness: JetStreamServers, api: API) -> None:
        made = harness.destination(api)
        found = api.send.getDestination(made)
        assert (found.destination_id, found.owner) == (made.destination_id, "ann")
        assert (
            api.send.getDestination(destinationId=made.destination_id).destination_id == made.destination_id
        )

    def test_get_destinations(self, harness: JetStreamServers, api: API) -> None:
        made = harness.destination(api)
        found = api.send.getDestinations()
        assert made.destination_id in [one.destination_id for one in found]
        assert all(isinstance(one, Destination) for one in found)

    def test_delete_destination(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createDestination("localhost", 7)
        deleted: Any = api.send.deleteDestination(made)
        assert deleted is None
        with pytest.raises(NotFound):
            api.send.getDestination(made)

    def test_get_connection_and_get_connections(self, harness: JetStreamServers, api: API) -> None:
        made = harness.destination(api)
        found = api.send.getConnection(made)
        assert isinstance(found, Connection)
        assert (found.connection_id, found.destination_port) == (made.connection_id, harness.far.port)
        assert found.connection_id in [one.connection_id for one in api.send.getConnections()]


class TestMisspeltKeywords:
    """A call that silently did without a limit would do more than was meant; ``extra=`` sends what is not known."""

    @pytest.mark.parametrize("word", ["sendRateMaxx", "sendratemax", "destinationport"])
    def test_of_a_destination(self, api: API, word: str) -> None:
        before = len(api.send.getDestinations())
        with pytest.raises(TypeError, match="unexpected keyword"):
            api.send.createDestination("localhost", 4711, **{word: 1000})
        assert len(api.send.getDestinations()) == before

    @pytest.mark.parametrize("word", ["passwrd", "downloadlimit", "expiryTme"])
    def test_of_a_shared_token(self, harness: JetStreamServers, api: API, word: str) -> None:
        manifest, before = harness.manifest(api), len(api.send.getSharedTokens())
        with pytest.raises(TypeError, match="unexpected keyword"):
            api.send.createSharedToken(manifest, **{word: 1})
        assert len(api.send.getSharedTokens()) == before

    def test_of_a_transfer(self, harness: JetStreamServers, api: API) -> None:
        destination, manifest = harness.destination(api), harness.manifest(api)
        before = len(api.send.getTransfers())
        with pytest.raises(TypeError, match="unexpected keyword"):
            api.send.createTransfer(destination, manifest, prioritty=7)
        with pytest.raises(UsageError, match="the known field 'priority'"):
            api.send.createTransfer(destination, manifest, extra={"priority": 7})
        assert len(api.send.getTransfers()) == before

    @pytest.mark.parametrize("word", ["relay", "mapping"])
    def test_of_a_manifest(self, api: API, word: str) -> None:
        before = len(api.send.getManifests())
        with pytest.raises(TypeError, match="unexpected keyword"):
            api.send.createManifest({"/in/a.txt": "/out/a.txt"}, **{word: 1})
        assert len(api.send.getManifests()) == before


class TestTransfers:
    def test_create_transfer(self, harness: JetStreamServers, api: API) -> None:
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

    def test_create_transfer_with_all_that_is_documented(self, harness: JetStreamServers, api: API) -> None:
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

    def test_get_transfer(self, harness: JetStreamServers, api: API) -> None:
        made = harness.slow(api)
        found = api.send.getTransfer(made)
        assert (found.transfer_id, found.status, found.processing) == (made.transfer_id, "sending", True)
        assert 0 < found.fraction < 1
        assert api.send.getTransfer(transferId=made.transfer_id).transfer_id == made.transfer_id
        assert (found.total_blocks, found.block_size, found.total_bytes) == (4096, 256, 1 << 20)
        api.send.deleteTransfer(made)

    def test_get_transfers(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createTransfer(harness.destination(api), harness.manifest(api))
        api.send.waitForTransfer(made, timeout=BOUND)
        found = api.send.getTransfers()
        assert found[-1].transfer_id == made.transfer_id
        assert all(isinstance(one, Transfer) for one in found)

    def test_wait_for_transfer(self, harness: JetStreamServers, api: API) -> None:
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

    def test_suspend_transfer_and_resume_transfer(self, harness: JetStreamServers, api: API) -> None:
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

    def test_fail_transfer(self, harness: JetStreamServers, api: API) -> None:
        made = harness.slow(api)
        assert api.send.failTransfer(made, errorMessage="no longer wanted") is None
        ended = api.send.waitForTransfer(made, timeout=BOUND)
        assert (ended.status, ended["errorMessage"]) == (Status.ERROR, "no longer wanted")
        assert harness.far.files() == {}

    def test_delete_transfer(self, harness: JetStreamServers, api: API) -> None:
        made = harness.slow(api)
        deleted: Any = api.send.deleteTransfer(made)
        assert deleted is None
        with pytest.raises(NotFound):
            api.send.getTransfer(made)
        assert harness.far.files() == {}

    def test_set_send_rate_async(self, harness: JetStreamServers, api: API) -> None:
        made = harness.destination(api)
        request = api.send.setSendRateAsync(destinationId=made.destination_id, sendRateMax=5000)
        assert isinstance(request, Request)
        assert request.result(BOUND) is None
        assert api.send.getDestination(made)["sendRateMax"] == 5000


class TestUserData:
    @pytest.mark.parametrize("kind", ["manifest", "destination", "transfer", "token"])
    def test_update_object_user_data_and_delete_object_user_data(
        self, harness: JetStreamServers, api: API, kind: str
    ) -> None:
        manifest, destination = harness.manifest(api), harness.destination(api)
        look: Any
        made, look = {
            "manifest": lambda: (manifest, api.send.getManifest),
            "destination": lambda: (destination, api.send.getDestination),
            "transfer": lambda: (api.send.createTransfer(destination, manifest), api.send.getTransfer),
            "token": lambda: (api.send.createSharedToken(manifest), api.send.getSharedToken),
        }[kind]()
        assert api.send.updateObjectUserData(made, key="note", value={"n": [1, "ü"]}) is None
        assert look(made)["userData"]["note"] == {"n": [1, "ü"]}
        deleted: Any = api.send.deleteObjectUserData(made, "note")
        assert deleted is None
        assert "note" not in look(made)["userData"]


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
