"""The local JetStream: sessions, requests, files, and its small calls."""

import os
import threading
import time
from typing import Any, Iterator

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.local.jetstream import JetStream
from tests.support.local import bare_client as wire
from tests.support.local.jetstream_calls import Api, Defaults, Refused, Users, names, two_servers
from tests.support.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    yield from two_servers()


@pytest.fixture
def server(running: LocalServer) -> Iterator[LocalServer]:
    yield running
    running.clear_faults()
    running.jetstream.configure(**Defaults)


@pytest.fixture
def site(server: LocalServer) -> JetStream:
    return server.jetstream


@pytest.fixture
def ann(site: JetStream) -> Api:
    return Api(site, "ann")


@pytest.fixture
def root(site: JetStream) -> Api:
    return Api(site, "ann", "superuser")


def test_it_can_be_found(server: LocalServer) -> None:
    site, peer = server.jetstream, server.jetstream_peer
    assert site.env == {
        "JETSTREAM_API_HOST": "127.0.0.1",
        "JETSTREAM_API_PORT": str(site.port),
        "JETSTREAM_API_USER": "ann",
        "JETSTREAM_API_PASSWORD": "a-secret",
    }
    assert peer.env == {"JETSTREAM_PEER_HOST": f"127.0.0.1:{peer.port}"}
    assert site.url == f"http://127.0.0.1:{site.port}"
    site.write("/found/a", b"bytes")
    assert site.read("/found/a") == b"bytes"
    assert site.files()["/found/a"] == 5
    assert os.path.getsize(os.path.join(site.root, "found", "a")) == 5
    with pytest.raises(UsageError, match="leads out"):
        site.read("/../a")


def test_info_before_and_after_login(site: JetStream) -> None:
    api = Api(site)
    info = api("getServerInfo")
    assert (info["authRequired"], info["apiVersion"], info["apiControlPort"]) == (True, 44, site.port)
    assert "loopback" in info["version"]
    assert "configuration" not in info
    assert api.kind("send.getManifests") == "NotAuthenticated"
    assert api("auth", user="ann", password="a-secret") is None
    assert "configuration" not in api("getServerInfo")
    assert api("superuser") is None
    assert api("getServerInfo")["configuration"]["superusers"] == ["ann"]


def test_wrong_logins(site: JetStream) -> None:
    api = Api(site)
    for user, password in (("ann", "wrong"), ("unknown", ""), ("ann", "")):
        with pytest.raises(Refused) as refused:
            api("auth", user=user, password=password)
        assert (refused.value.kind, refused.value.code) == ("AuthenticationFailed", -32002)
    request = api("authAsync", user="ann", password="wrong")
    assert request == {"requestId": 1}
    assert api.kind("getRequestResult", requestId=1) == "AuthenticationFailed"
    status = api("getRequestStatus", requestId=1)
    assert (status["status"], status["processing"]) == ("error", False)
    assert "wrong" in status["errorMessage"]
    assert api("authAsync", user="ann", password="a-secret") == {"requestId": 2}
    assert api("getRequestResult", requestId="2") is None
    assert api("getRequestStatus", requestId=2) == {
        "requestId": 2, "processing": False, "status": "complete", "errorMessage": "",
    }  # fmt: skip
    assert api("send.getManifests") == []
    assert api.kind("getRequestResult", requestId=3) == "NotFound"


def test_parameters_are_checked(ann: Api) -> None:
    assert ann.kind("send.explode") == "MethodNotFound"
    assert ann.kind("echo", texts="x") == "InvalidParams"
    assert ann.kind("send.getTransfer") == "InvalidParams"
    assert ann.kind("send.getTransfer", transferId=None) == "InvalidParams"
    assert ann.kind("send.getTransfer", transferId=True) == "InvalidParams"
    assert ann.kind("send.getTransfer", transferId="x") == "NotFound"
    assert ann.kind("send.getTransfer", transferId="9" * 30) == "NotFound"
    assert ann.kind("echo", text="\ud800") == "InvalidParams"
    assert ann.kind("sleep", milliseconds=-1) == "InvalidParams"
    assert ann.kind("send.createManifest", mappings={}) == "InvalidParams"
    assert ann.kind("send.createManifest", mappings={"/a": 1}) == "InvalidParams"
    assert ann.kind("send.createDestination", destinationAddress="x", destinationPort=70000) == "InvalidParams"
    assert ann("echo", text="grüße") == "grüße"
    assert ann("echo") == ""


