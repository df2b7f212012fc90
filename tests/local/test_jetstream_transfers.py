"""Transfers between two local JetStreams, with interruptions."""

import os
import random
import re
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.local import LocalServer
from tests.support.local.jetstream_calls import Api, Users, send, until
from tests.support.stopwatch import Stopwatch

DATA = random.Random(6).getrandbits(8 << 20).to_bytes(1 << 20, "big")
BOTH = ["jetstream", "jetstream_peer"]
OPTIONS: Dict[str, Any] = {"services": BOTH, "jetstream": {"users": Users}, "jetstream_peer": {"users": Users}}


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    with LocalServer(**OPTIONS) as server:
        yield server
        assert server.jetstream.listener.crashes == []
        assert os.listdir(server.jetstream_peer.backend.staging) == []


@pytest.fixture
def server(running: LocalServer) -> Iterator[LocalServer]:
    yield running
    running.jetstream.configure(rate=0, licensed=True)
    running.jetstream_peer.configure(licensed=True)


@pytest.fixture
def ann(server: LocalServer) -> Api:
    return Api(server.jetstream, "ann")


@pytest.fixture
def far(server: LocalServer) -> Api:
    return Api(server.jetstream_peer, "ann", "superuser")


def halfway(api: Api, transfer: str, blocks: int = 1) -> Any:
    """Wait until a number of blocks arrived, and return the transfer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        shown = api("send.waitForTransfer", transferId=transfer, timeoutSeconds=0.01)
        if shown["blocksAcked"] >= blocks or not shown["processing"]:
            assert shown["status"] == "sending", shown
            return shown
    raise AssertionError(shown)


def test_files_arrive(server: LocalServer, ann: Api, far: Api) -> None:
    site, peer = server.jetstream, server.jetstream_peer
    contents = {"/tree/a": DATA, "/tree/sub/b": b"b" * 257, "/tree/sub/empty": b"", "/one": b"1"}
    for path, data in contents.items():
        site.write(path, data)
    id = send(ann, server, {"/t": "/tree", "one/1": "/one"}, destinationPath="/in")
    done = ann("send.waitForTransfer", transferId=id)
    assert (done["status"], done["processing"], done["errorMessage"]) == ("complete", False, None)
    assert peer.read("/in/t/a") == DATA
    assert {path: size for path, size in peer.files().items() if path.startswith("/in/")} == {
        "/in/one/1": 1, "/in/t/a": 1 << 20, "/in/t/sub/b": 257, "/in/t/sub/empty": 0,
    }  # fmt: skip
    assert done["totalBlocks"] == done["blocksAcked"] == done["blocksSent"] == 4096 + 2 + 1
    assert done["totalBytes"] == done["bytesSent"] == (1 << 20) + 258
    times = [done[name] for name in ("requestTime", "queueTime", "startTime", "endTime")]
    assert times == sorted(times)
    assert (done["snapshotTime"], abs(times[0] / 1e6 - time.time()) < 60) == (done["endTime"], True)
    received = [one for one in far.later("recv.getTransfers") if one["destinationPath"] == "/in"]
    assert [(one["status"], one["totalSize"], one["sourcePort"]) for one in received] == [
        ("complete", (1 << 20) + 258, site.port)
    ]
    to = ann("send.getDestination", destinationId=done["destinationId"])
    assert to["destinationPublicKey"] == far("getServerInfo")["publicKey"]
    events = [one for one in ann("getEventLog") if one.get("transferId") == id]
    assert [(one["_event"], one["status"]) for one in events] == [
        ("transferUpdated", status) for status in ("pending", "sending", "complete")
    ]


def test_a_waiter_hears_of_a_deletion(server: LocalServer, ann: Api) -> None:
    server.jetstream.write("/wd/a", DATA)
    server.jetstream.configure(rate=1 << 16)
    id = send(ann, server, {"/wd/a": "/wd/a"})
    halfway(ann, id)
    heard = []
    waiter = Api(server.jetstream, "ann")
    thread = threading.Thread(target=lambda: heard.append(waiter.kind("send.waitForTransfer", transferId=id)))
    thread.start()
    ann("send.deleteTransfer", transferId=id)
    thread.join(10)
    assert heard == ["NotFound"]
    other = send(ann, server, {"/wd/b": "/wd/a"})
    assert ann("send.failTransfer", transferId=other, errorMessage="enough") is None
    assert ann.kind("send.failTransfer", transferId=other, errorMessage="more") == "InvalidState"
    assert os.listdir(server.jetstream_peer.backend.staging) == []


def test_the_rates_are_kept(server: LocalServer, ann: Api) -> None:
    server.jetstream.write("/r/a", DATA[: 64 << 10])
    port = server.jetstream_peer.port
    to = ann("send.createDestination", destinationAddress="127.0.0.1", destinationPort=port, sendRateMax=2000)
    manifest = ann.manifest_of({"/r/a": "/r/a"})["manifestId"]
    watch = Stopwatch()
    id = ann("send.createTransfer", destinationId=to["destinationId"], manifestId=manifest)["transferId"]
    assert ann("send.waitForTransfer", transferId=id)["status"] == "complete"
    # 64 KiB at 250,000 bytes per second.
    assert watch.elapsed() > 0.15
    assert watch.seconds() < 10


def test_the_lowest_priority_goes_first(server: LocalServer, ann: Api) -> None:
    server.jetstream.write("/p/a", DATA)
    server.jetstream.configure(rate=1 << 20)
    first = send(ann, server, {"/p/0": "/p/a"})
    halfway(ann, first)
    late, early = (send(ann, server, {f"/p/{number}": "/p/a"}, priority=number) for number in (200, 50))
    server.jetstream.configure(rate=0)
    ends = [until(ann, id, "complete")["endTime"] for id in (first, early, late)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("mappings", "folder", "words"),
    [
        ({"/../x": "/e/a"}, "", "leads out"), ({"/x": "/e/a"}, "/../..", "leads out"),
        ({"/away/x": "/e/a"}, "", "leads out"), ({"/folder": "/e/a"}, "", "a folder is there"),
        ({"/": "/e/a"}, "", "a folder is there"), ({"/file/x": "/e/a"}, "", "ot a directory|xists"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed(
    server: LocalServer, ann: Api, tmp_path: Path, mappings: Dict[str, str], folder: str, words: str
) -> None:
    server.jetstream.write("/e/a", b"e")
    peer = server.jetstream_peer
    peer.write("/folder/file")
    peer.write("/file", b"stays")
    link = os.path.join(peer.root, "away")
    os.symlink(tmp_path, link)
    try:
        id = send(ann, server, mappings, destinationPath=folder)
        done = ann("send.waitForTransfer", transferId=id)
    finally:
        os.unlink(link)
    assert done["status"] == "error"
    assert re.search(words, done["errorMessage"]), done["errorMessage"]
    assert list(tmp_path.iterdir()) == []
    assert peer.read("/file") == b"stays"


def test_a_source_that_changed(server: LocalServer, ann: Api) -> None:
    server.jetstream.write("/c/a", b"old")
    server.jetstream.write("/c/b", b"old")
    manifests = [ann.manifest_of({"/c/x": f"/c/{name}"})["manifestId"] for name in "ab"]
    server.jetstream.write("/c/a", b"longer")
    os.unlink(os.path.join(server.jetstream.root, "c", "b"))
    to = ann.destination(server.jetstream_peer)
    for manifest, path in zip(manifests, ("/c/a", "/c/b")):
        id = ann("send.createTransfer", destinationId=to, manifestId=manifest)["transferId"]
        done = ann("send.waitForTransfer", transferId=id)
        assert (done["status"], path in done["errorMessage"]) == ("error", True)


def pending(ann: Api, transfer: str, words: str) -> None:
    """Wait until a destination has an error message."""
    deadline = time.monotonic() + 10
    while True:
        shown = ann("send.waitForTransfer", transferId=transfer, timeoutSeconds=0.02)
        assert (shown["status"], shown["processing"]) == ("pending", True)
        to = ann("send.getDestination", destinationId=shown["destinationId"])
        if to["lastError"]:
            assert words in to["lastError"]
            assert to["numTransfersQueued"] == 1
            return
        assert time.monotonic() < deadline


def test_a_receiver_without_a_licence(server: LocalServer, ann: Api, far: Api) -> None:
    server.jetstream.write("/t/a", b"t")
    server.jetstream_peer.configure(licensed=False)
    id = send(ann, server, {"/t/1": "/t/a"})
    pending(ann, id, "licence")
    assert far.later("setLicenseKey", key="any") is None
    until(ann, id, "complete")
    # A key is also accepted in a structure.
    for method in ("addAuthorizedClient", "removeAuthorizedClient"):
        assert far.later("recv." + method, clientPublicKey={"publicKey": "k" * 64}) is None


def test_a_destination_that_comes_later(server: LocalServer, ann: Api, tmp_path: Path) -> None:
    server.jetstream.write("/l/a", b"late")
    with LocalServer(tmp_path, services=BOTH) as other:
        port = other.jetstream.port
    to = ann("send.createDestination", destinationAddress="localhost", destinationPort=port)["destinationId"]
    manifest = ann.manifest_of({"/l/a": "/l/a"})["manifestId"]
    id = ann("send.createTransfer", destinationId=to, manifestId=manifest)["transferId"]
    pending(ann, id, "no server")
    # Other transfers are not delayed.
    until(ann, send(ann, server, {"/l/b": "/l/a"}), "complete")
    with LocalServer(tmp_path, services=BOTH, jetstream={"port": port}) as other:
        until(ann, id, "complete")
        assert other.jetstream.read("/l/a") == b"late"
    assert ann("send.getDestination", destinationId=to)["lastError"] is None


def test_a_restart_that_suspends(tmp_path: Path) -> None:
    """Restarts that continue: tests/faults/test_jetstream_servers.py::test_killed_while_it_is_sent."""
    slow = {**OPTIONS["jetstream"], "rate": 1 << 20, "after_restart": "suspend"}
    with LocalServer(tmp_path, **{**OPTIONS, "jetstream": slow}) as server:
        server.jetstream.write("/in/a", DATA)
        port, ann = server.jetstream_peer.port, Api(server.jetstream, "ann")
        id = send(ann, server, {"/out": "/in"})
        before = halfway(ann, id, 400)
        server_id = ann("getServerInfo")["serverId"]
    peer = {**OPTIONS["jetstream_peer"], "port": port}
    with LocalServer(tmp_path, **{**OPTIONS, "jetstream": {**slow, "rate": 0}, "jetstream_peer": peer}) as server:
        again = Api(server.jetstream)
        again.cookie = ann.cookie
        assert again.kind("send.getTransfers") == "NotAuthenticated"
        again("auth", user="ann", password="a-secret")
        assert again("getServerInfo")["serverId"] != server_id
        shown = again("send.getTransfer", transferId=id)
        assert (shown["status"], shown["processing"]) == ("suspended", False)
        assert shown["blocksAcked"] >= before["blocksAcked"]
        again("send.resumeTransfer", transferId=id)
        done = again("send.waitForTransfer", transferId=id)
        assert (done["status"], done["blocksAcked"]) == ("complete", done["totalBlocks"])
        # Acknowledged blocks were not sent again.
        assert done["blocksSent"] == done["totalBlocks"] + done["blocksRetransmitted"]
        assert done["blocksRetransmitted"] < before["blocksAcked"]
        assert server.jetstream_peer.read("/out/a") == DATA
        assert os.listdir(server.jetstream_peer.backend.staging) == []


def test_a_receiver_that_lost_its_half_gets_it_again(tmp_path: Path) -> None:
    with LocalServer(tmp_path, **OPTIONS) as server:
        server.jetstream.write("/in/a", DATA)
        server.jetstream.configure(rate=1 << 20)
        ann = Api(server.jetstream, "ann")
        id = send(ann, server, {"/out": "/in/a"})
        halfway(ann, id, 400)
        assert ann.kind("send.resumeTransfer", transferId=id) == "InvalidState"
        ann("send.suspendTransfer", transferId=id)
        assert ann.kind("send.suspendTransfer", transferId=id) == "InvalidState"
        staging = server.jetstream_peer.backend.staging
        [name] = os.listdir(staging)
        os.truncate(os.path.join(staging, name), 1000)
        server.jetstream.configure(rate=0)
        ann("send.resumeTransfer", transferId=id)
        done = ann("send.waitForTransfer", transferId=id)
        assert (done["status"], done["blocksAcked"]) == ("complete", 4096)
        assert done["blocksRetransmitted"] >= 390
        assert server.jetstream_peer.read("/out") == DATA


def test_nothing_is_left_running() -> None:
    before = set(threading.enumerate())
    with LocalServer(**OPTIONS) as server:
        server.jetstream.write("/in/a", DATA)
        server.jetstream.configure(rate=1000, request_delay=60.0)
        ann = Api(server.jetstream, "ann")
        halfway(ann, send(ann, server, {"/out": "/in/a"}))
        for _ in range(3):
            ann("lsAsync", path="/")
        server.jetstream.configure(manifest_delay=60.0)
        ann("send.createManifest", mappings={"/a": "/in/a"})
        watch = Stopwatch()
    assert watch.seconds() < 5
    assert set(threading.enumerate()) <= before
