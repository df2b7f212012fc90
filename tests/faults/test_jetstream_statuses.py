"""Servers of JetStream that are not there yet, break off, or say no or later: F01, F02, F08, F09, F11."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import pytest

from smartxfer import errors
from smartxfer.jetstream import JetStream
from smartxfer.jetstream.errors import ERRORS as FAMILY
from smartxfer.transport import RetryPolicy
from tests.support.jetstream_harness import DATA, INFO, JetStreamHarness, lying_api, on, refusal
from tests.support.raw_server import refused_port
from tests.support.service_harness import Polling

LIST = on("send.getTransfers")
CREATE = on("send.createManifest")
MAPPINGS = {"/a.bin": "/a.bin"}
SHARED = partial(JetStreamHarness, files={"/a.bin": DATA})


class Counted:
    """A client, and a count of the manifests that were made since."""

    def __init__(self, harness: JetStreamHarness, **options: Any) -> None:
        self._held = partial(harness.held, "manifests")
        self._before = len(self._held())
        self.api = harness.client(**options)
        self.create = partial(self.api.send.createManifest, MAPPINGS)

    @property
    def made(self) -> int:
        return len(self._held()) - self._before


# -- F01, F02: no connection, or a broken one -----------------------------------------------------------------


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
        with pytest.raises(errors.NetworkError, match=f"127.0.0.1:{port}/jsonrpc") as caught:
            steps[first]()
        api.close()
    assert type(caught.value) is FAMILY.class_for(errors.NetworkError)
    assert not caught.value.may_have_been_processed
    assert first == "send_files" or len(clock.waits) == 5  # an operation waits on an event of its own


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
    with pytest.raises(errors.NetworkError, match=f"POST {harness.url}/jsonrpc") as caught:
        api.send.getTransfers()
    assert fault.fired == 6
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    assert api.send.getTransfers() is not None, "the client can be used again"


def test_f02_what_creates_is_not_tried_for_ever(harness: JetStreamHarness) -> None:
    """Reset before it acted, each time: the client cannot know, and says so."""
    client = Counted(harness)
    fault = harness.fault(CREATE, "reset-before", times=2)
    with pytest.raises(errors.OutcomeUnknown, match="may exist"):
        client.create()
    assert (fault.fired, harness.count(CREATE), client.made) == (2, 2, 0)


# -- F08, F09: failures that pass, and later ------------------------------------------------------------------


def test_f08_a_failure_of_its_own_is_not_repeated(harness: JetStreamHarness) -> None:
    client = Counted(harness)
    fault = harness.fault(CREATE, "status 500 body=json:disk_is_gone")
    with pytest.raises(errors.ServerError, match="disk_is_gone"):
        client.create()
    assert (fault.fired, harness.count(CREATE), client.made) == (1, 1, 0)


@pytest.mark.parametrize("code", [502, 504])
def test_f08_a_gateway_that_does_not_know(harness: JetStreamHarness, code: int) -> None:
    """One lost response: the same id is sent again. Two: the outcome is unknown."""
    client = Counted(harness)
    fault = harness.fault(CREATE, f"status {code}")
    client.create()
    assert (fault.fired, harness.count(CREATE), client.made) == (1, 2, 1)
    harness.fault(CREATE, f"status {code}", times=2)
    with pytest.raises(errors.OutcomeUnknown):
        client.create()
    assert (harness.count(CREATE), client.made) == (4, 1)


def test_f09_at_the_first_contact(harness: JetStreamHarness) -> None:
    clock = Polling()
    fault = harness.fault(INFO, "status 503 retry-after=2", times=3)
    harness.client(clock=clock, retry=RetryPolicy())
    assert (clock.waits, fault.fired) == ([2.0, 2.0, 2.0], 3)


# -- F11: no --------------------------------------------------------------------------------------------------

KINDS = {
    **dict.fromkeys(("ParseError", "InvalidRequest", "InvalidParams"), errors.BadRequest),
    **dict.fromkeys(("MethodNotFound", "ApiVersion"), errors.Unsupported),
    **dict.fromkeys(("NotAuthenticated", "AuthenticationFailed"), errors.AuthError),
    **dict.fromkeys(("PermissionDenied", "NotLicensed"), errors.Forbidden),
    "InternalError": errors.ServerError,
    "NotFound": errors.NotFound,
    "InvalidState": errors.Conflict,
}


@pytest.mark.parametrize("data", [{"data": {"type": ""}}, {"data": None}, {}], ids=["empty", "null", "none"])
@pytest.mark.parametrize("word", KINDS)
def test_f11_no_of_the_binding(word: str, data: Any) -> None:
    """Each code, whether or not its word comes with it; not repeated, but that a new login is tried once."""
    received: Any = []
    with lying_api({"send.getTransfer": [refusal(word, **data)]}, received, user="ann", password="a-password") as api:
        with pytest.raises(KINDS[word], match=f"send.getTransfer: {word}: it says why") as caught:
            api.send.getTransfer("1")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), error.code, error.message) == (FAMILY.class_for(KINDS[word]), word, "it says why")
    tries = [call.method for call in received].count("send.getTransfer")
    assert tries == (2 if word == "NotAuthenticated" else 1)


@pytest.mark.parametrize("code", [-32099, 7, 10**30])
def test_f11_a_code_of_a_later_release(code: int) -> None:
    with lying_api({"send.getTransfers": [refusal(code, "new", data={"type": "TooShy"})]}) as api:
        with pytest.raises(errors.HTTPError, match="TooShy: new") as caught:
            api.send.getTransfers()
    assert caught.value.code == "TooShy"


def test_f11_a_session_that_is_gone_is_opened_once_more(harness: JetStreamHarness) -> None:
    client = Counted(harness)
    harness.lose_sessions()
    client.create()
    assert (harness.count(on("auth")), harness.count(CREATE), client.made) == (2, 2, 1)


def test_f11_a_login_that_is_refused_is_not_repeated(harness: JetStreamHarness) -> None:
    with pytest.raises(errors.AuthError) as caught:
        harness.client(password="not-the-password")
    assert (caught.value.code, harness.count(on("auth")), harness.count("* *")) == ("AuthenticationFailed", 1, 2)