def test_newer_methods(site: JetStream, root: Api) -> None:
    site.configure(api_version=39)
    for method, params in (("lsListAsync", {"path": "/"}), ("mkFileAsync", {"path": "/x"}), ("getWranglers", {})):
        with pytest.raises(Refused) as refused:
            root.raw(method, params)
        assert (refused.value.kind, refused.value.code) == ("ApiVersion", -32007)
    assert root("getAPITokens") == []
    site.configure(api_version=26)
    assert root.kind("getAPITokens") == "ApiVersion"
    assert root.kind("setLicenseKeyAsync", key="k") == "ApiVersion"
    assert root("getServerInfo")["apiVersion"] == 26


def test_a_lost_session_has_no_effect(site: JetStream, ann: Api) -> None:
    site.write("/lost/a")
    before = len(Api(site, "ann")("send.getManifests"))
    site.sessions.clear()
    with pytest.raises(Refused) as refused:
        ann("send.createManifest", mappings={"/a": "/lost/a"})
    assert (refused.value.kind, refused.value.code) == ("NotAuthenticated", -32001)
    assert ann("auth", user="ann", password="a-secret") is None
    assert len(ann("send.getManifests")) == before


def test_a_repeated_id_has_its_first_answer(site: JetStream, ann: Api) -> None:
    site.write("/again/a")
    params = {"mappings": {"/a": "/again/a"}}
    first = ann.raw("send.createManifest", params, id="once")
    assert ann.raw("send.createManifest", params, id="once") == first
    assert ann.raw("send.createManifest", params, id="twice")["manifestId"] != first["manifestId"]


def test_faults_and_the_account_tell_methods_apart(server: LocalServer, site: JetStream, ann: Api) -> None:
    fault = server.fault("jetstream", "POST /jsonrpc/echo", "status 503")
    before = site.count("POST /jsonrpc/getServerInfo", 200)
    ann("getServerInfo")
    assert site.count("POST /jsonrpc/getServerInfo", 200) == before + 1
    body = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}'
    answer = wire.request(site.url, "POST", "/jsonrpc", body, {"Content-Type": "application/json"})
    assert answer.status == 503
    assert fault.fired == 1


def test_requests_take_their_time(site: JetStream, ann: Api) -> None:
    site.configure(request_delay=30.0, wait_ceiling=0.05)
    id = ann("duAsync", path="/")["requestId"]
    assert ann("getRequestStatus", requestId=id)["status"] == "pending"
    watch = Stopwatch()
    with pytest.raises(Refused) as refused:
        ann("getRequestResult", requestId=id, timeoutSeconds=10)
    assert watch.elapsed() > 0.04
    assert watch.seconds() < 5
    assert (refused.value.kind, refused.value.code) == ("StillProcessing", -32006)
    site.configure(request_delay=0.0, wait_ceiling=25.0)


def test_files(site: JetStream, ann: Api) -> None:
    site.write("/f/b.bin", b"x" * 300)
    site.write("/f/sub/c.bin", b"y" * 20)
    listed = ann.later("ls", path="/f")
    assert [(one["name"], one["path"], one["type"], one["size"]) for one in listed] == [
        ("b.bin", "/f/b.bin", "file", 300),
        ("sub", "/f/sub", "directory", 0),
    ]
    assert abs(listed[0]["modifiedTime"] / 1e6 - time.time()) < 60
    assert names(ann.later("ls", path=["/f/b.bin", "/f/sub"])) == ["/f/b.bin", "/f/sub/c.bin"]
    assert {path: names(found) for path, found in ann.later("lsList", path=["/f", "f/sub/"]).items()} == {
        "/f": ["/f/b.bin", "/f/sub"], "f/sub/": ["/f/sub/c.bin"],
    }  # fmt: skip
    assert names(ann.later("lsRoots")) == ["/"]
    assert ann.later("du", path="/f") == 320
    assert ann.later("du", path=["/f/sub", "/f/b.bin"]) == 320
    assert ann.later("mkdir", path="/f/x/y/z") is None
    assert ann.later("mkFile", path="/f/x/new") is None
    assert ann.later_kind("mkFile", path="/f/x/new") == "InvalidState"
    assert ann.later_kind("mkdir", path="/f/x/new") == "InvalidState"
    assert ann.later("mv", **{"from": "/f/b.bin", "to": "/f/x/moved"}) is None
    assert ann.later("mv", **{"from": "/f/sub", "to": "/f/x"}) is None
    assert ann.later_kind("mv", **{"from": "/f/x", "to": "/f/x/y"}) == "InvalidState"
    assert ann.later_kind("mv", **{"from": "/f/x/moved", "to": "/f/x/new"}) == "InvalidState"
    assert ann.later_kind("mv", **{"from": "/f/none", "to": "/f/x/none"}) == "NotFound"
    assert names(ann.later("ls", path="/f/x")) == ["/f/x/moved", "/f/x/new", "/f/x/sub", "/f/x/y"]
    assert ann.later("rm", path="/f/x/moved") is None
    assert ann.later("rm", path="/f/x") is None
    assert ann.later_kind("rm", path="/f/x") == "NotFound"
    assert ann.later("ls", path="/f") == []
    assert ann.later_kind("rm", path="/") == "PermissionDenied"
    assert ann.later_kind("ls", path="/nothing") == "NotFound"
    assert ann.later_kind("ls", path=[]) == "InvalidParams"


