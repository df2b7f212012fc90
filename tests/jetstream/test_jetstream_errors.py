"""Errors: each that is documented, against the running server; each code of the binding, from canned answers."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from typing import Any, Dict, Iterator, Type

import pytest
import requests
from responses import RequestsMock

from smartxfer import RetryPolicy, errors
from smartxfer.errors import (
    AuthError,
    BadRequest,
    Conflict,
    DecodeError,
    Forbidden,
    HTTPError,
    NotFound,
    ServerError,
    TaskFailed,
    Unsupported,
)
from smartxfer.jetstream import API, JetStream
from smartxfer.jetstream.errors import ERRORS
from tests.support.jetstream_servers import BOUND, USERS, JetStreamServers

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


def _pending(harness: JetStreamServers, api: API) -> Any:
    harness.near.configure(manifest_delay=5.0)
    harness.near.write("/out/a.txt", b"a")
    return harness.destination(api), api.send.createManifest({"/in/a": "/out/a.txt"})


def _unlicensed(harness: JetStreamServers, api: API) -> Any:
    ready = harness.destination(api), harness.manifest(api)
    harness.near.configure(licensed=False)
    return ready


def _token(harness: JetStreamServers, api: API, **limits: Any) -> Any:
    return api.send.createSharedToken(harness.manifest(api), **limits)


def _expired(harness: JetStreamServers, api: API) -> Any:
    token = _token(harness, api, expiryTime=dt.timedelta(hours=1))
    harness.near.configure(clock_offset=3700.0)
    return token


def _used_up(harness: JetStreamServers, api: API) -> Any:
    token = _token(harness, api, downloadLimit=1)
    guest = harness.anonymous()
    guest.login_token(token)
    guest.send.createTransfer(harness.destination(guest), token.manifest_id)
    return token


def _older(harness: JetStreamServers, version: int) -> API:
    harness.near.configure(api_version=version)
    return harness.api()


def _complete(harness: JetStreamServers, api: API) -> Any:
    made = api.send.createTransfer(harness.destination(api), harness.manifest(api))
    return api.send.waitForTransfer(made, timeout=BOUND)


#: Section 6.2 of the reference, line by line: (call, code, words of the message)
DOCUMENTED: Dict[str, Any] = {
    "wrong password": (lambda h, api: h.anonymous().server.auth("ann", "wrong"), "AuthenticationFailed", ""),
    "unknown user": (lambda h, api: h.anonymous().server.auth("eve", USERS["ann"]), "AuthenticationFailed", ""),
    "newer method": (lambda h, api: _older(h, 39).mkfile("/x"), "ApiVersion", "API version 40"),
    "newer list": (lambda h, api: _older(h, 39).server.lsListAsync("/"), "ApiVersion", "API version 40"),
    "newer token": (lambda h, api: _older(h, 33).server.createAPIToken(), "ApiVersion", "API version 34"),
    "early transfer": (lambda h, api: api.send.createTransfer(*_pending(h, api)), "InvalidState", "not complete"),
    "no licence": (lambda h, api: api.send.createTransfer(*_unlicensed(h, api)), "NotLicensed", ""),
    "manifest of another": (lambda h, api: h.api("bob").send.getManifest(h.manifest(api)), "NotFound", ""),
    "destination of another": (lambda h, api: h.api("bob").send.getDestination(h.destination(api)), "NotFound", ""),
    "transfer of another": (lambda h, api: h.api("bob").send.suspendTransfer(_complete(h, api)), "NotFound", ""),
    "token of another": (lambda h, api: h.api("bob").send.getSharedToken(_token(h, api)), "NotFound", ""),
    "expired": (lambda h, api: h.anonymous().login_token(_expired(h, api)), "AuthenticationFailed", "expired"),
    "used up": (lambda h, api: h.anonymous().login_token(_used_up(h, api)), "AuthenticationFailed", "used up"),
    "superusers only": (lambda h, api: api.recv.getSourcesAsync(), "PermissionDenied", "superuser"),
    "not suspended": (lambda h, api: api.send.resumeTransfer(_complete(h, api)), "InvalidState", ""),
    "not active": (lambda h, api: api.send.suspendTransfer(_complete(h, api)), "InvalidState", ""),
    "over": (lambda h, api: api.send.failTransfer(_complete(h, api), "x"), "InvalidState", ""),
    "unknown method": (lambda h, api: api.call("send.createWormhole"), "MethodNotFound", ""),
    "unknown parameter": (lambda h, api: api.send.createManifest({"/a": "/b"}, extra={"speed": 9}), "InvalidParams", "speed"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_errors(harness: JetStreamServers, api: API, name: str) -> None:
    call, code, words = DOCUMENTED[name]
    [kind] = [kind for word, kind, _ in CODES.values() if word == code]
    with pytest.raises(kind) as raised:
        call(harness, api)
    assert (type(raised.value), raised.value.code) == (ERRORS.class_for(kind), code)
    assert (raised.value.retryable, words in raised.value.message) == (False, True)
    assert USERS["ann"] not in str(raised.value)


def test_a_failed_transfer_is_data_with_its_reason(harness: JetStreamServers, api: API) -> None:
    """A failed manifest too; see test_jetstream_seed.py."""
    manifest = harness.manifest(api, "/out/a.txt")
    harness.near.write("/out/a.txt", b"changed meanwhile")
    made = api.send.createTransfer(harness.destination(api), manifest)
    ended = api.send.waitForTransfer(made, timeout=BOUND)
    assert (ended.status, ended.processing, "/out/a.txt" in (ended.error_message or "")) == (
        "error",
        False,
        True,
    )


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
    assert (type(error), error.code) == (ERRORS.class_for(kind), name or str(code))
    assert (error.message, error.status, error.method, error.url) == ("it is so and so", 200, "POST", URL)
    method = "getServerInfo" if code == -32001 else "echo"  # after which a new session is opened
    assert str(error).startswith(f"{method}: {name or code}: it is so and so")
    assert (hint in error.hint, error.retryable, error.details["code"]) == (True, False, code)
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


def test_a_failure_carries_its_structure(harness: JetStreamServers, api: API) -> None:
    with pytest.raises(TaskFailed) as raised:
        api.send_files("/nowhere", (harness.far.host, harness.far.port), timeout=BOUND)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.task.status, again.task["status"]) == ("error", "error")
    assert "/nowhere" in str(again)
