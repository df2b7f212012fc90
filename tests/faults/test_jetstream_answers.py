"""Answers of JetStream that are lost, or are none: F12, and what a server cannot mean."""

from __future__ import annotations

import contextlib
import json
import operator
import pickle
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import pytest

from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown, SmartxferError
from smartxfer.jetstream import API, JetStream
from smartxfer.jetstream import Request as AsyncRequest
from tests.support.jetstream_harness import DATA, JetStreamHarness, ReceivedCall, lying, lying_api, on, result
from tests.support.service_harness import Polling

MAPPINGS = {"/a.bin": "/a.bin"}


SHARED = partial(JetStreamHarness, files={"/a.bin": DATA})


# -- F12: the answer to what would do its thing twice ---------------------------------------------------------


def _sending(harness: JetStreamHarness, api: API) -> Any:
    """A transfer that does not come to its end."""
    nowhere = api.send.createDestination("127.0.0.1", 1)
    return api.send.createTransfer(nowhere, harness.manifest(api))


def _superuser(api: API, **arguments: Any) -> Dict[str, Any]:
    """Arguments of a call that is the superuser's."""
    api.server.superuser()
    return arguments


def _files(harness: JetStreamHarness, *paths: str) -> Sequence[str]:
    """Return the paths, of which only the first exists."""
    for path in paths[1:]:
        with contextlib.suppress(FileNotFoundError):
            Path(harness.site.stored_path(path)).unlink()
    harness.site.write(paths[0], b"1")
    return paths


#: By method: its arguments, once what they are is there.
CALLS: Dict[str, Callable[[JetStreamHarness, API], Any]] = {
    "send.createManifest": lambda harness, api: [MAPPINGS],
    "send.createTransfer": lambda harness, api: [harness.destination(api), harness.manifest(api)],
    "send.createSharedToken": lambda harness, api: [harness.manifest(api)],
    "createAPIToken": lambda harness, api: ["of a test"],
    "send.suspendTransfer": lambda harness, api: [_sending(harness, api)],
    "send.resumeTransfer": lambda harness, api: [harness.suspended(api)],
    "send.failTransfer": lambda harness, api: [_sending(harness, api), "enough"],
    "send.updateObjectUserData": lambda harness, api: [_sending(harness, api), "k", 1],
    "mkdirAsync": lambda harness, api: ["/made"],
    "mkFileAsync": lambda harness, api: _files(harness, "/other.txt", "/made.txt")[1:],
    "mvAsync": lambda harness, api: _files(harness, "/from.bin", "/to.bin"),
    "rmAsync": lambda harness, api: _files(harness, "/from.bin"),
    "superuser": lambda harness, api: [],
    "wrangler": lambda harness, api: [],
    "setSandboxMapping": lambda harness, api: _superuser(api, user="x", mapping={"a": "/"}),
    "addWranglerAsync": lambda harness, api: _superuser(api, user="user"),
    "recv.addAuthorizedClientAsync": lambda harness, api: _superuser(api, clientPublicKey="00ff"),
}
DELETES: Dict[str, Callable[[JetStreamHarness, API], Any]] = {
    "send.deleteManifest": lambda harness, api: [harness.manifest(api)],
    "send.deleteTransfer": lambda harness, api: [_sending(harness, api)],
    "send.deleteDestination": lambda harness, api: [api.send.createDestination("127.0.0.1", 9)],
    "send.deleteSharedToken": lambda harness, api: [api.send.createSharedToken(harness.manifest(api))],
    "deleteAPIToken": lambda harness, api: [api.server.createAPIToken()],
}
CREATE = ["send.createManifest", "send.createTransfer", "createAPIToken"]
TABLES = ("manifests", "destinations", "transfers", "tokens")


def _held(harness: JetStreamHarness) -> Dict[str, int]:
    return {table: len(harness.held(table)) for table in TABLES}


class Prepared:
    """A method, and a client for which its call is prepared."""

    def __init__(self, harness: JetStreamHarness, method: str, clock: Any = None) -> None:
        self.api: Any = harness.client(clock=clock or Polling())
        self.harness, self.match = harness, on(method)
        self._method = operator.attrgetter(method if "." in method else f"server.{method}")(self.api)
        self._arguments = {**CALLS, **DELETES}[method](harness, self.api)
        self._before = _held(harness)
        #: How many objects a call adds.
        self.adds = 1 if "create" in method else -1 if "delete" in method else 0

    def lose(self, times: int = 1) -> Any:
        """Plan that so many answers are lost."""
        return self.harness.fault(self.match, "lose-answer", times=times)

    def call(self) -> Any:
        given = self._arguments
        result = self._method(**given) if isinstance(given, dict) else self._method(*given)
        return result.result() if isinstance(result, AsyncRequest) else result

    def more(self) -> int:
        """Return how many objects were added."""
        return sum(_held(self.harness).values()) - sum(self._before.values())


