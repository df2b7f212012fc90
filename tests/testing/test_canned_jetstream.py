"""The canned answers of JetStream: the client's methods accept them as the server's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Set

import pytest
import responses

from smartxfer import JetStream, RetryPolicy, errors
from smartxfer.jetstream import API, Manifest, Request, Status, Transfer
from smartxfer.jetstream.errors import ERRORS
from smartxfer.testing import canned

FACTS = canned.load("call", mock=responses.RequestsMock(), service="jetstream").facts
MAPPINGS, PATH, TOKEN = FACTS["mappings"], FACTS["path"], FACTS["token"]
MANIFEST, DESTINATION, TRANSFER = FACTS["manifestId"], FACTS["destinationId"], FACTS["transferId"]

#: How the methods are called that take something.
TAKE: Dict[str, Callable[[API], Any]] = {
    "call": lambda a: a.call("send.getManifest", manifestId=MANIFEST),
    "send_files": lambda a: a.send_files(PATH, "files.example.net"),
    "share": lambda a: a.share(PATH),
    "login_token": lambda a: a.login_token(TOKEN),
    "list": lambda a: a.list("/local/home"),
    "ls": lambda a: a.ls("/local/home"),
    "du": lambda a: a.du(PATH),
    "mkdir": lambda a: a.mkdir("/x"),
    "mkfile": lambda a: a.mkfile("/x"),
    "mv": lambda a: a.mv("/x", "/y"),
    "remove": lambda a: a.remove("/x"),
    "rm": lambda a: a.rm("/x"),
    "wait_all": lambda a: a.wait_all([Manifest(manifest_id=MANIFEST), Transfer(transfer_id=TRANSFER)]),
    "server.auth": lambda a: a.server.auth("jsmith", "secret"),
    "server.authAsync": lambda a: a.server.authAsync("jsmith", "secret"),
    "server.authToken": lambda a: a.server.authToken(TOKEN),
    "server.getRequestStatus": lambda a: a.server.getRequestStatus(1),
    "server.getRequestResult": lambda a: a.server.getRequestResult(10**9),
    "server.echo": lambda a: a.server.echo("ACGT"),
    "server.sleep": lambda a: a.server.sleep(1),
    "server.getAPIToken": lambda a: a.server.getAPIToken(FACTS["api_token"]),
    "server.deleteAPIToken": lambda a: a.server.deleteAPIToken(FACTS["api_token"]),
    "server.mvAsync": lambda a: a.server.mvAsync("/x", "/y"),
    "send.createManifest": lambda a: a.send.createManifest(MAPPINGS),
    "send.createDestination": lambda a: a.send.createDestination("files.example.net"),
    "send.createTransfer": lambda a: a.send.createTransfer(DESTINATION, MANIFEST),
    "send.failTransfer": lambda a: a.send.failTransfer(TRANSFER, "enough"),
    "send.getSharedToken": lambda a: a.send.getSharedToken(TOKEN),
    "send.getConnection": lambda a: a.send.getConnection(FACTS["connectionId"]),
    "send.updateObjectUserData": lambda a: a.send.updateObjectUserData(MANIFEST, "key", 1),
    "send.deleteObjectUserData": lambda a: a.send.deleteObjectUserData(MANIFEST, "key"),
    "recv.addAuthorizedClientAsync": lambda a: a.recv.addAuthorizedClientAsync("key"),
    "recv.removeAuthorizedClientAsync": lambda a: a.recv.removeAuthorizedClientAsync("key"),
    "recv.allowOnlyAuthorizedClientsAsync": lambda a: a.recv.allowOnlyAuthorizedClientsAsync(True),
}
#: What the others of a kind take, by the end of their name.
ENDS: Dict[str, Any] = {
    "Manifest": MANIFEST, "ManifestFiles": MANIFEST, "Destination": DESTINATION, "Transfer": TRANSFER,
    "SharedToken": MANIFEST, "lsAsync": "/local/home", "lsListAsync": "/local/home", "duAsync": PATH,
    "mkdirAsync": "/x", "mkFileAsync": "/x", "rmAsync": "/x",
}
#: What some answers say of the canned server.
SAYS: Dict[str, Callable[[Any], bool]] = {
    "call": lambda got: bool(got["manifestId"] == MANIFEST),
    "send_files": lambda got: (got.transfer_id, got.status, got.fraction) == (TRANSFER, "complete", 1.0),
    "share": lambda got: got.link == f"jetstream://files.example.org/download?token={TOKEN}",
    "list": lambda got: [entry["path"] for entry in got] == [PATH],
    "ls": lambda got: [entry["path"] for entry in got] == [PATH],
    "du": lambda got: bool(got == FACTS["size"]),
    "ls_roots": lambda got: [entry["path"] for entry in got] == ["/"],
    "sources": lambda got: got[0].active_transfer_count == 1,
    "receiving": lambda got: bool(got[0].status == "receiving"),
    "wait_all": lambda got: [task.status for task in got] == [Status.COMPLETE] * 2,
    "server.echo": lambda got: bool(got == "ACGT"),
    "server.getServerInfo": lambda got: (got.api_version, got.auth_required) == (44, False),
    "server.lsAsync": lambda got: isinstance(got, Request),
    "server.getRequestStatus": lambda got: (got.request_id, got.status) == (1, "complete"),
    "send.createManifest": lambda got: (got.manifest_id, got.processing) == (MANIFEST, True),
    "send.getManifestFiles": lambda got: bool(got == MAPPINGS),
    "send.waitForTransfer": lambda got: got.total_bytes == FACTS["size"],
    "send.createTransfer": lambda got: (got.transfer_id, got.status) == (TRANSFER, "pending"),
    "send.createSharedToken": lambda got: bool(got.token == TOKEN),
    "server.getAPITokens": lambda got: [token.token for token in got] == [FACTS["api_token"]],
}


def call(api: API, name: str) -> Any:
    """Call a method with what it takes."""
    if name in TAKE:
        return TAKE[name](api)
    method: Any = api
    for word in name.split("."):
        method = getattr(method, word)
    last = name.rpartition(".")[2]
    ends = [end for end in ENDS if last.endswith(end)]
    return method(ENDS[max(ends, key=len)]) if ends else method()


def methods(api: API) -> Set[str]:
    """Every method of the three interfaces, and the connection's own."""
    own = vars(type(api)).items()
    found = {name for name, value in own if not name.startswith("_") and not isinstance(value, property)}
    for interface in ("server", "send", "recv"):
        part = getattr(api, interface)
        found |= {f"{interface}.{name}" for name in vars(type(part)) if not name.startswith("_")}
    return found - {"from_uri", "disconnect", "close"}


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as active:
        yield active


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[API]:
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path))
    made = JetStream().api(canned.JETSTREAM_URL, retry=RetryPolicy(attempts=1))
    yield made
    made.session.close()


