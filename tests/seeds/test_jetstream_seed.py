"""Every code block of the JetStream page, in its order, against two servers; the files arrive.

The page's server is at ``localhost:8886`` and its files are at the places that it names; here the ports are
those of the two servers.  A field that the page shows is asserted; of the many more that it does not show, none.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Iterator

import pytest

from smartxfer.errors import AuthError, NotFound, TaskFailed
from smartxfer.jetstream import Destination, JetStream, Manifest, Request, Token, Transfer
from smartxfer.local import LocalServer

README = b"Dear all,\n" * 109 + b"\n"
#: Bytes a second at which the page's states of a transfer follow each other slowly enough to be seen.
SLOW = 2000
BOUND = 20


class MyError(Exception):
    """The page's own."""


def check_fields(structure: Any, **shown: Any) -> None:
    """Compare the fields that the page shows."""
    assert {name: structure[name] for name in shown} == shown


def sleep(seconds: float) -> None:
    """The page's ``sleep(1)``, in a hundredth of the time."""
    time.sleep(seconds / 100)


@pytest.fixture
def servers() -> Iterator[LocalServer]:
    """The server that is talked to, with the page's users and its file, and the one that is sent to."""
    users = {"jsmith": "secret", "user": "another-one"}
    with LocalServer(
        services=["jetstream", "jetstream_peer"], jetstream={"users": users}, jetstream_peer={}
    ) as server:
        server.jetstream.write("/local/home/readme.txt", README)
        yield server


@pytest.fixture
def page(servers: LocalServer) -> SimpleNamespace:
    """Return the variables that one block of the page leaves to the next."""
    return SimpleNamespace(near=servers.jetstream, far=servers.jetstream_peer)


def test_the_page_from_its_first_block_to_its_last(page: SimpleNamespace) -> None:
    connecting_to_a_server(page)
    authenticating_with_a_server(page)
    creating_a_manifest(page)
    monitoring_a_manifest(page)
    monitoring_a_manifest_until_it_is_complete(page)
    deleting_a_manifest(page)
    creating_a_destination(page)
    creating_a_transfer(page)
    deleting_a_manifest_that_is_used(page)
    monitoring_a_transfer(page)
    waiting_for_a_transfer(page)
    assert page.far.files() == {"/data/copy": len(README), "/data/docs/readme.txt": len(README)}
    assert page.far.read("/data/docs/readme.txt") == README
    creating_a_shared_token(page)
    using_a_shared_token(page)
    assert page.far.read("/data/docs/readme.txt") == README
    page.api.disconnect()


def connecting_to_a_server(page: SimpleNamespace) -> None:
    serverAddress = "localhost"  # noqa: N806 - the page's name, as below
    serverPort = page.near.port  # noqa: N806

    api = JetStream().api(serverAddress, serverPort)
    api.connect()
    assert page.near.count("POST /jsonrpc/getServerInfo") == 1

    with api:
        # Interface is connected...
        assert api.server.getServerInfo().api_control_port == serverPort

    # Interface automatically disconnects.
    assert page.near.count("DELETE /jsonrpc") == 1
    page.api = JetStream().api(serverAddress, serverPort)
    page.api.connect()


def authenticating_with_a_server(page: SimpleNamespace) -> None:
    api = page.api
    with pytest.raises(AuthError):  # "throws an exception if there was an error"
        api.server.auth("jsmith", "wrong")
    assert api.server.auth("jsmith", "secret") is None

    auth_request = api.server.authAsync("jsmith", "secret")
    assert isinstance(auth_request, Request)
    assert dict(auth_request) == {"requestId": 1}

    assert api.server.getRequestResult(auth_request) is None

    status = api.server.getRequestStatus(auth_request)
    check_fields(status, errorMessage="", processing=False, status="complete")