@pytest.mark.parametrize("method", CALLS)
def test_f12_once_lost_once_done(harness: JetStreamHarness, method: str) -> None:
    """Detect a repeat with an id of its own: two objects, or a second removal of what is gone."""
    made = Prepared(harness, method)
    fault = made.lose()
    made.call()
    assert (fault.fired, harness.count(made.match), harness.count(made.match, 200)) == (1, 2, 1)
    assert made.more() == made.adds
    if method in ("mkdirAsync", "rmAsync", "addWranglerAsync"):  # a command that is queued twice shows in the next number
        assert made.api.server.lsRootsAsync().request_id == 2


def test_f12_a_download_is_counted_once(harness: JetStreamHarness) -> None:
    """A token that is good for one transfer: broken by a second one, which uses it up."""
    owner = harness.client()
    manifest = harness.manifest(owner)
    token = owner.send.createSharedToken(manifest, downloadLimit=1)
    guest = harness.api(user=None, password=None, clock=Polling())
    guest.login_token(token)
    fault = harness.fault(on("send.createTransfer"), "lose-answer")
    sent = guest.send.createTransfer(harness.destination(guest), manifest)
    assert guest.send.waitForTransfer(sent, timeout=20).status == "complete"
    assert (fault.fired, owner.send.getSharedToken(token).download_count) == (1, 1)


@pytest.mark.parametrize("method", [name for name in CALLS if "create" in name or "resume" in name or name == "mvAsync"])
def test_f12_lost_twice(harness: JetStreamHarness, method: str) -> None:
    """Detect a third try, or a failure that does not say that it may be done."""
    made = Prepared(harness, method)
    fault = made.lose(2)
    with pytest.raises(OutcomeUnknown, match="may exist") as caught:
        made.call()
    assert (fault.fired, harness.count(made.match), made.more()) == (2, 2, made.adds)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), OutcomeUnknown)
    made.api.send.getTransfers()


@pytest.mark.parametrize("method", CREATE)
def test_f12_lost_and_then_the_session(harness: JetStreamHarness, method: str) -> None:
    """The session that knew the request id is gone. Fails if the call is repeated in the next session."""
    clock = Polling(wait1=harness.lose_sessions)
    made = Prepared(harness, method, clock)
    fault = made.lose()
    with pytest.raises(OutcomeUnknown):
        made.call()
    assert (fault.fired, harness.count(made.match), made.more(), len(clock.waits)) == (1, 2, 1, 1)
    made.call()
    assert made.more() == 2, "the next call is at work again"


@pytest.mark.parametrize("method", CREATE)
def test_f12_lost_and_another_thread_has_opened_the_next_session(harness: JetStreamHarness, method: str) -> None:
    """Detect a repeat in a session that has never seen the id: it would be done there once more."""

    def meanwhile() -> None:
        harness.lose_sessions()
        made.api.send.getTransfers()

    made = Prepared(harness, method, Polling(wait1=meanwhile))
    fault = made.lose()
    with pytest.raises(OutcomeUnknown):
        made.call()
    assert (fault.fired, made.more()) == (1, 1)


def test_f12_the_first_call_of_all(tmp_path: Path) -> None:
    """Without a session the server does not remember the id. Fails if a call opens a session by itself."""
    with JetStreamHarness(tmp_path, auth_required=False, files={"/a.bin": DATA}) as harness:
        for number, connect in enumerate((harness.api, harness.client), 1):
            api = connect(user=None, password=None)
            api.disconnect()
            fault = harness.fault(on("send.createManifest"), "lose-answer")
            api.send.createManifest(MAPPINGS)
            assert (fault.fired, len(harness.held("manifests"))) == (1, number)


STEPS = ["getServerInfo", "auth", "send.createDestination", "send.createManifest", "send.waitForManifest",
         "send.createTransfer", "send.waitForTransfer"]  # fmt: skip


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 503 retry-after=0"])
@pytest.mark.parametrize("method", STEPS)
def test_f12_send_files_whatever_is_lost(harness: JetStreamHarness, method: str, effect: str) -> None:
    before = _held(harness)
    fault = harness.fault(on(method), effect)
    api = harness.client()
    assert api.send_files([("/a.bin", f"/{method}.bin")], harness.to, timeout=20).status == "complete"
    assert (fault.fired, harness.peer.read(f"/{method}.bin")) == (1, DATA)
    after = _held(harness)
    assert [after[table] - before[table] for table in ("manifests", "transfers", "tokens")] == [1, 1, 0]
    assert after["destinations"] - before["destinations"] <= 1


def test_f12_a_request_of_a_session_that_is_gone(harness: JetStreamHarness) -> None:
    """Request numbers restart in each session. Fails if the result of another request with the same number is used."""
    api = harness.client()
    mine = api.server.mkdirAsync("/of-the-first")
    harness.lose_sessions()
    other = api.server.duAsync("/a.bin")
    assert (other.request_id, other.result(20)) == (mine.request_id, len(DATA))
    for ask in (lambda: mine.result(1), lambda: api.server.getRequestResult(mine, timeout=1), mine.status):
        with pytest.raises(SmartxferError):
            ask()