def test_no_path_leads_out_of_the_root(site: JetStream, ann: Api, tmp_path: Any) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    site.write("/out/in")
    os.symlink(tmp_path, os.path.join(site.root, "out", "away"))
    for path in ("/../x", "/out/../../x", "/out/away", "/out/away/secret", "/out\0"):
        assert ann.later_kind("ls", path=path) == "PermissionDenied", path
        assert ann.later_kind("du", path=path) == "PermissionDenied", path
    for path in ("/out/../../x", "/out/away/new"):
        assert ann.later_kind("mkdir", path=path) == "PermissionDenied", path
        assert ann.later_kind("rm", path=path) == "PermissionDenied", path
        assert ann.later_kind("mv", **{"from": "/out/in", "to": path}) == "PermissionDenied", path
        manifest = ann.manifest_of({"/a": path})
        assert manifest["status"] == "error"
        assert path in manifest["errorMessage"]
    assert names(ann.later("ls", path="/out")) == ["/out/in"]
    manifest = ann.manifest_of({"/a": "/out"})
    assert (manifest["status"], "/out/away" in manifest["errorMessage"]) == ("error", True)
    # The link itself is below the root.
    assert ann.later("rm", path="/out/away") is None
    assert (tmp_path / "secret").exists()


def test_manifests(site: JetStream, ann: Api) -> None:
    site.write("/m/a", b"1" * 10)
    site.write("/m/d/b", b"2" * 20)
    site.configure(manifest_delay=0.2)
    made = ann("send.createManifest", mappings={"/to": "/m", "/one": "/m/a"}, userData={"k": 1})
    assert (made["status"], made["processing"], made["totalFiles"]) == ("pending", True, None)
    id = made["manifestId"]
    early = ann("send.waitForManifest", manifestId=id, timeoutSeconds=0.01)
    assert early["processing"] is True
    done = ann("send.waitForManifest", manifestId=id)
    assert (done["status"], done["totalFiles"], done["totalSize"]) == ("complete", 3, 40)
    assert (done["owner"], done["userData"]) == ("ann", {"k": 1})
    files = ann("send.getManifestFiles", manifestId=id)
    assert files == {"/to/a": "/m/a", "/to/d/b": "/m/d/b", "/one": "/m/a"}
    assert ann("send.getManifest", manifestId=int(id)) == done
    assert done in ann("send.getManifests")
    assert ann("send.deleteManifest", manifestId=id) is None
    assert ann.kind("send.getManifest", manifestId=id) == "NotFound"
    site.configure(manifest_delay=0.0)
    missing = ann.manifest_of({"/x": "/m/nothing"})
    assert (missing["status"], missing["processing"]) == ("error", False)
    assert "/m/nothing" in missing["errorMessage"]


def test_waits_without_long_polls_answer_at_once(site: JetStream, ann: Api) -> None:
    site.write("/now/a")
    site.configure(manifest_delay=0.5, long_polls=False)
    made = ann("send.createManifest", mappings={"/a": "/now/a"})
    watch = Stopwatch()
    assert ann("send.waitForManifest", manifestId=made["manifestId"])["processing"] is True
    assert watch.seconds() < 0.4


