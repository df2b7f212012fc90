"""The local JetStream, without what the client's tests show: files, limits, owners, tokens, sandboxes.

What a client gets from each method is in tests/jetstream/test_jetstream_*_calls.py, with the same servers.
"""

import os
import threading
import time
from typing import Any, Iterator

import pytest

from smartxfer.errors import UsageError
from smartxfer.local import LocalServer
from smartxfer.local.jetstream import JetStream
from tests.support.local.jetstream_calls import Api, Refused, names, two_servers
from tests.support.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    yield from two_servers()


@pytest.fixture
def server(running: LocalServer) -> Iterator[LocalServer]:
    before = running.jetstream.backend.site
    yield running
    running.jetstream.backend.site = before


@pytest.fixture
def site(server: LocalServer) -> JetStream:
    return server.jetstream


@pytest.fixture
def ann(site: JetStream) -> Api:
    return Api(site, "ann")


@pytest.fixture
def root(site: JetStream) -> Api:
    return Api(site, "ann", "superuser")


def test_environment_and_inspection(server: LocalServer) -> None:
    site, peer = server.jetstream, server.jetstream_peer
    assert site.env == {
        "JETSTREAM_API_HOST": "127.0.0.1", "JETSTREAM_API_PORT": str(site.port),
        "JETSTREAM_API_USER": "ann", "JETSTREAM_API_PASSWORD": "a-secret",
    }  # fmt: skip
    assert peer.env == {"JETSTREAM_PEER_HOST": f"127.0.0.1:{peer.port}"}
    assert site.url == f"http://127.0.0.1:{site.port}"
    with pytest.raises(UsageError, match="leads out"):
        site.read("/../a")


@pytest.mark.parametrize(("user", "password"), [("ann", "wrong"), ("unknown", ""), ("ann", "")])
def test_wrong_logins(site: JetStream, user: str, password: str) -> None:
    with pytest.raises(Refused) as refused:
        Api(site)("auth", user=user, password=password)
    assert (refused.value.kind, refused.value.code) == ("AuthenticationFailed", -32002)


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("send.explode", {}, "MethodNotFound"), ("echo", {"texts": "x"}, "InvalidParams"),
        ("send.getTransfer", {}, "InvalidParams"),
        ("send.getTransfer", {"transferId": None}, "InvalidParams"),
        ("send.getTransfer", {"transferId": True}, "InvalidParams"),
        ("send.getTransfer", {"transferId": "x"}, "NotFound"),
        ("send.getTransfer", {"transferId": "9" * 30}, "NotFound"),
        ("echo", {"text": "\ud800"}, "InvalidParams"), ("sleep", {"milliseconds": -1}, "InvalidParams"),
        ("send.createManifest", {"mappings": {}}, "InvalidParams"),
        ("send.createManifest", {"mappings": {"/a": 1}}, "InvalidParams"),
        ("send.createDestination", {"destinationAddress": "x", "destinationPort": 70000}, "InvalidParams"),
        ("send.updateObjectUserData", {"objectId": 12345678, "key": "k"}, "NotFound"),
        ("echo", {"text": "grüße"}, ""),
    ],
)  # fmt: skip
def test_parameters_are_checked(ann: Api, method: str, params: Any, kind: str) -> None:
    assert ann.kind(method, **params) == kind


def test_newer_methods(site: JetStream, root: Api) -> None:
    site.configure(api_version=39)
    for method in ("lsListAsync", "mkFileAsync", "getWranglers"):
        with pytest.raises(Refused) as refused:
            root.raw(method, {} if method == "getWranglers" else {"path": "/x"})
        assert (refused.value.kind, refused.value.code) == ("ApiVersion", -32007)
    assert root("getAPITokens") == []
    site.configure(api_version=26)
    assert root.kind("getAPITokens") == root.kind("setLicenseKeyAsync", key="k") == "ApiVersion"
    assert root("getServerInfo")["apiVersion"] == 26