# -- deletions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", DELETES)
@pytest.mark.parametrize("times", [1, 3])
def test_f12_a_deletion_whose_answer_is_lost(harness: JetStreamHarness, method: str, times: int) -> None:
    made = Prepared(harness, method)
    fault = made.lose(times)
    made.call()
    assert (fault.fired, harness.count(made.match), made.more()) == (times, times + 1, -1)
    with pytest.raises(NotFound):
        made.call()


@pytest.mark.parametrize("method", DELETES)
def test_f12_a_deletion_and_then_the_session(harness: JetStreamHarness, method: str) -> None:
    """The next session does not find what the first attempt removed; this is not an error."""
    made = Prepared(harness, method, Polling(wait1=harness.lose_sessions))
    fault = made.lose()
    made.call()
    assert (fault.fired, made.more()) == (1, -1)


def test_f12_a_deletion_of_what_never_was(harness: JetStreamHarness) -> None:
    """This also holds after a new login, which does not repeat the call."""
    api = harness.client()
    with pytest.raises(NotFound):
        api.send.deleteManifest("999999")
    harness.lose_sessions()
    with pytest.raises(NotFound):
        api.send.deleteManifest("999999")


# -- answers that are none ------------------------------------------------------------------------------------


def _response(**members: Any) -> Callable[[ReceivedCall], Any]:
    return lambda request: {"jsonrpc": "2.0", "id": request.id, **members}


NONSENSE: Dict[str, Any] = {
    "empty": b"",
    "html": b"<html>log in here</html>",
    "text": b'"text"',
    "list": b"[]",
    "cut": b'{"jsonrpc": "2.0", "id": ',
    "deep": b"[" * 100_000,
    "latin": b'{"\xe9": 1}',
    "no result": _response(),
    "no id": lambda request: {"jsonrpc": "2.0", "result": {}},
    "null id": _response(id=None, result={}),
    "another id": lambda request: {"jsonrpc": "2.0", "id": request.id + "0", "result": {}},
    "an error that is text": _response(error="no"),
    "an error without code": _response(error={"message": "no"}),
    "a code that is true": _response(error={"code": True}),
    "a code that is text": _response(error={"code": "-32001"}),
}
ASKED: Dict[str, Callable[[API], Any]] = {
    "getServerInfo": lambda api: api.connect(),
    "send.getTransfers": lambda api: api.send.getTransfers(),
    "send.createManifest": lambda api: api.send.createManifest(MAPPINGS),
    "lsAsync": lambda api: api.ls("/"),
}


@pytest.mark.parametrize("method", ["send.getTransfers", "send.createManifest", "getServerInfo"])
@pytest.mark.parametrize("name", NONSENSE)
def test_invalid_responses(name: str, method: str) -> None:
    """Detect an error that is not ours, another call's result, or a repeat of what creates."""
    said = NONSENSE[name]
    received: List[ReceivedCall] = []
    with lying({method: [said if callable(said) else lambda request: said]}, received) as server:
        api = JetStream().api(server.url)
        with pytest.raises(DecodeError) as caught:
            ASKED[method](api)
        api.close()
    assert [one.method for one in received].count(method) == 1
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), DecodeError)


ODD = [("send.createManifest", value) for value in (None, [], {}, 7, "text", {"manifestId": None}, {"manifestId": []})]
ODD += [("send.getTransfers", value) for value in (7, "text", {"a": 1}, [7], [None], [{}], True)]  # type: ignore[list-item]
ODD += [("lsAsync", {"requestId": "x" * 10})]  # type: ignore[list-item]


@pytest.mark.parametrize(("method", "value"), ODD, ids=repr)
def test_results_of_another_kind(method: str, value: Any) -> None:
    with lying_api({method: [result(value)]}) as api:
        with pytest.raises(DecodeError):
            ASKED[method](api)
        if method == "send.createManifest":
            with pytest.raises(SmartxferError):
                api.send_files(["/a.bin"], "127.0.0.1:9")


def test_what_was_said_is_json() -> None:
    """Bytes on the wire: one id a call, by name, nothing that is not ASCII."""
    with lying({"send.createManifest": [result({"manifestId": "1"})]}) as server:
        with JetStream().api(server.url) as api:
            api.send.createManifest({"/ä\n": Path("/b")})
            api.send.createManifest(MAPPINGS)
        bodies = [json.loads(request.body) for request in server.requests if request.method == "POST"]
        assert all(request.body.isascii() for request in server.requests)
    assert len({body["id"] for body in bodies}) == len(bodies) == 3
    assert [body["params"] for body in bodies] == [{}, {"mappings": {"/ä\n": "/b"}}, {"mappings": MAPPINGS}]
