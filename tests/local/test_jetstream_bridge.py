"""The bridge with a stand-in for the vendor's package, which is not publicly available."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator

import pytest
import requests

from smartxfer.errors import SmartxferError, UsageError
from smartxfer.jetstream import JetStream
from smartxfer.jetstream_bridge import Bridge
from smartxfer.jetstream_bridge.methods import METHODS
from tests.support.local.bridge_calls import Calls, Refused, stand_in
from tests.support.stopwatch import Stopwatch

package = stand_in()


@pytest.fixture(scope="module")
def running(package: Any) -> Iterator[Bridge]:
    with Bridge("transfer.example.org", 8886) as bridge:
        yield bridge
    assert bridge.listener.crashes == []
    assert not any(interface.connected for interface in package.INTERFACES)


@pytest.fixture
def bridge(running: Bridge, package: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    monkeypatch.setattr(package, "DELAY", 0.0)
    package.INTERFACES.clear()
    yield running
    package.REACHABLE.set()


@pytest.fixture
def call(bridge: Bridge) -> Iterator[Calls]:
    calls = Calls(bridge.url)
    yield calls
    calls.http.close()


def test_from_login_to_transfer(call: Calls, package: Any) -> None:
    info = call("getServerInfo")
    assert (info["authRequired"], info["apiControlPort"]) == (True, 8886)
    call.login()
    manifest = call("send.createManifest", mappings={"/out/a.txt": "/in/a.txt"}, userData={"k": "v"})
    assert manifest == {
        "manifestId": "2", "processing": False, "status": "complete", "totalFiles": 1, "userData": {"k": "v"},
    }  # fmt: skip
    assert call("send.waitForManifest", manifestId="2") == manifest
    assert call("send.getManifests") == [manifest]
    destination = call("send.createDestination", destinationAddress="far.example.org", sendRateMax=5)
    assert destination == {
        "destinationId": "42", "destinationAddress": "far.example.org", "destinationPort": 8886,
        "sendRateMax": 5,
    }  # fmt: skip
    transfer = call("send.createTransfer", manifestId="2", destinationId="42", destinationPath="/x")
    assert transfer == {
        "transferId": "17", "processing": False, "status": "complete", "destinationId": "42",
        "manifestId": "2", "priority": 100, "destinationPath": "/x",
    }  # fmt: skip
    assert call("send.waitForTransfer", transferId="17", timeoutSeconds=5) == transfer
    assert call("send.failTransfer", transferId="17", errorMessage="enough") is None
    assert call("send.getTransfer", transferId="17")["errorMessage"] == "enough"
    assert call("send.createSharedToken", manifestId="2", password="pass")["passwordRequired"] is True
    assert call("send.deleteManifest", manifestId="2") is None
    assert call("createAPIToken", path="/in")["path"] == "/in"
    assert call("echo", text="hear") == "hear"
    assert call("echo") == ""
    [interface] = package.INTERFACES
    assert (interface.address, interface.port) == ("transfer.example.org", 8886)


def test_requests(call: Calls) -> None:
    call.login()
    assert call("lsAsync", path="/in") == {"requestId": 1}
    status = call("getRequestStatus", requestId=1)
    assert status == {"errorMessage": "", "processing": False, "status": "complete"}
    assert call("getRequestResult", requestId=1) == [{"name": "a.txt", "path": "/in/a.txt"}]
    request = call("mvAsync", to="/b", **{"from": "/a"})
    assert call("getRequestResult", requestId=request["requestId"]) == {"moved": ["/a", "/b"]}
    sources = call("recv.getSourcesAsync")
    assert call("getRequestResult", requestId=sources["requestId"], timeoutSeconds=0) == []
    key = call("recv.addAuthorizedClientAsync", clientPublicKey="abc")
    assert call("getRequestResult", requestId=key["requestId"]) is None


def test_a_token_is_a_login(call: Calls) -> None:
    with pytest.raises(Refused, match=r"AuthenticationFailed: no such token: \*\*\*"):
        call("authToken", token="FOUR")
    assert call("authToken", token="ONE.TWO.THREE", password="pass") is None
    assert call("send.getManifests") == []


@pytest.mark.parametrize("wire", sorted(METHODS))
def test_every_method_calls_the_method_of_its_name(call: Calls, package: Any, wire: str) -> None:
    entry = METHODS[wire]
    interface = entry.interface.capitalize() + "Interface"
    if entry.name not in package.RECORDED_METHODS[interface].split():
        assert wire == "send.suspendTransfer" or hasattr(getattr(package, interface), entry.name)
        return
    params = {word.rstrip("?="): word for word in entry.parameters}
    named = {name: word for name, word in params.items() if word.endswith("=")}
    call.login()
    assert call(wire, **params, other=[1]) == {
        "name": entry.name, "args": [word for word in entry.parameters if not word.endswith("=")],
        "keywords": {**named, "other": [1]},
    }  # fmt: skip


def test_waits_end_in_time_and_leave_the_session_free(call: Calls, package: Any, monkeypatch: Any) -> None:
    call.login()
    monkeypatch.setattr(package, "DELAY", 0.6)
    call("send.createManifest", mappings={})
    call("send.createTransfer", destinationId="42", manifestId="2")
    request = call("lsAsync", path="/in")
    watch = Stopwatch()
    assert call("send.waitForManifest", timeoutSeconds=0.1, manifestId="2")["status"] == "pending"
    assert call("send.waitForTransfer", timeoutSeconds=0.1, transferId="17")["status"] == "pending"
    with pytest.raises(Refused, match="StillProcessing"):
        call("getRequestResult", timeoutSeconds=0.1, **request)
    assert watch.seconds() < 0.55
    with ThreadPoolExecutor(3) as pool:
        manifest = pool.submit(call, "send.waitForManifest", manifestId="2", timeoutSeconds=5)
        result = pool.submit(call, "getRequestResult", timeoutSeconds=5, **request)
        transfer = pool.submit(call, "send.waitForTransfer", transferId="17", timeoutSeconds=5)
        assert call("echo", text="meanwhile") == "meanwhile"
        assert manifest.result(10)["status"] == transfer.result(10)["status"] == "complete"
        assert result.result(10)[0]["name"] == "a.txt"


def test_calls_of_a_session_come_one_by_one(call: Calls, bridge: Bridge) -> None:
    call.login()
    other = Calls(bridge.url).login()
    with ThreadPoolExecutor(6) as pool:
        # The stand-in fails if an interface is called concurrently.
        mine = [pool.submit(call, "sleep", milliseconds=20) for _ in range(5)]
        watch = Stopwatch()
        theirs = pool.submit(other, "sleep", milliseconds=1)
        theirs.result(10)
        assert watch.seconds() < 5
        assert [one.result(10) for one in mine] == [None] * 5


def test_each_session_has_its_connection_until_it_ends(call: Calls, bridge: Bridge, package: Any) -> None:
    call.login()
    with pytest.raises(Refused, match="NotAuthenticated: authentication required"):
        Calls(bridge.url)("send.getManifests")
    connections = package.INTERFACES
    assert [interface.connected for interface in connections] == [True, True]
    assert call.http.delete(call.url, timeout=10).status_code == 204
    assert [interface.connected for interface in connections] == [False, True]


def test_wrong_logins(call: Calls) -> None:
    wrong = pytest.raises(Refused, match=r"^AuthenticationFailed: wrong login: ann, \*\*\*$")
    with wrong:
        call("auth", user="ann", password='wrong"\n')
    request = call("authAsync", user="ann", password="also wrong")
    with wrong:
        call("getRequestResult", **request)
    with pytest.raises(Refused, match="NotAuthenticated"):
        call("send.getManifests")
    assert call("getRequestResult", **call("authAsync", user="ann", password="s3cret")) is None
    assert call("send.getManifests") == []


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        (
            "send.suspendTransfer", {"transferId": "1"},
            "ApiVersion: the installed package has no send.suspendTransfer",
        ),
        ("send.noSuch", {}, "MethodNotFound: no such method: send.noSuch"),
        ("server.getServerInfo", {}, "MethodNotFound"),
        ("send.__init__", {}, "MethodNotFound"),
        ("auth", {"user": "ann"}, "InvalidParams: auth needs password"),
        ("send.createManifest", {"mappings": {}, "typo": 1}, "InvalidParams: .*typo"),
        ("send.waitForManifest", {"manifestId": "2", "typo": 1}, "InvalidParams: unknown parameter: typo"),
        ("send.waitForManifest", {}, "InvalidParams: manifestId is missing"),
        ("send.waitForTransfer", {"transferId": "1", "timeoutSeconds": "1"}, "InvalidParams: timeoutSeconds"),
        ("send.waitForTransfer", {"transferId": "1", "timeoutSeconds": -1}, "InvalidParams: timeoutSeconds"),
        ("send.getManifest", {"manifestId": "99"}, "InternalError: '99'"),
        ("superuser", {}, "InternalError: not allowed"),
        ("deleteWrangler", {"user": "bob"}, "^InternalError: KeyError: no wrangler bob$"),
    ],
)
def test_what_goes_wrong(call: Calls, method: str, params: Dict[str, Any], said: str) -> None:
    call.login()
    with pytest.raises(Refused, match=said):
        call(method, **params)
    assert call("echo", text="on") == "on"


def test_a_server_that_goes_away_and_comes_back(call: Calls, package: Any) -> None:
    call.login()
    package.REACHABLE.clear()
    with pytest.raises(Refused, match="InternalError: connection lost"):
        call("send.getManifests")
    with pytest.raises(Refused, match="NotAuthenticated"):
        call("send.getManifests")
    with pytest.raises(Refused, match="InternalError: cannot connect to the server: cannot connect"):
        call("auth", user="ann", password="s3cret")
    package.REACHABLE.set()
    with pytest.raises(Refused, match="NotAuthenticated"):
        call("send.getManifests")
    call.login()
    assert call("send.getManifests") == []
    assert package.INTERFACES[-1].called == ["auth", "getManifests"]


def test_a_server_that_is_not_there(package: Any) -> None:
    with Bridge("nowhere", 1) as bridge:
        call = Calls(bridge.url)
        words = "^InternalError: cannot connect to the server: cannot connect to nowhere:1$"
        with pytest.raises(Refused, match=words):
            call("getServerInfo")
        assert "JSSESSION" not in call.http.cookies


def test_a_page_in_a_browser_calls_nothing(bridge: Bridge, package: Any) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "getServerInfo"}
    headers = {"Origin": "http://rebound.example"}
    assert requests.post(bridge.url + "/jsonrpc", json=call, headers=headers, timeout=10).status_code == 403
    assert package.INTERFACES == []


def test_stopping_ends_waits_and_connections(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge("elsewhere").start()
    call = Calls(bridge.url).login()
    monkeypatch.setattr(package, "DELAY", 60.0)
    call("send.createManifest", mappings={})
    interface = package.INTERFACES[-1]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, "send.waitForManifest", manifestId="2")
        ends_at = time.monotonic() + 10
        while interface.called.count("getManifest") < 2 and time.monotonic() < ends_at:
            threading.Event().wait(0.01)
        watch = Stopwatch()
        bridge.stop()
        assert watch.seconds() < 5
        waiting.exception(10)  # a response, or the end of the connection
    assert not interface.connected


def test_environment_and_account(call: Calls, bridge: Bridge) -> None:
    port = str(bridge.listener.port)
    assert bridge.env == {"JETSTREAM_API_HOST": "127.0.0.1", "JETSTREAM_API_PORT": port}
    bridge.listener.clear_log()
    call.login()
    assert bridge.listener.requests == [("POST", "/jsonrpc/auth", 200)], "without parameters"


@pytest.mark.parametrize("listen", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_only_loopback_unless_asked(package: Any, listen: str) -> None:
    with pytest.raises(UsageError, match="not a loopback address"):
        Bridge(listen=listen)


def test_the_client_of_this_package_through_the_bridge(bridge: Bridge, package: Any) -> None:
    port = bridge.listener.port
    with JetStream().api("127.0.0.1", port, user="ann", password="s3cret") as api:
        manifest = api.send.createManifest(mappings={"/out/a.txt": "/in/a.txt"})
        assert api.send.waitForManifest(manifest)["status"] == "complete"
        destination = api.send.createDestination("far.example.org", destinationPort=8886)
        transfer = api.send.createTransfer(destination, manifest)
        assert api.send.waitForTransfer(transfer, timeout=5).status == "complete"
        assert api.server.lsAsync("/in").result(timeout=5)[0]["path"] == "/in/a.txt"
        package.REACHABLE.clear()
        with pytest.raises(SmartxferError, match="connection lost"):
            api.send.getManifests()
        package.REACHABLE.set()
        assert len(package.INTERFACES) == 1
        assert list(api.send.getManifests()) == []  # automatically logged in again, on a new connection
    assert len(package.INTERFACES) == 2
    assert not any(interface.connected for interface in package.INTERFACES)