def creating_a_manifest(page: SimpleNamespace) -> None:
    api = page.api
    page.near.configure(manifest_delay=0.3)
    mappings = {"/data/docs/readme.txt": "/local/home/readme.txt"}
    manifest = api.send.createManifest(mappings=mappings)
    assert isinstance(manifest, Manifest)
    check_fields(
        manifest, status="pending", processing=True, totalFiles=None, totalSize=None, errorMessage=None
    )
    assert isinstance(manifest["manifestId"], str)
    assert manifest["manifestId"].isdigit()
    page.manifest = manifest


def monitoring_a_manifest(page: SimpleNamespace) -> None:
    api, manifest = page.api, page.manifest
    id = manifest["manifestId"]
    manifest = api.send.getManifest(manifest)
    check_fields(manifest, processing=True, status="pending", manifestId=id)

    seen = 0
    manifest = api.send.getManifest(manifest)
    while manifest["processing"]:
        status = manifest["status"]
        assert status == "pending"
        seen += 1
        sleep(1)
        manifest = api.send.getManifest(manifest)
    assert seen > 0

    manifest = api.send.getManifest(manifest)
    check_fields(manifest, processing=False, status="complete", manifestId=id)


def monitoring_a_manifest_until_it_is_complete(page: SimpleNamespace) -> None:
    api, manifest = page.api, page.manifest
    manifest = api.send.waitForManifest(manifest)
    check_fields(manifest, processing=False, status="complete", manifestId=page.manifest["manifestId"])

    bad = api.send.createManifest(mappings={"/data/docs/readme.txt": "/local/home/missing.txt"})
    bad = api.send.waitForManifest(bad)
    with pytest.raises(MyError, match=r"failed, because .*/local/home/missing\.txt"):
        if bad["status"] == "error":
            raise MyError("The manifest failed, because {reason}".format(reason=bad["errorMessage"]))

    manifest = api.send.waitForManifest(manifest)
    check_fields(
        manifest, status="complete", totalFiles=1, totalSize=1091, manifestId=page.manifest["manifestId"]
    )
    page.near.configure(manifest_delay=0)
    page.manifest = manifest


def deleting_a_manifest(page: SimpleNamespace) -> None:
    """Delete another manifest than the one that the next blocks use."""
    api, manifest = page.api, page.api.send.createManifest({"/data/x": "/local/home/readme.txt"})
    id = manifest["manifestId"]
    manifest = api.send.deleteManifest(manifest)
    assert manifest is None
    with pytest.raises(NotFound):
        api.send.getManifest(id)


def creating_a_destination(page: SimpleNamespace) -> None:
    api = page.api
    destinationAddress = "localhost"  # noqa: N806
    destinationPort = page.far.port  # noqa: N806

    destination = api.send.createDestination(destinationAddress, destinationPort=destinationPort)
    assert isinstance(destination, Destination)
    check_fields(
        destination,
        destinationAddress="localhost",
        destinationPort=destinationPort,
        destinationIP="127.0.0.1",
    )
    assert destination["destinationId"].isdigit()
    page.destination = destination


def creating_a_transfer(page: SimpleNamespace) -> None:
    api, destination, manifest = page.api, page.destination, page.manifest
    page.near.configure(rate=SLOW)
    transfer = api.send.createTransfer(destination, manifest)
    assert isinstance(transfer, Transfer)
    check_fields(transfer, processing=True, status="pending", destinationId=destination["destinationId"])
    assert transfer["transferId"].isdigit()
    page.transfer = transfer


def deleting_a_manifest_that_is_used(page: SimpleNamespace) -> None:
    """ "... even if it has been used to initiate a transfer which is currently active"."""
    api = page.api
    used = api.send.waitForManifest(api.send.createManifest({"/data/copy": "/local/home/readme.txt"}))
    transfer = api.send.createTransfer(page.destination, used)
    api.send.deleteManifest(used)
    assert api.send.getTransfer(transfer)["processing"] is True
    page.second = transfer


