"""Errors: each that is documented, against the running server; each code of the binding, from canned answers."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import re
import ssl
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, Type

import pytest
import requests
from responses import RequestsMock

from smartxfer import RetryPolicy, errors
from smartxfer.errors import (
    AuthError,
    BadRequest,
    Conflict,
    CredentialError,
    DecodeError,
    Forbidden,
    HTTPError,
    NotAnHTTPServer,
    NotFound,
    ServerError,
    TaskFailed,
    TLSError,
    Unsupported,
)
from smartxfer.jetstream import API, JetStream
from smartxfer.jetstream.errors import ERRORS
from tests.support.jetstream_servers import BOUND, USERS, JetStreamServers
from tests.support.raw_server import Peer, RawServer, Request, answering

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import trustme

URL = "http://127.0.0.1:1/jsonrpc"

#: code: (type, class, what the hint says)
CODES: Dict[int, Any] = {
    -32700: ("ParseError", BadRequest, "getServerInfo()"),
    -32600: ("InvalidRequest", BadRequest, "getServerInfo()"),
    -32601: ("MethodNotFound", Unsupported, "have the server updated"),
    -32602: ("InvalidParams", BadRequest, "check the names and values"),
    -32603: ("InternalError", ServerError, "run again"),
    -32001: ("NotAuthenticated", AuthError, "api.server.auth"),
    -32002: ("AuthenticationFailed", AuthError, "check user= and password="),
    -32003: ("PermissionDenied", Forbidden, "superuser()"),
    -32004: ("NotFound", NotFound, "api.ls(path)"),
    -32005: ("InvalidState", Conflict, "run again"),
    -32006: ("StillProcessing", Conflict, "timeout="),
    -32007: ("ApiVersion", Unsupported, "have the server updated"),
    -32008: ("NotLicensed", Forbidden, "licensed"),
    -31999: ("", ServerError, "run again"),
}


def said(result: Any) -> Any:
    """A reply with that result."""

    def reply(request: Request, peer: Peer) -> None:
        id = json.loads(request.body or b"{}").get("id")
        body = json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode()
        peer.answer(200, body, "Content-Type: application/json")

    return reply


class TestDocumented:
    """Section 6.2 of the reference, line by line."""

    def test_wrong_login(self, harness: JetStreamServers) -> None:
        api = harness.anonymous()
        for user, password in (("ann", "wrong-password"), ("unknown-user", USERS["ann"])):
            with pytest.raises(AuthError) as raised:
                api.server.auth(user, password)
            assert raised.value.code == "AuthenticationFailed"
            assert not isinstance(raised.value, Forbidden)
            assert password not in str(raised.value)

    def test_a_missing_login(self, harness: JetStreamServers) -> None:
        api = harness.anonymous()
        api.connect()
        assert api.server.getServerInfo().auth_required is True
        with pytest.raises(CredentialError, match="JETSTREAM_API_USER"):
            api.send.getManifests()

    def test_no_login_is_needed(self, harness: JetStreamServers) -> None:
        harness.near.configure(auth_required=False)
        with harness.anonymous() as api:
            assert api.server.getServerInfo().auth_required is False
            assert harness.manifest(api).status == "complete"

    @pytest.mark.parametrize(
        ("version", "call"),
        [
            (39, lambda api: api.mkfile("/x")),
            (39, lambda api: api.server.lsListAsync("/")),
            (33, lambda api: api.server.createAPIToken()),
            (26, lambda api: api.server.setLicenseKeyAsync(key="K-1")),
        ],
    )
    def test_a_method_newer_than_the_server_s_version(
        self, harness: JetStreamServers, root: API, version: int, call: Any
    ) -> None:
        harness.near.configure(api_version=version)
        assert root.server.getServerInfo().api_version == version
        with pytest.raises(Unsupported) as raised:
            call(root)
        assert (raised.value.code, raised.value.retryable) == ("ApiVersion", False)
        assert re.search(r"API version \d+", raised.value.message)

    def test_an_unknown_server_certificate(self, tmp_path: Path) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        pem = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(str(pem))
        with RawServer(answering(said("")), tls=tls) as server:
            options = {"retry": RetryPolicy(attempts=1, backoff=0)}
            with pytest.raises(TLSError) as raised:
                JetStream().api(f"https://127.0.0.1:{server.port}", **options).connect()
            assert server.requests == []
            assert "verify=" in str(raised.value)
            trusting = JetStream().api(f"https://127.0.0.1:{server.port}", verify=str(pem), **options)
            assert trusting.server.echo("") == ""
            trusting.close()

    def test_a_failed_manifest_is_data_with_its_reason(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createManifest({"/in/a": "/out/missing"})
        ended = api.send.waitForManifest(made, timeout=BOUND)
        assert (ended.status, ended.processing) == ("error", False)
        assert "/out/missing" in (ended.error_message or "")

    def test_a_failed_transfer_is_data_with_its_reason(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api, "/out/a.txt")
        harness.near.write("/out/a.txt", b"changed meanwhile")
        made = api.send.createTransfer(harness.destination(api), manifest)
        ended = api.send.waitForTransfer(made, timeout=BOUND)
        assert (ended.status, ended.processing) == ("error", False)
        assert "/out/a.txt" in (ended.error_message or "")

    def test_a_transfer_of_a_manifest_that_is_not_complete(self, harness: JetStreamServers, api: API) -> None:
        harness.near.configure(manifest_delay=5.0)
        harness.near.write("/out/a.txt", b"a")
        pending = api.send.createManifest({"/in/a": "/out/a.txt"})
        destination = harness.destination(api)
        with pytest.raises(Conflict) as raised:
            api.send.createTransfer(destination, pending)
        assert raised.value.code == "InvalidState"
        assert "not complete" in raised.value.message
        api.send.deleteManifest(pending)

    def test_no_licence_no_transfers(self, harness: JetStreamServers) -> None:
        api = harness.api("bob")
        manifest, destination = harness.manifest(api), harness.destination(api)
        harness.near.configure(licensed=False)
        with pytest.raises(Forbidden) as raised:
            api.send.createTransfer(destination, manifest)
        assert raised.value.code == "NotLicensed"

    def test_what_others_own_is_not_there(self, harness: JetStreamServers, api: API) -> None:
        manifest, destination = harness.manifest(api), harness.destination(api)
        transfer = api.send.createTransfer(destination, manifest)
        token = api.send.createSharedToken(manifest)
        other = harness.api("bob")
        assert [one for one in other.send.getManifests() if one.owner == "ann"] == []
        send = other.send
        for call, thing in (
            (send.getManifest, manifest),
            (send.deleteManifest, manifest),
            (send.getManifestFiles, manifest),
            (send.createSharedToken, manifest),
            (send.getDestination, destination),
            (send.getTransfer, transfer),
            (send.suspendTransfer, transfer),
            (send.getSharedToken, token),
        ):
            with pytest.raises(NotFound) as raised:
                call(thing)
            assert raised.value.code == "NotFound"

    def test_an_expired_token(self, harness: JetStreamServers, api: API) -> None:
        token = api.send.createSharedToken(harness.manifest(api), expiryTime=dt.timedelta(hours=1))
        guest = harness.anonymous()
        guest.login_token(token)
        harness.near.configure(clock_offset=3700.0)
        with pytest.raises(AuthError) as raised:
            harness.anonymous().login_token(token)
        assert (raised.value.code, "expired" in raised.value.message) == ("AuthenticationFailed", True)
        with pytest.raises(AuthError):
            guest.send.getManifests()

    def test_a_token_whose_downloads_are_used_up(self, harness: JetStreamServers, api: API) -> None:
        manifest = harness.manifest(api)
        token = api.send.createSharedToken(manifest, downloadLimit=1)
        guest = harness.anonymous()
        guest.login_token(token)
        destination = harness.destination(guest)
        guest.send.createTransfer(destination, manifest)
        with pytest.raises(AuthError) as raised:
            guest.send.createTransfer(destination, manifest)
        assert "used up" in raised.value.message
        with pytest.raises(AuthError, match="used up"):
            harness.anonymous().login_token(token)

    def test_methods_for_superusers(self, api: API) -> None:
        with pytest.raises(Forbidden, match="superuser") as raised:
            api.recv.getSourcesAsync()
        assert raised.value.code == "PermissionDenied"


class TestStates:
    def test_what_is_not_suspended_is_not_resumed(self, harness: JetStreamServers, api: API) -> None:
        made = api.send.createTransfer(harness.destination(api), harness.manifest(api))
        api.send.waitForTransfer(made, timeout=BOUND)
        for call in (
            api.send.resumeTransfer,
            api.send.suspendTransfer,
            lambda made: api.send.failTransfer(made, "x"),
        ):
            with pytest.raises(Conflict) as raised:
                call(made)
            assert raised.value.code == "InvalidState"

    def test_unknown_methods_and_parameters(self, harness: JetStreamServers, api: API) -> None:
        with pytest.raises(Unsupported) as unknown:
            api.call("send.createWormhole")
        assert unknown.value.code == "MethodNotFound"
        with pytest.raises(BadRequest, match="speed") as wrong:
            api.send.createManifest({"/a": "/b"}, extra={"speed": 9})
        assert wrong.value.code == "InvalidParams"


@pytest.fixture
def mock() -> Iterator[RequestsMock]:
    """Answers; one that is not asked for fails the test."""
    with RequestsMock() as active:
        yield active


@pytest.fixture
def canned() -> Iterator[API]:
    """A connection to a server of canned answers."""
    api = JetStream().api("127.0.0.1", 1, retry=RetryPolicy(attempts=1, backoff=0))
    yield api
    api._reset_session()
    api.close()


def failing(mock: RequestsMock, error: Any) -> None:
    def answer(request: requests.PreparedRequest) -> Any:
        call = json.loads(request.body or "")
        reply: Dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"], "error": error}
        return 200, {"Content-Type": "application/json"}, json.dumps(reply)

    mock.add_callback("POST", URL, callback=answer)


@pytest.mark.parametrize("code", CODES)
def test_each_code(mock: RequestsMock, canned: API, code: int) -> None:
    name, kind, hint = CODES[code]
    failing(mock, {"code": code, "message": "it is  so\n and so", "data": {"type": name} if name else None})
    with pytest.raises(HTTPError) as raised:
        canned.server.echo("x")
    error = raised.value
    assert type(error) is ERRORS.class_for(kind)
    assert (error.code, error.message) == (name or str(code), "it is so and so")
    assert (error.status, error.method, error.url) == (200, "POST", URL)
    method = "getServerInfo" if code == -32001 else "echo"  # after which a new session is opened
    assert str(error).startswith(f"{method}: {name or code}: it is so and so")
    assert hint in error.hint
    assert bool(error.hint) == bool(hint) or type(error).hint
    assert error.retryable is False
    assert error.details["code"] == code
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"code": -32004}, NotFound, "NotFound"),
        ({"code": -32004, "message": None, "data": "text"}, NotFound, "NotFound"),
        ({"code": -32004, "message": 5, "data": {"type": 7}}, NotFound, "NotFound"),
        ({"code": -32004, "data": {"type": "Missing"}}, NotFound, "Missing"),
    ],
)
def test_an_error_that_says_little(
    mock: RequestsMock, canned: API, error: Any, kind: Type[HTTPError], code: str
) -> None:
    failing(mock, error)
    with pytest.raises(kind) as raised:
        canned.server.echo("x")
    assert raised.value.code == code


@pytest.mark.parametrize("error", [{}, [], "wrong", 5, {"code": "x"}, {"code": True}, {"message": "no code"}])
def test_an_error_without_a_code(mock: RequestsMock, canned: API, error: Any) -> None:
    failing(mock, error)
    with pytest.raises(DecodeError):
        canned.server.echo("x")


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"jsonrpc": "2.0", "result": "x"},
        {"jsonrpc": "2.0", "id": "another", "result": "x"},
        [],
        "x",
        None,
    ],
)
def test_an_answer_to_another_call(mock: RequestsMock, canned: API, reply: Any) -> None:
    mock.add("POST", URL, json=reply)
    with pytest.raises(DecodeError):
        canned.server.echo("x")


def test_params_that_json_cannot_say(canned: API) -> None:
    endless: list = []  # type: ignore[type-arg]
    endless.append(endless)
    for value in (float("nan"), object(), {1, 2}, b"x", endless):
        with pytest.raises(errors.UsageError, match="not JSON serializable"):
            canned.call("echo", text=value)


class TestBarePort:
    """A port that does not speak HTTP: the error explains it and has a hint."""

    def refused(self, port: int, kind: Type[BaseException]) -> str:
        api = JetStream().api("127.0.0.1", port, retry=RetryPolicy(attempts=1, backoff=0), timeout=(5, 0.2))
        with pytest.raises(kind) as raised:
            api.connect()
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None
        for word in ("8886", "smartxfer serve", "smartxfer jetstream-bridge"):
            assert word in str(raised.value)
        return str(raised.value)

    @pytest.mark.parametrize(
        "greeting", [b"\x00\x00\x00\x10JETSTREAM\r\n", b"220 ready\r\n\r\n", b"\x16\x03\x03\x00\n"]
    )
    def test_it_answers_something_else(self, greeting: bytes) -> None:
        def greet(peer: Peer) -> None:
            peer.head()
            peer.send(greeting)

        with RawServer(greet) as server:
            self.refused(server.port, NotAnHTTPServer)

    def test_it_says_nothing(self) -> None:
        def silent(peer: Peer) -> None:
            peer.request()
            peer.hang()

        with RawServer(silent) as server:
            self.refused(server.port, errors.ReadTimeout)
        assert server.connections == 1

    def test_it_hangs_up(self) -> None:
        with RawServer(lambda peer: peer.close()) as server:
            self.refused(server.port, errors.NetworkError)

    def test_it_is_another_http_server(self) -> None:
        with RawServer(answering(lambda request, peer: peer.answer(404, b"no such page"))) as server:
            self.refused(server.port, NotFound)


def test_a_failure_carries_its_structure(harness: JetStreamServers, api: API) -> None:
    with pytest.raises(TaskFailed) as raised:
        api.send_files("/nowhere", (harness.far.host, harness.far.port), timeout=BOUND)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.task.status, again.task["status"]) == ("error", "error")
    assert "/nowhere" in str(again)