def test_every_case_is_called_here(api: API) -> None:
    cases = {(name, case) for name in methods(api) for case in ("default", "failure")}
    assert set(canned.JETSTREAM_CASES) == cases | {("send_files", "suspended")}
    assert set(TAKE) | set(SAYS) <= methods(api)


@pytest.mark.parametrize("method", sorted({name for name, _ in canned.JETSTREAM_CASES}))
def test_default_and_failure(mock: responses.RequestsMock, api: API, method: str) -> None:
    case = canned.load(method, mock=mock, service="jetstream")
    assert (case.expected, case.base_url) == (None, canned.JETSTREAM_URL)
    got = call(api, method)
    assert SAYS.get(method, lambda got: True)(got)
    api.disconnect()
    mock.reset()
    case = canned.load(method, "failure", mock=mock, service="jetstream")
    assert case.expected is not None
    with pytest.raises(getattr(errors, case.expected)) as raised:
        call(api, method)
    assert type(raised.value) is ERRORS.class_for(getattr(errors, case.expected))


def test_a_suspended_transfer_is_no_success(mock: responses.RequestsMock, api: API) -> None:
    canned.load("send_files", "suspended", mock=mock, service="jetstream")
    with pytest.raises(errors.TaskSuspended) as raised:
        call(api, "send_files")
    assert (raised.value.task.transfer_id, raised.value.task.fraction) == (TRANSFER, 0.4)


@responses.activate
def test_the_decorators_mock_the_method_itself_and_another_address() -> None:
    api = JetStream().api("files.example.com", 9000)
    assert api.base_url == "https://files.example.com:9000"
    case = canned.load(api.send.getManifests, base_url=api.base_url, service="jetstream")
    assert case.method == "send.getManifests"
    assert [manifest.manifest_id for manifest in api.send.getManifests()] == [MANIFEST]
    assert responses.calls[-1].request.url == f"{api.base_url}/jsonrpc"


@pytest.mark.parametrize(("method", "case"), [("createManifest", "default"), ("send_files", "maybe")])
def test_no_such_case(method: str, case: str) -> None:
    with pytest.raises(errors.UsageError, match="no canned"):
        canned.load(method, case, service="jetstream")


def test_canned_answers_know_what_the_local_server_says(api: API, mock: responses.RequestsMock) -> None:
    """The shapes of the answers are the same as the local server's."""
    from smartxfer.local import LocalServer

    def answers(of: API, path: str, host: str, port: int) -> Dict[str, Any]:
        manifest = of.send.createManifest({"/to.txt": path})
        done = of.send.waitForManifest(manifest)
        destination = of.send.createDestination(host, port)
        transfer = of.send.createTransfer(destination, done)
        request = of.server.lsAsync("/")
        found = {
            "info": of.call("getServerInfo"), "manifest": dict(manifest), "complete": dict(done),
            "destination": dict(destination), "connection": of.call("send.getConnections")[0],
            "transfer": dict(transfer), "ended": dict(of.send.waitForTransfer(transfer)),
            "shared": dict(of.send.createSharedToken(done)), "api": dict(of.server.createAPIToken()),
            "request": dict(request), "status": dict(request.status()), "entry": request.result()[0],
            "event": of.call("getEventLog")[0],
        }
        return {name: set(answer) for name, answer in found.items()}

    with LocalServer(services=["jetstream", "jetstream_peer"]) as server:
        near, far = server.jetstream, server.jetstream_peer
        near.write("/a.txt", b"a")
        mock.add_passthru(near.url)
        with JetStream().api(near.host, near.port, user=near.user, password=near.password) as real:
            theirs = answers(real, "/a.txt", far.host, far.port)
    canned.load("call", mock=mock, service="jetstream")
    assert answers(api, PATH, "files.example.net", 8886) == theirs