def test_destinations(server: LocalServer, ann: Api) -> None:
    peer = server.jetstream_peer
    made = ann("send.createDestination", destinationAddress="localhost", destinationPort=peer.port, sendRateMax=9)
    assert (made["destinationIP"], made["destinationPort"], made["owner"]) == ("127.0.0.1", peer.port, "ann")
    again = ann("send.createDestination", destinationAddress="localhost", destinationPort=peer.port, sendRateMax=9)
    assert again["destinationId"] == made["destinationId"]
    other = ann("send.createDestination", destinationAddress="localhost")
    assert (other["destinationPort"], other["destinationId"] != made["destinationId"]) == (8886, True)
    assert Api(server.jetstream, "bob")("send.createDestination", destinationAddress="localhost") != other
    id = made["destinationId"]
    assert ann("send.getDestination", destinationId=id) == made
    assert made in ann("send.getDestinations")
    connection = ann("send.getConnection", connectionId=made["connectionId"])
    assert connection["destinationPort"] == peer.port
    assert connection in ann("send.getConnections")
    assert ann.later("send.setSendRate", destinationId=id, sendRateMax=17) is None
    assert ann.later("send.setSendRate", anything="else") is None
    assert ann("send.getDestination", destinationId=id)["sendRateMax"] == 17
    assert ann("send.deleteDestination", destinationId=id) is None
    assert ann.kind("send.getDestination", destinationId=id) == "NotFound"
    assert ann.kind("send.getConnection", connectionId=made["connectionId"]) == "NotFound"


def test_user_data(site: JetStream, ann: Api) -> None:
    site.write("/data/a")
    manifest = ann.manifest_of({"/a": "/data/a"})["manifestId"]
    token = ann("send.createSharedToken", manifestId=manifest, userData={"first": 1})["token"]
    assert ann("send.updateObjectUserData", objectId=manifest, key="k", value=[1, None]) is None
    assert ann("send.getManifest", manifestId=manifest)["userData"] == {"k": [1, None]}
    assert ann("send.deleteObjectUserData", objectId=manifest, key="k") is None
    assert ann("send.getManifest", manifestId=manifest)["userData"] == {}
    assert ann("send.updateObjectUserData", objectId=token, key="k", value="v") is None
    assert ann("send.getSharedToken", token=token)["userData"] == {"first": 1, "k": "v"}
    assert ann.kind("send.updateObjectUserData", objectId=12345678, key="k") == "NotFound"


def test_limits_licence_and_small_calls(site: JetStream, root: Api) -> None:
    assert root("updateBandwidthLimits", incoming=5, policy="borrow") is None
    assert root("getServerInfo")["bandwidthLimits"] == {"incoming": 5, "policy": "borrow"}
    assert "BSD" in root("getThirdPartyLicenses")
    began = time.monotonic()
    assert root("sleep", milliseconds=30) is None
    assert time.monotonic() - began >= 0.03
    log = root("getEventLog")
    assert log[0]["_event"] == "serverStarted"
    assert log[0]["_timestamp"] <= log[-1]["_timestamp"]
    bob = Api(site, "bob")
    assert bob.kind("updateBandwidthLimits", incoming=1) == "PermissionDenied"
    assert bob.kind("terminate") == "PermissionDenied"
    assert bob.kind("recv.getSourcesAsync") == "PermissionDenied"
    assert {one["_event"] for one in bob("getEventLog") if "manifestId" in one} <= {"manifestUpdated"}


def test_discovery(server: LocalServer, ann: Api) -> None:
    far = Api(server.jetstream_peer, "bob")
    id = far("recvDiscoverPacketAsync", window=3)["requestId"]
    assert far("getRequestStatus", requestId=id)["processing"] is True
    port = server.jetstream_peer.port
    assert ann.later("sendDiscoverPacket", destinationAddress="127.0.0.1", destinationPort=port) is None
    packet = far("getRequestResult", requestId=id)
    assert packet["sourcePort"] == server.jetstream.port
    assert packet["publicKey"] == ann("getServerInfo")["publicKey"]
    assert ann.later_kind("sendDiscoverPacket", destinationAddress="127.0.0.1", destinationPort=1) == "NotFound"
    second = far("recvDiscoverPacketAsync")["requestId"]
    assert ann.later("sendDiscoverPacket") is None
    assert far("getRequestResult", requestId=second) == packet


def test_idle_sessions_end(site: JetStream, ann: Api) -> None:
    site.configure(session_idle=0.02)
    threading.Event().wait(0.05)
    assert ann.kind("send.getManifests") == "NotAuthenticated"


def test_terminate() -> None:
    with LocalServer(services=["jetstream", "jetstream_peer"], jetstream={"users": Users}) as server:
        waiter, api = Api(server.jetstream, "ann"), Api(server.jetstream, "ann", "superuser")
        server.jetstream.write("/a")
        server.jetstream.configure(manifest_delay=60.0)
        id = waiter("send.createManifest", mappings={"/a": "/a"})["manifestId"]
        assert api("terminate") is None
        server.jetstream.stop()
        with pytest.raises(OSError, match="refused"):
            Api(server.jetstream, "ann")
        with pytest.raises(OSError, match="refused"):
            waiter("send.waitForManifest", manifestId=id)
        Api(server.jetstream_peer)("getServerInfo")