def test_waits_end_at_the_ceiling(site: JetStream, ann: Api) -> None:
    site.configure(request_delay=30.0, wait_ceiling=0.05)
    id = ann("duAsync", path="/")["requestId"]
    watch = Stopwatch()
    with pytest.raises(Refused) as refused:
        ann("getRequestResult", requestId=id, timeoutSeconds=10)
    assert watch.elapsed() > 0.04
    assert watch.seconds() < 5
    assert (refused.value.kind, refused.value.code) == ("StillProcessing", -32006)


def test_sleep_and_idle_sessions(site: JetStream, ann: Api) -> None:
    began = time.monotonic()
    assert ann("sleep", milliseconds=30) is None
    assert time.monotonic() - began >= 0.03
    site.configure(session_idle=0.02)
    threading.Event().wait(0.05)
    assert ann.kind("send.getManifests") == "NotAuthenticated"


def test_moves_and_paths_of_files(site: JetStream, ann: Api) -> None:
    site.write("/f/b.bin", b"x" * 300)
    site.write("/f/sub/c.bin", b"y" * 20)
    assert list(ann.later("lsList", path=["/f", "f/sub/"])) == ["/f", "f/sub/"]
    assert names(ann.later("ls", path=["/f/b.bin", "/f/sub"])) == ["/f/b.bin", "/f/sub/c.bin"]
    assert ann.later("mkFile", path="/f/x/new") is None
    assert ann.later("mv", **{"from": "/f/sub", "to": "/f/x"}) is None
    assert names(ann.later("ls", path="/f/x")) == ["/f/x/new", "/f/x/sub"]
    for old, new, kind in (
        ("/f/x", "/f/x/sub", "InvalidState"), ("/f/b.bin", "/f/x/new", "InvalidState"),
        ("/f/none", "/f/y", "NotFound"),
    ):  # fmt: skip
        assert ann.later_kind("mv", **{"from": old, "to": new}) == kind
    assert ann.later_kind("ls", path=[]) == "InvalidParams"


def test_no_path_leads_out_of_the_root(site: JetStream, ann: Api, tmp_path: Any) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    site.write("/out/in")
    os.symlink(tmp_path, os.path.join(site.root, "out", "away"))
    for path in ("/../x", "/out/../../x", "/out/away", "/out/away/secret", "/out\0"):
        for method in ("ls", "du"):
            assert ann.later_kind(method, path=path) == "PermissionDenied", path
    for path in ("/out/../../x", "/out/away/new"):
        for method in ("mkdir", "rm", "mv"):
            params = {"from": "/out/in", "to": path} if method == "mv" else {"path": path}
            assert ann.later_kind(method, **params) == "PermissionDenied", path
        manifest = ann.manifest_of({"/a": path})
        assert (manifest["status"], path in manifest["errorMessage"]) == ("error", True)
    assert names(ann.later("ls", path="/out")) == ["/out/in"]
    manifest = ann.manifest_of({"/a": "/out"})
    assert (manifest["status"], "/out/away" in manifest["errorMessage"]) == ("error", True)
    # The link itself is below the root.
    assert ann.later("rm", path="/out/away") is None
    assert (tmp_path / "secret").exists()


def test_destinations_and_discovery(server: LocalServer, ann: Api) -> None:
    far, port = Api(server.jetstream_peer, "bob"), server.jetstream_peer.port
    made = ann("send.createDestination", destinationAddress="localhost")
    assert Api(server.jetstream, "bob")("send.createDestination", destinationAddress="localhost") != made
    assert ann.later("send.setSendRate", anything="else") is None
    assert ann("send.deleteDestination", destinationId=made["destinationId"]) is None
    assert ann.kind("send.getConnection", connectionId=made["connectionId"]) == "NotFound"
    for address in ({"destinationAddress": "127.0.0.1", "destinationPort": port}, {}):
        id = far("recvDiscoverPacketAsync", window=3)["requestId"]
        assert ann.later("sendDiscoverPacket", **address) is None
        packet = far("getRequestResult", requestId=id)
        assert packet["publicKey"] == ann("getServerInfo")["publicKey"]
    closed = {"destinationAddress": "127.0.0.1", "destinationPort": 1}
    assert ann.later_kind("sendDiscoverPacket", **closed) == "NotFound"


# Owners, tokens, sandboxes


