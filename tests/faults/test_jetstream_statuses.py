"""Servers of JetStream that are not there yet, break off, or say no or later: F01, F02, F08 to F11."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    Conflict,
    Forbidden,
    HTTPError,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    ServerError,
    Unsupported,
)
from smartxfer.jetstream import JetStream
from smartxfer.jetstream.errors import ERRORS as FAMILY
from smartxfer.local import LocalServer
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import waits
from tests.support.jetstream_harness import (
    ALL,
    DATA,
    ERRORS,
    INFO,
    JetStreamHarness,
    Polling,
    ReceivedCall,
    lying,
    on,
)
from tests.support.raw_server import refused_port

LIST = on("send.getTransfers")
CREATE = on("send.createManifest")
MAPPINGS = {"/a.bin": "/a.bin"}


SHARED = partial(JetStreamHarness, files={"/a.bin": DATA})


def made(harness: JetStreamHarness) -> int:
    """Return the number of manifests."""
    return len(harness.held("manifests"))


# -- F01, F02: no connection, or a broken one -----------------------------------------------------------------


class _Starting(Polling):
    """Starts a server while the client waits for the second time."""

    def __init__(self, port: int) -> None:
        super().__init__(wait2=self._start)
        self.port = port
        self.server: Any = None

    def _start(self) -> None:
        self.server = LocalServer(
            services=["jetstream", "jetstream_peer"], jetstream={"port": self.port, "auth_required": False}
        ).start()


def test_f01_refused_then_up(log: Any) -> None:
    with refused_port() as port:
        pass
    clock = _Starting(port)
    clock.chance = 1.0
    policy = RetryPolicy()
    try:
        with JetStream().api("127.0.0.1", port, retry=policy, clock=clock) as api:
            assert api.send.getTransfers() == []
    finally:
        if clock.server is not None:
            clock.server.stop()
    assert clock.waits == [0.5, 1.0]
    assert max(clock.waits) <= policy.backoff_cap
    assert len(waits(log.records)) == 2
    assert clock.server.jetstream.count(INFO) == 1


@pytest.mark.parametrize("first", ["connect", "getTransfers", "createManifest", "send_files"])
def test_f01_refused_for_good(first: str) -> None:
    """Detect a seventh try, or an OutcomeUnknown of what was never sent."""
    clock = Polling()
    with refused_port() as port:
        api = JetStream().api("127.0.0.1", port, clock=clock, retry=RetryPolicy(backoff=0.01))
        steps: Any = {
            "connect": api.connect,
            "getTransfers": api.send.getTransfers,
            "createManifest": lambda: api.send.createManifest(MAPPINGS),
            "send_files": lambda: api.send_files(["/a.bin"], "127.0.0.1"),
        }
        with pytest.raises(NetworkError, match=f"127.0.0.1:{port}/jsonrpc") as caught:
            steps[first]()
        assert type(caught.value) is FAMILY.class_for(NetworkError)
        assert not caught.value.may_have_been_processed
        api.close()
    if first != "send_files":  # an operation waits on an event of its own
        assert len(clock.waits) == 5


@pytest.mark.parametrize("match", [INFO, on("auth"), LIST, on("send.waitForManifest"), on("lsAsync")])
def test_f02_reset_before_the_answer_once(harness: JetStreamHarness, match: str) -> None:
    fault = harness.fault(match, "reset-before")
    api = harness.client()
    manifest = harness.manifest(api)
    api.send.getTransfers()
    api.ls("/")
    assert (fault.fired, manifest.status, harness.count(match)) == (1, "complete", 2)


def test_f02_reset_always(harness: JetStreamHarness) -> None:
    api = harness.client()
    fault = harness.fault(LIST, "reset-before", times=6)
    with pytest.raises(NetworkError, match=f"POST {harness.url}/jsonrpc") as caught:
        api.send.getTransfers()
    assert fault.fired == 6
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    assert api.send.getTransfers() is not None, "the client can be used again"


def test_f02_what_creates_is_not_tried_for_ever(harness: JetStreamHarness) -> None:
    """Reset before it acted, each time: the client cannot know, and says so."""
    before = made(harness)
    api = harness.client()
    fault = harness.fault(CREATE, "reset-before", times=2)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        api.send.createManifest(MAPPINGS)
    assert (fault.fired, harness.count(CREATE), made(harness)) == (2, 2, before)


# -- F08: failures that pass ----------------------------------------------------------------------------------


def test_f08_a_failure_of_its_own_is_not_repeated(harness: JetStreamHarness) -> None:
    before = made(harness)
    api = harness.client()
    fault = harness.fault(CREATE, "status 500 body=json:disk_is_gone")
    with pytest.raises(ServerError, match="disk_is_gone"):
        api.send.createManifest(MAPPINGS)
    assert (fault.fired, harness.count(CREATE), made(harness)) == (1, 1, before)


@pytest.mark.parametrize("code", [502, 504])
def test_f08_a_gateway_that_does_not_know(harness: JetStreamHarness, code: int) -> None:
    """One lost response: the same id is sent again. Two: the outcome is unknown."""
    before = made(harness)
    api = harness.client()
    fault = harness.fault(CREATE, f"status {code}")
    api.send.createManifest(MAPPINGS)
    assert (fault.fired, harness.count(CREATE), made(harness)) == (1, 2, before + 1)
    harness.fault(CREATE, f"status {code}", times=2)
    with pytest.raises(OutcomeUnknown):
        api.send.createManifest(MAPPINGS)
    assert (harness.count(CREATE), made(harness)) == (4, before + 1)


# -- F09, F10: later ------------------------------------------------------------------------------------------


def test_f09_at_the_first_contact(harness: JetStreamHarness) -> None:
    clock = Polling()
    fault = harness.fault(INFO, "status 503 retry-after=2", times=3)
    harness.client(clock=clock, retry=RetryPolicy())
    assert (clock.waits, fault.fired) == ([2.0, 2.0, 2.0], 3)


# -- F11: no --------------------------------------------------------------------------------------------------

KINDS = {
    "ParseError": BadRequest,
    "InvalidRequest": BadRequest,
    "MethodNotFound": Unsupported,
    "InvalidParams": BadRequest,
    "InternalError": ServerError,
    "NotAuthenticated": AuthError,
    "AuthenticationFailed": AuthError,
    "PermissionDenied": Forbidden,
    "NotFound": NotFound,
    "InvalidState": Conflict,
    "ApiVersion": Unsupported,
    "NotLicensed": Forbidden,
}


def _refusing(word: str, **more: Any) -> Any:
    error = {"code": ERRORS[word], "message": "it says why", **more}
    return [lambda request: {"jsonrpc": "2.0", "id": request.id, "error": error}]


@pytest.mark.parametrize("data", [{"data": {"type": ""}}, {"data": None}, {}], ids=["empty", "null", "none"])
@pytest.mark.parametrize("word", KINDS)
def test_f11_no_of_the_binding(word: str, data: Any) -> None:
    """Each code, whether or not its word comes with it; not repeated, but that a new login is tried once."""
    received: Any = []
    with lying({"send.getTransfer": _refusing(word, **data)}, received) as server:
        with JetStream().api(server.url, user="ann", password="a-password") as api:
            with pytest.raises(KINDS[word], match=f"send.getTransfer: {word}: it says why") as caught:
                api.send.getTransfer("1")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), error.code, error.message) == (FAMILY.class_for(KINDS[word]), word, "it says why")
    tries = [call.method for call in received].count("send.getTransfer")
    assert tries == (2 if word == "NotAuthenticated" else 1)


@pytest.mark.parametrize("code", [-32099, 7, 10**30])
def test_f11_a_code_of_a_later_release(code: int) -> None:
    def refuse(request: ReceivedCall) -> Any:
        return {"jsonrpc": "2.0", "id": request.id, "error": {"code": code, "message": "new", "data": {"type": "TooShy"}}}

    with lying({"send.getTransfers": [refuse]}) as server, JetStream().api(server.url) as api:
        with pytest.raises(HTTPError, match="TooShy: new") as caught:
            api.send.getTransfers()
    assert caught.value.code == "TooShy"


def test_f11_a_session_that_is_gone_is_opened_once_more(harness: JetStreamHarness) -> None:
    before = made(harness)
    api = harness.client()
    harness.lose_sessions()
    api.send.createManifest(MAPPINGS)
    assert (harness.count(on("auth")), harness.count(CREATE)) == (2, 2)
    assert made(harness) == before + 1


def test_f11_a_login_that_is_refused_is_not_repeated(harness: JetStreamHarness) -> None:
    with pytest.raises(AuthError) as caught:
        harness.client(password="not-the-password")
    assert (caught.value.code, harness.count(on("auth"))) == ("AuthenticationFailed", 1)
    assert harness.count(ALL) == 2
