"""Canned responses have the keys of the local server's responses."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
import responses

from smartxfer import BasicClient, FileSenderClient, PerseusClient, RepositoryClient
from smartxfer.jetstream import API
from smartxfer.local import LocalServer
from smartxfer.testing import canned
from tests.support.canned_calls import TABLES, filesender, jetstream, nrp, perseus, smartfile

#: The local server; None if the responses are canned.
Server = Optional[LocalServer]


def _filesender(of: FileSenderClient, server: Server) -> Dict[str, Any]:
    recipients: Any = {"recipients": [filesender.BOB]}
    id_ = of.upload_workflow([("report.csv", b"x")], recipients).id if server else 42
    transfer: Any = of.transfers.get(id_)
    [file], [recipient] = transfer["files"], transfer["recipients"]
    return {"transfer": transfer, "file": file, "recipient": recipient, "guest": of.create_guest(filesender.GUEST)}


def _smartfile(of: BasicClient, server: Server) -> Dict[str, Any]:
    path = smartfile.PATH
    if server:
        of.mkdir("/docs")
    of.upload(("report.csv", smartfile.CONTENT), "/docs/")
    task = of.post("/path/oper/checksum/", path=path, algorithm="MD5")
    return {
        "info": of.get("/path/info", path), "child": of.get("/path/info", "/docs", children=True)["children"][0],
        "task": of.wait(task), "link": of.create_link(path), "digest": {of.checksum(path)},
    }


def _nrp(of: RepositoryClient, server: Server) -> Dict[str, Any]:
    """Return the answers from the creation of a draft with a file to its publication."""
    draft = of.records.create({"metadata": nrp.FACTS["metadata"]})
    file = of.files.upload(draft, nrp.KEY, {"description": "new"}, nrp.CONTENT)
    listed = of.get(f"records/{draft.id}/draft/files")
    record = of.records.publish(draft)
    page = of.get("user/records")
    return {
        "info": of.repository, "draft": draft, "draft's links": draft["links"],
        "draft's access": draft["access"], "file": file, "file's links": file["links"], "list": listed,
        "list's links": listed["links"], "list's entry": listed["entries"][0], "record": record,
        "record's links": record["links"], "page": page, "page's hits": page["hits"],
        "published file": of.files.list(record)[0],
    }


def _perseus(of: PerseusClient, server: Server) -> Dict[str, Any]:
    created = of.post("file", name="new.txt", sourceHash=perseus.NEW_HASH)
    asked = of.post("file/find", ids=[created["file"]["id"]])
    return {"created": created, "file": created["file"], "asked": asked, "asked's": asked["files"][0]}


def _jetstream(of: API, server: Server) -> Dict[str, Any]:
    path, peer = jetstream.PATH, (jetstream.HOST, 8886)
    if server:
        path, peer = "/a.txt", (server.jetstream_peer.host, server.jetstream_peer.port)
        server.jetstream.write(path, b"a")
    manifest = of.send.createManifest({"/to.txt": path})
    done = of.send.waitForManifest(manifest)
    destination = of.send.createDestination(*peer)
    transfer, request = of.send.createTransfer(destination, done), of.server.lsAsync("/")
    return {
        "info": of.call("getServerInfo"), "manifest": manifest, "complete": done, "destination": destination,
        "connection": of.call("send.getConnections")[0], "transfer": transfer,
        "ended": of.send.waitForTransfer(transfer), "shared": of.send.createSharedToken(done),
        "api": of.server.createAPIToken(), "request": request, "status": request.status(),
        "entry": request.result()[0], "event": of.call("getEventLog")[0],
    }


#: By service: the class of its client, what is compared, and the canned methods that are needed for that.
SHAPES: Dict[str, Tuple[Any, Callable[..., Dict[str, Any]], List[str]]] = {
    "filesender": (FileSenderClient, _filesender, ["transfers.get", "create_guest"]),
    "smartfile": (BasicClient, _smartfile, ["upload", "stat", "create_link"]),
    "nrp": (RepositoryClient, _nrp, ["files.upload"]),
    "perseus": (PerseusClient, _perseus, ["post"]),
    "jetstream": (API, _jetstream, ["call"]),
}
#: Of NRP's canned responses, those with all keys of the local server's; the others lack some.
COMPLETE = {"file", "file's links", "list", "list's links", "list's entry"}


@pytest.mark.parametrize("name", SHAPES)
def test_canned_answers_know_what_the_local_server_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, answers, methods = SHAPES[name]
    with LocalServer(services=[one for one in (name, "jetstream_peer") if one.startswith(name)]) as server:
        for variable, value in server.env.items():
            monkeypatch.setenv(variable, value)
        with kind.from_environment() as client:
            theirs = answers(client, server)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock, TABLES[name].client() as client:
        for method in methods:
            canned.load(method, mock=mock, service=name)
        ours = answers(client, None)
    for what, answer in ours.items():
        assert set(answer) <= set(theirs[what]), what
        assert set(answer) == set(theirs[what]) or (name == "nrp" and what not in COMPLETE), what
