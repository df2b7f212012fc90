"""The local JetStream: owners, tokens, sandboxes, superusers."""

import os
import time
from typing import Iterator

import pytest

from smartxfer.local import LocalServer
from smartxfer.local.jetstream import JetStream
from tests.support.local.jetstream_calls import Api, Defaults, Refused, names, two_servers


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


def test_sandboxes(site: JetStream, root: Api) -> None:
    site.write("/homes/bob/deep/a", b"123")
    bob = Api(site, "bob")
    assert bob.kind("setSandboxMapping", user="bob", mapping={}) == "PermissionDenied"
    mapping = {"mine": "/homes/%u", "all": {"type": "File", "path": "/homes"}}
    assert root("setSandboxMapping", user="bob", mapping=mapping) is None
    assert root("getSandboxMappings") == {"bob": mapping}
    assert names(bob.later("lsRoots")) == ["/all", "/mine"]
    assert names(bob.later("ls", path="/")) == ["/all", "/mine"]
    assert names(bob.later("ls", path="/mine/deep")) == ["/mine/deep/a"]
    assert bob.later("du", path="/mine") == 3
    assert bob.later_kind("ls", path="/homes") == "NotFound"
    assert bob.later_kind("rm", path="/mine") == "PermissionDenied"
    assert bob.later("mkdir", path="/mine/new") is None
    assert os.path.isdir(os.path.join(site.root, "homes", "bob", "new"))
    manifest = bob.manifest_of({"/x": "/mine"})
    assert (manifest["totalFiles"], manifest["totalSize"]) == (1, 3)
    files = bob("send.getManifestFiles", manifestId=manifest["manifestId"])
    assert files == {"/x/deep/a": "/mine/deep/a"}
    assert bob.manifest_of({"/x": "/homes"})["status"] == "error"
    assert root.kind("setSandboxMapping", user="bob", mapping={"a/b": "/"}) == "InvalidParams"
    assert root("deleteSandboxMapping", user="bob") is None
    assert root.kind("deleteSandboxMapping", user="bob") == "NotFound"
    assert names(bob.later("lsRoots")) == ["/"]


def test_what_belongs_to_others(site: JetStream, ann: Api) -> None:
    site.write("/own/a")
    bob, eve = Api(site, "bob"), Api(site, "eve")
    id = bob.manifest_of({"/a": "/own/a"})["manifestId"]
    for call in ("getManifest", "deleteManifest", "getManifestFiles", "createSharedToken"):
        assert ann.kind("send." + call, manifestId=id) == "NotFound"
    assert ann.kind("send.updateObjectUserData", objectId=id, key="k", value=1) == "NotFound"
    assert eve.kind("superuser") == "PermissionDenied"
    assert eve.kind("wrangler") == "PermissionDenied"
    assert eve.kind("addWranglerAsync", user="eve") == "PermissionDenied"
    ann("superuser")
    assert ann("send.getManifest", manifestId=id)["owner"] == "bob"
    assert ann.later("addWrangler", group="staff") is None
    assert ann("getWranglers") == [{"group": "staff"}]
    assert eve("wrangler") is None
    assert id in [one["manifestId"] for one in eve("send.getManifests")]
    assert eve.kind("getWranglers") == "PermissionDenied"
    assert eve("send.deleteManifest", manifestId=id) is None
    assert bob.kind("send.getManifest", manifestId=id) == "NotFound"
    assert ann("deleteWrangler", group="staff") is None
    assert ann.kind("deleteWrangler", group="staff") == "NotFound"
    assert ann.later_kind("addWrangler", user="bob", group="staff") == "InvalidParams"