def test_sandboxes(site: JetStream, root: Api) -> None:
    site.write("/homes/bob/deep/a", b"123")
    bob = Api(site, "bob")
    mapping = {"mine": "/homes/%u", "all": {"type": "File", "path": "/homes"}}
    assert root("setSandboxMapping", user="bob", mapping=mapping) is None
    assert names(bob.later("lsRoots")) == names(bob.later("ls", path="/")) == ["/all", "/mine"]
    assert (names(bob.later("ls", path="/mine/deep")), bob.later("du", path="/mine")) == (["/mine/deep/a"], 3)
    assert bob.later_kind("ls", path="/homes") == "NotFound"
    assert bob.later_kind("rm", path="/mine") == "PermissionDenied"
    assert bob.later("mkdir", path="/mine/new") is None
    assert os.path.isdir(os.path.join(site.root, "homes", "bob", "new"))
    manifest = bob.manifest_of({"/x": "/mine"})
    assert (manifest["totalFiles"], manifest["totalSize"]) == (1, 3)
    assert bob("send.getManifestFiles", manifestId=manifest["manifestId"]) == {"/x/deep/a": "/mine/deep/a"}
    assert bob.manifest_of({"/x": "/homes"})["status"] == "error"
    assert root.kind("setSandboxMapping", user="bob", mapping={"a/b": "/"}) == "InvalidParams"
    assert root("deleteSandboxMapping", user="bob") is None
    assert root.kind("deleteSandboxMapping", user="bob") == "NotFound"
    assert names(bob.later("lsRoots")) == ["/"]


def test_objects_of_other_users(site: JetStream, ann: Api) -> None:
    site.write("/own/a")
    bob, eve = Api(site, "bob"), Api(site, "eve")
    id = bob.manifest_of({"/a": "/own/a"})["manifestId"]
    for call in ("getManifest", "deleteManifest", "getManifestFiles", "createSharedToken"):
        assert ann.kind("send." + call, manifestId=id) == "NotFound"
    assert ann.kind("send.updateObjectUserData", objectId=id, key="k", value=1) == "NotFound"
    assert id not in [event.get("manifestId") for event in ann("getEventLog")]
    ann("superuser")
    assert id in [event.get("manifestId") for event in ann("getEventLog")]
    assert ann("send.getManifest", manifestId=id)["owner"] == "bob"
    assert ann.later("addWrangler", group="staff") is None
    assert eve("wrangler") is None
    assert id in [one["manifestId"] for one in eve("send.getManifests")]
    assert eve.kind("getWranglers") == "PermissionDenied"
    assert eve("send.deleteManifest", manifestId=id) is None
    assert bob.kind("send.getManifest", manifestId=id) == "NotFound"
    assert ann("deleteWrangler", group="staff") is None
    assert ann.kind("deleteWrangler", group="staff") == "NotFound"
    assert ann.later_kind("addWrangler", user="bob", group="staff") == "InvalidParams"


def test_a_shared_token_until_it_is_deleted(server: LocalServer, site: JetStream, ann: Api) -> None:
    site.write("/share/a", b"shared")
    id = ann.manifest_of({"/a": "/share/a"})["manifestId"]
    to = ann.destination(server.jetstream_peer)
    token = ann("send.createSharedToken", manifestId=id, downloadLimit=1)["token"]
    assert (len(token.split(".")), token) == (3, token.upper())
    guest = Api(site)
    assert guest.kind("authToken", token="A.B.C") == "AuthenticationFailed"
    assert guest("authToken", token=token) is None
    assert guest("send.getDestinations") == []
    assert guest.kind("send.createTransfer", destinationId=to, manifestId=id) == "NotFound"
    own = guest.destination(server.jetstream_peer)
    sent = guest("send.createTransfer", destinationId=own, manifestId=id, destinationPath="/guest")
    assert (sent["owner"], sent["ownerToken"]) == ("", token)
    assert guest("send.waitForTransfer", transferId=sent["transferId"])["status"] == "complete"
    assert ann.kind("send.getTransfer", transferId=sent["transferId"]) == "NotFound"
    assert guest.kind("send.createTransfer", destinationId=own, manifestId=id) == "AuthenticationFailed"
    assert Api(site).kind("authToken", token=token) == "AuthenticationFailed"
    assert ann("send.deleteSharedToken", token=token) is None
    assert guest.kind("send.getManifests") == "NotAuthenticated"