def monitoring_a_transfer(page: SimpleNamespace) -> None:
    api, transfer = page.api, page.transfer
    seen = set()
    transfer = api.send.getTransfer(transfer)
    while transfer["processing"]:
        status = transfer["status"]
        seen.add(status)
        sleep(1)
        transfer = api.send.getTransfer(transfer)
    assert "sending" in seen
    assert seen <= {"pending", "sending"}

    transfer = api.send.getTransfer(transfer)
    check_fields(transfer, processing=False, status="complete", transferId=page.transfer["transferId"])


def waiting_for_a_transfer(page: SimpleNamespace) -> None:
    api, transfer = page.api, page.transfer
    transfer = api.send.waitForTransfer(transfer)
    check_fields(transfer, processing=False, status="complete", transferId=page.transfer["transferId"])

    assert api.send.waitForTransfer(page.second)["status"] == "complete"
    assert page.far.read("/data/copy") == README

    failed = api.send.createTransfer(page.destination, page.manifest)
    api.send.failTransfer(failed, "the disk is wanted")
    transfer = api.send.waitForTransfer(failed)
    with pytest.raises(MyError, match="failed, because the disk is wanted"):
        if transfer["status"] == "error":
            raise MyError("The transfer failed, because {reason}".format(reason=transfer["errorMessage"]))

    paused = api.send.createTransfer(page.destination, page.manifest)
    api.send.suspendTransfer(paused)
    transfer = api.send.waitForTransfer(paused)
    assert (transfer["status"], transfer["processing"]) == ("suspended", False)
    api.send.resumeTransfer(transfer)  # "Use resumeTransfer() to resume transmitting."
    assert api.send.waitForTransfer(transfer)["status"] == "complete"


def creating_a_shared_token(page: SimpleNamespace) -> None:
    """The page's token is ``user``'s."""
    api, mappings = page.api, {"/data/docs/readme.txt": "/local/home/readme.txt"}
    api.server.auth("user", "another-one")
    manifest = page.manifest = api.send.waitForManifest(api.send.createManifest(mappings=mappings))
    page.destination = api.send.createDestination("localhost", destinationPort=page.far.port)
    token = api.send.createSharedToken(manifest)
    assert isinstance(token, Token)
    check_fields(
        token,
        description="",
        downloadCount=0,
        downloadLimit=None,
        expiryTime=None,
        manifestId=manifest["manifestId"],
        owner="user",
        passwordRequired=False,
    )
    assert abs(token["creationTime"] / 1e6 - time.time()) < 60
    assert [group.isalpha() and group.isupper() for group in token["token"].split(".")] == [True] * 3
    page.token = token


def using_a_shared_token(page: SimpleNamespace) -> None:
    api, destination = page.api, page.destination
    assert api.server.authToken(page.token["token"]) is None

    manifests = api.send.getManifests()
    [shown] = manifests
    id = page.token["manifestId"]
    check_fields(shown, errorMessage=None, manifestId=id, owner="", processing=False, status="complete")
    assert (shown["totalFiles"], shown["totalSize"]) == (1, 1091)

    transfer = api.send.createTransfer(destination, manifests[0])
    check_fields(transfer, processing=True, status="pending", destinationId=destination["destinationId"])
    assert transfer["transferId"].isdigit()
    assert api.send.waitForTransfer(transfer)["status"] == "complete"


def test_the_helpers_do_the_same_in_one_line(page: SimpleNamespace) -> None:
    with JetStream().api("localhost", page.near.port, user="jsmith", password="secret") as api:
        pair: Any = ("/local/home/readme.txt", "/data/docs/readme.txt")
        done = api.send_files([pair], ("localhost", page.far.port), timeout=BOUND)
        assert (done["status"], done["processing"]) == ("complete", False)
        with pytest.raises(TaskFailed, match=r"/local/home/missing\.txt"):
            api.send_files("/local/home/missing.txt", ("localhost", page.far.port), timeout=BOUND)
    assert page.far.read("/data/docs/readme.txt") == README