def test_shared_tokens(server: LocalServer, site: JetStream, ann: Api) -> None:
    site.write("/share/a", b"shared")
    other = ann.manifest_of({"/b": "/share/a"})["manifestId"]
    id = ann.manifest_of({"/a": "/share/a"})["manifestId"]
    to = ann.destination(server.jetstream_peer)
    made = ann("send.createSharedToken", manifestId=id, description="d", downloadLimit=1, password="pass")
    token = made["token"]
    assert len(token.split(".")) == 3
    assert token == token.upper()
    assert made == {
        "token": token, "description": "d", "creationTime": made["creationTime"], "expiryTime": None,
        "passwordRequired": True, "permissions": [], "owner": "ann", "ownerToken": None,
        "ownerTokenSession": None, "userData": {}, "manifestId": id, "downloadCount": 0, "downloadLimit": 1,
    }  # fmt: skip
    guest = Api(site)
    assert guest.kind("authToken", token=token) == "AuthenticationFailed"
    assert guest.kind("authToken", token=token, password="wrong") == "AuthenticationFailed"
    assert guest.kind("authToken", token="A.B.C") == "AuthenticationFailed"
    assert guest("authToken", token=token, password="pass") is None
    [shown] = guest("send.getManifests")
    assert (shown["manifestId"], shown["owner"], shown["totalSize"]) == (id, "", 6)
    assert guest("send.getDestinations") == []
    assert guest.kind("send.getManifest", manifestId=other) == "NotFound"
    assert guest.kind("send.deleteManifest", manifestId=id) == "PermissionDenied"
    for method, params in (
        ("lsAsync", {"path": "/"}),
        ("send.createManifest", {"mappings": {"/a": "/share/a"}}),
        ("send.createSharedToken", {"manifestId": id}),
        ("superuser", {}),
        ("createAPIToken", {}),
    ):
        assert guest.kind(method, **params) == "PermissionDenied", method
    assert guest.kind("send.createTransfer", destinationId=to, manifestId=id) == "NotFound"
    own = guest.destination(server.jetstream_peer)
    sent = guest("send.createTransfer", destinationId=own, manifestId=id, destinationPath="/guest")
    assert (sent["owner"], sent["ownerToken"]) == ("", token)
    assert guest("send.waitForTransfer", transferId=sent["transferId"])["status"] == "complete"
    assert server.jetstream_peer.read("/guest/a") == b"shared"
    assert ann("send.getSharedToken", token=token)["downloadCount"] == 1
    assert ann.kind("send.getTransfer", transferId=sent["transferId"]) == "NotFound"
    assert guest.kind("send.createTransfer", destinationId=own, manifestId=id) == "AuthenticationFailed"
    assert Api(site).kind("authToken", token=token, password="pass") == "AuthenticationFailed"
    assert token in [one["token"] for one in ann("send.getSharedTokens")]
    assert ann("send.deleteSharedToken", token=token) is None
    assert ann.kind("send.getSharedToken", token=token) == "NotFound"
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
    id = ann.manifest_of({"/a": "/exp/a"})["manifestId"]
    soon = int((time.time() + 60) * 1e6)
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
    site.configure(clock_offset=0.0, allow_shared_tokens=False)
    assert ann.kind("send.createSharedToken", manifestId=id) == "PermissionDenied"


def test_api_tokens(site: JetStream, ann: Api) -> None:
    site.write("/bound/in/a", b"abc")
    site.write("/bound/out/b", b"abcd")
    theirs = ann.manifest_of({"/b": "/bound/out/b"})["manifestId"]
    whole = ann("createAPIToken", description="all")
    assert whole["path"] is None
    agent = Api(site)
    assert agent("authToken", token=whole["token"]) is None
    assert agent("send.getManifest", manifestId=theirs)["owner"] == "ann"
    assert agent.later("mkdir", path="/bound/agent") is None
    assert agent.kind("createAPIToken") == "PermissionDenied"
    assert agent.kind("superuser") == "PermissionDenied"
    made = ann("createAPIToken", permissions=["download"], path="/bound/in", password="p")
    assert (made["permissions"], made["path"], made["passwordRequired"]) == (["download"], "/bound/in", True)
    narrow = Api(site)
    assert narrow("authToken", token=made["token"], password="p") is None
    assert names(narrow.later("lsRoots")) == ["/bound/in"]
    assert names(narrow.later("ls", path="/bound/in")) == ["/bound/in/a"]
    assert narrow.later_kind("ls", path="/bound/out") == "NotFound"
    assert narrow.later_kind("ls", path="/") == "NotFound"
    assert narrow.kind("send.getManifest", manifestId=theirs) == "NotFound"
    assert narrow.kind("mkdirAsync", path="/bound/in/x") == "PermissionDenied"
    assert narrow.manifest_of({"/b": "/bound/out/b"})["status"] == "error"
    mine = narrow.manifest_of({"/a": "/bound/in/a"})
    assert (mine["status"], mine["owner"], mine["ownerToken"]) == ("complete", "ann", made["token"])
    assert mine["ownerTokenSession"]
    assert narrow.kind("send.createSharedToken", manifestId=mine["manifestId"]) == "PermissionDenied"
    assert ann.kind("createAPIToken", permissions=["fly"]) == "InvalidParams"
    assert {one["token"] for one in ann("getAPITokens")} == {whole["token"], made["token"]}
    assert ann("getAPIToken", token=made["token"]) == made
    assert ann.kind("send.getSharedToken", token=made["token"]) == "NotFound"
    for one in (whole, made):
        assert ann("deleteAPIToken", token=one["token"]) is None
    assert narrow.kind("send.getManifests") == "NotAuthenticated"
    site.configure(allow_api_tokens=False)
    assert ann.kind("createAPIToken") == "PermissionDenied"


def test_without_login(site: JetStream) -> None:
    site.write("/free/a")
    site.configure(auth_required=False)
    api = Api(site)
    assert api("getServerInfo")["authRequired"] is False
    made = api.manifest_of({"/a": "/free/a"})
    assert (made["status"], made["owner"]) == ("complete", "")
    assert api.kind("superuser") == "PermissionDenied"
    site.configure(auth_required=True)
    assert api.kind("send.getManifests") == "NotAuthenticated"