def test_a_session_keeps_its_destination_when_it_shows_a_token(server: LocalServer, ann: Api) -> None:
    server.jetstream.write("/seed/a", b"seed")
    ann.manifest_of({"/other": "/seed/a"})
    id = ann.manifest_of({"/seed": "/seed/a"})["manifestId"]
    to = ann.destination(server.jetstream_peer)
    ann("authToken", token=ann("send.createSharedToken", manifestId=id)["token"])
    [shown] = ann("send.getManifests")
    assert (shown["manifestId"], shown["owner"]) == (id, "")
    sent = ann("send.createTransfer", destinationId=to, manifestId=id)
    assert ann("send.waitForTransfer", transferId=sent["transferId"])["status"] == "complete"


def test_tokens_expire(site: JetStream, ann: Api) -> None:
    site.write("/exp/a")
    id, soon = ann.manifest_of({"/a": "/exp/a"})["manifestId"], int((time.time() + 60) * 1e6)
    token = ann("send.createSharedToken", manifestId=id, expiryTime=soon)["token"]
    guest = Api(site)
    guest("authToken", token=token)
    site.configure(clock_offset=120.0)
    assert guest.kind("send.getManifests") == "NotAuthenticated"
    with pytest.raises(Refused, match="expired"):
        guest("authToken", token=token)
    assert ann("send.getSharedToken", token=token)["expiryTime"] == soon
    assert ann("garbageCollect") is None
    assert ann.kind("send.getSharedToken", token=token) == "NotFound"


def test_an_api_token_of_one_folder(site: JetStream, ann: Api) -> None:
    site.write("/bound/in/a", b"abc")
    site.write("/bound/out/b", b"abcd")
    theirs = ann.manifest_of({"/b": "/bound/out/b"})["manifestId"]
    made = ann("createAPIToken", permissions=["download"], path="/bound/in")
    narrow, mine = Api(site), {"token": made["token"]}
    assert narrow("authToken", **mine) is None
    assert narrow.kind("createAPIToken") == narrow.kind("superuser") == "PermissionDenied"
    assert names(narrow.later("lsRoots")) == ["/bound/in"]
    for path in ("/bound/out", "/"):
        assert narrow.later_kind("ls", path=path) == "NotFound"
    assert narrow.kind("send.getManifest", manifestId=theirs) == "NotFound"
    assert narrow.manifest_of({"/b": "/bound/out/b"})["status"] == "error"
    own = narrow.manifest_of({"/a": "/bound/in/a"})
    assert [own[name] for name in ("status", "owner", "ownerToken")] == ["complete", "ann", made["token"]]
    assert own["ownerTokenSession"]
    assert narrow.kind("send.createSharedToken", manifestId=own["manifestId"]) == "PermissionDenied"
    assert ann.kind("createAPIToken", permissions=["fly"]) == "InvalidParams"
    assert ann.kind("send.getSharedToken", **mine) == "NotFound"
    assert ann("deleteAPIToken", **mine) is None
    assert narrow.kind("send.getManifests") == "NotAuthenticated"


def test_sites_without_tokens_and_without_login(site: JetStream, ann: Api) -> None:
    site.write("/free/a")
    id = ann.manifest_of({"/a": "/free/a"})["manifestId"]
    site.configure(allow_api_tokens=False, allow_shared_tokens=False, auth_required=False)
    refused = (ann.kind("createAPIToken"), ann.kind("send.createSharedToken", manifestId=id))
    assert refused == ("PermissionDenied", "PermissionDenied")
    api = Api(site)
    assert api("getServerInfo")["authRequired"] is False
    made = api.manifest_of({"/a": "/free/a"})
    assert (made["status"], made["owner"], api.kind("superuser")) == ("complete", "", "PermissionDenied")
    site.configure(auth_required=True)
    assert api.kind("send.getManifests") == "NotAuthenticated"
