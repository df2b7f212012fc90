"""Answers of JetStream that are lost, or are none: F12, and what a server cannot mean."""

from __future__ import annotations

import contextlib
import json
import pickle
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown, SmartxferError
from smartxfer.jetstream import API, JetStream
from tests.support.jetstream_harness import DATA, JetStreamHarness, Polling, ReceivedCall, lying, on, result

MAPPINGS = {"/a.bin": "/a.bin"}


SHARED = partial(JetStreamHarness, files={"/a.bin": DATA})


# -- F12: the answer to what would do its thing twice ---------------------------------------------------------

#: By method: what is prepared (its result is handed on), what is called.
Row = Any
_NOTHING: Callable[[JetStreamHarness, API], Any] = lambda harness, api: None  # noqa: E731


def _row(call: Callable[[API, Any], Any], prepare: Callable[[JetStreamHarness, API], Any] = _NOTHING) -> Row:
    return prepare, call


def _ready(harness: JetStreamHarness, api: API) -> Any:
    return harness.destination(api), harness.manifest(api)


def _sending(harness: JetStreamHarness, api: API) -> Any:
    """A transfer that does not come to its end."""
    nowhere = api.send.createDestination("127.0.0.1", 1)
    return api.send.createTransfer(nowhere, harness.manifest(api))


def _superuser(harness: JetStreamHarness, api: API) -> None:
    api.server.superuser()


CALLS: Dict[str, Row] = {
    "send.createManifest": _row(lambda api, _: api.send.createManifest(MAPPINGS)),
    "send.createTransfer": _row(lambda api, ready: api.send.createTransfer(*ready), _ready),
    "send.createSharedToken": _row(lambda api, ready: api.send.createSharedToken(ready[1]), _ready),
    "createAPIToken": _row(lambda api, _: api.server.createAPIToken("of a test")),
    "send.suspendTransfer": _row(lambda api, sent: api.send.suspendTransfer(sent), _sending),
    "send.resumeTransfer": _row(lambda api, sent: api.send.resumeTransfer(sent), lambda s, api: s.suspended(api)),
    "send.failTransfer": _row(lambda api, sent: api.send.failTransfer(sent, "enough"), _sending),
    "send.updateObjectUserData": _row(lambda api, sent: api.send.updateObjectUserData(sent, "k", 1), _sending),
    "mkdirAsync": _row(lambda api, _: api.mkdir("/made")),
    "mkFileAsync": _row(lambda api, _: api.mkfile("/made.txt"), lambda s, api: _away(s, "/made.txt")),
    "mvAsync": _row(lambda api, _: api.mv("/from.bin", "/to.bin"), lambda s, api: _moving(s)),
    "rmAsync": _row(lambda api, _: api.rm("/from.bin"), lambda s, api: s.site.write("/from.bin", b"1")),
    "superuser": _row(lambda api, _: api.server.superuser()),
    "wrangler": _row(lambda api, _: api.server.wrangler()),
    "setSandboxMapping": _row(lambda api, _: api.server.setSandboxMapping(user="x", mapping={"a": "/"}), _superuser),
    "addWranglerAsync": _row(lambda api, _: api.server.addWranglerAsync(user="user").result(), _superuser),
    "recv.addAuthorizedClientAsync": _row(
        lambda api, _: api.recv.addAuthorizedClientAsync("00ff").result(), _superuser
    ),
}  # fmt: skip
TABLES = ("manifests", "destinations", "transfers", "tokens")


def _away(harness: JetStreamHarness, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        Path(harness.site.stored_path(path)).unlink()


def _moving(harness: JetStreamHarness) -> None:
    _away(harness, "/to.bin")
    harness.site.write("/from.bin", b"1")


def _held(harness: JetStreamHarness) -> Dict[str, int]:
    return {table: len(harness.held(table)) for table in TABLES}


def _more(harness: JetStreamHarness, before: Dict[str, int]) -> int:
    """Return how many objects were added."""
    return sum(_held(harness).values()) - sum(before.values())


@pytest.mark.parametrize("method", CALLS)
def test_f12_once_lost_once_done(harness: JetStreamHarness, method: str) -> None:
    """Detect a repeat with an id of its own: two objects, or a second removal of what is gone."""
    prepare, call = CALLS[method]
    api = harness.client(clock=Polling())
    ready = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer")
    call(api, ready)
    assert (fault.fired, harness.count(on(method)), harness.count(on(method), 200)) == (1, 2, 1)
    assert _more(harness, before) == (1 if "create" in method else 0)


@pytest.mark.parametrize("method", ["mkdirAsync", "rmAsync", "addWranglerAsync"])
def test_f12_a_request_is_one_request(harness: JetStreamHarness, method: str) -> None:
    """Fails if a command is queued twice: the next number shows it."""
    prepare, call = CALLS[method]
    api = harness.client(clock=Polling())
    ready = prepare(harness, api)
    harness.fault(on(method), "lose-answer")
    call(api, ready)
    assert api.server.lsRootsAsync().request_id == 2


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
    prepare, call = CALLS[method]
    api = harness.client(clock=Polling())
    ready = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer", times=2)
    with pytest.raises(OutcomeUnknown, match="may exist") as caught:
        call(api, ready)
    assert (fault.fired, harness.count(on(method))) == (2, 2)
    assert _more(harness, before) == (1 if "create" in method else 0)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), OutcomeUnknown)
    api.send.getTransfers()


@pytest.mark.parametrize("method", ["send.createManifest", "send.createTransfer", "createAPIToken"])
def test_f12_lost_and_then_the_session(harness: JetStreamHarness, method: str) -> None:
    """The session that knew the request id is gone. Fails if the call is repeated in the next session."""
    prepare, call = CALLS[method]
    clock = Polling(wait1=harness.lose_sessions)
    api = harness.client(clock=clock)
    ready = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer")
    with pytest.raises(OutcomeUnknown):
        call(api, ready)
    assert (fault.fired, harness.count(on(method)), _more(harness, before), len(clock.waits)) == (1, 2, 1, 1)
    call(api, ready)
    assert _more(harness, before) == 2, "the next call is at work again"


@pytest.mark.parametrize("method", ["send.createManifest", "send.createTransfer", "createAPIToken"])
def test_f12_lost_and_another_thread_has_opened_the_next_session(harness: JetStreamHarness, method: str) -> None:
    """Detect a repeat in a session that has never seen the id: it would be done there once more."""
    prepare, call = CALLS[method]
    api: Any = None

    def meanwhile() -> None:
        harness.lose_sessions()
        api.send.getTransfers()

    api = harness.client(clock=Polling(wait1=meanwhile))
    ready = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer")
    with pytest.raises(OutcomeUnknown):
        call(api, ready)
    assert (fault.fired, _more(harness, before)) == (1, 1)


def test_f12_the_first_call_of_all(tmp_path: Path) -> None:
    """Without a session the server does not remember the id. Fails if a call opens a session by itself."""
    with JetStreamHarness(tmp_path, auth_required=False) as harness:
        harness.site.write("/a.bin", DATA)
        fault = harness.fault(on("send.createManifest"), "lose-answer")
        harness.api(user=None, password=None).send.createManifest(MAPPINGS)
        assert (fault.fired, len(harness.held("manifests"))) == (1, 1)
        api = harness.client(user=None, password=None)
        api.disconnect()
        fault = harness.fault(on("send.createManifest"), "lose-answer")
        api.send.createManifest(MAPPINGS)
        assert (fault.fired, len(harness.held("manifests"))) == (1, 2)


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

DELETES: Dict[str, Row] = {
    "send.deleteManifest": _row(lambda api, made: api.send.deleteManifest(made), lambda s, api: s.manifest(api)),
    "send.deleteTransfer": _row(lambda api, made: api.send.deleteTransfer(made), _sending),
    "send.deleteDestination": _row(
        lambda api, made: api.send.deleteDestination(made), lambda s, api: api.send.createDestination("127.0.0.1", 9)
    ),
    "send.deleteSharedToken": _row(
        lambda api, made: api.send.deleteSharedToken(made), lambda s, api: api.send.createSharedToken(s.manifest(api))
    ),
    "deleteAPIToken": _row(
        lambda api, made: api.server.deleteAPIToken(made), lambda s, api: api.server.createAPIToken()
    ),
}


@pytest.mark.parametrize("method", DELETES)
@pytest.mark.parametrize("times", [1, 3])
def test_f12_a_deletion_whose_answer_is_lost(harness: JetStreamHarness, method: str, times: int) -> None:
    prepare, call = DELETES[method]
    api = harness.client()
    made = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer", times=times)
    call(api, made)
    assert (fault.fired, harness.count(on(method)), _more(harness, before)) == (times, times + 1, -1)
    with pytest.raises(NotFound):
        call(api, made)


@pytest.mark.parametrize("method", DELETES)
def test_f12_a_deletion_and_then_the_session(harness: JetStreamHarness, method: str) -> None:
    """The next session does not find what the first attempt removed; this is not an error."""
    prepare, call = DELETES[method]
    api = harness.client(clock=Polling(wait1=harness.lose_sessions))
    made = prepare(harness, api)
    before = _held(harness)
    fault = harness.fault(on(method), "lose-answer")
    call(api, made)
    assert (fault.fired, _more(harness, before)) == (1, -1)


def test_f12_a_deletion_of_what_never_was(harness: JetStreamHarness) -> None:
    """This also holds after a new login, which does not repeat the call."""
    api = harness.client()
    with pytest.raises(NotFound):
        api.send.deleteManifest("999999")
    harness.lose_sessions()
    with pytest.raises(NotFound):
        api.send.deleteManifest("999999")


# -- answers that are none ------------------------------------------------------------------------------------

NONSENSE: Dict[str, Any] = {
    "empty": b"",
    "html": b"<html>log in here</html>",
    "text": b'"text"',
    "list": b"[]",
    "cut": b'{"jsonrpc": "2.0", "id": ',
    "deep": b"[" * 100_000,
    "latin": b'{"\xe9": 1}',
    "no result": lambda request: {"jsonrpc": "2.0", "id": request.id},
    "no id": lambda request: {"jsonrpc": "2.0", "result": {}},
    "null id": lambda request: {"jsonrpc": "2.0", "id": None, "result": {}},
    "another id": lambda request: {"jsonrpc": "2.0", "id": request.id + "0", "result": {}},
    "an error that is text": lambda request: {"jsonrpc": "2.0", "id": request.id, "error": "no"},
    "an error without code": lambda request: {"jsonrpc": "2.0", "id": request.id, "error": {"message": "no"}},
    "a code that is true": lambda request: {"jsonrpc": "2.0", "id": request.id, "error": {"code": True}},
    "a code that is text": lambda request: {"jsonrpc": "2.0", "id": request.id, "error": {"code": "-32001"}},
}


@pytest.mark.parametrize("method", ["send.getTransfers", "send.createManifest", "getServerInfo"])
@pytest.mark.parametrize("name", NONSENSE)
def test_invalid_responses(name: str, method: str) -> None:
    """Detect an error that is not ours, another call's result, or a repeat of what creates."""
    said = NONSENSE[name]
    answer: Callable[[ReceivedCall], Any] = said if callable(said) else lambda request: said
    received: List[ReceivedCall] = []
    with lying({method: [answer]}, received) as server:
        api = JetStream().api(server.url)
        call: Any = {
            "getServerInfo": api.connect,
            "send.getTransfers": api.send.getTransfers,
            "send.createManifest": lambda: api.send.createManifest(MAPPINGS),
        }[method]
        with pytest.raises(DecodeError) as caught:
            call()
        api.close()
    assert [one.method for one in received].count(method) == 1
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), DecodeError)


@pytest.mark.parametrize("value", [None, [], {}, 7, "text", {"manifestId": None}, {"manifestId": []}], ids=repr)
def test_results_of_another_kind(value: Any) -> None:
    """Results in place of a manifest."""
    received: List[ReceivedCall] = []
    with lying({"send.createManifest": [result(value)]}, received) as server, JetStream().api(server.url) as api:
        with pytest.raises(DecodeError):
            api.send.createManifest(MAPPINGS)
        with pytest.raises(SmartxferError):
            api.send_files(["/a.bin"], "127.0.0.1:9")


@pytest.mark.parametrize("value", [7, "text", {"a": 1}, [7], [None], [{}], True], ids=repr)
def test_lists_of_another_kind(value: Any) -> None:
    with lying({"send.getTransfers": [result(value)]}) as server, JetStream().api(server.url) as api:
        with pytest.raises(DecodeError):
            api.send.getTransfers()


def test_an_invalid_request() -> None:
    with lying({"lsAsync": [result({"requestId": "x" * 10})]}) as server, JetStream().api(server.url) as api:
        with pytest.raises(DecodeError):
            api.ls("/")


def test_what_was_said_is_json(harness: JetStreamHarness) -> None:
    """Bytes on the wire: one id a call, by name, nothing that is not ASCII."""
    received: List[ReceivedCall] = []
    with lying({"send.createManifest": [result({"manifestId": "1"})]}, received) as server:
        with JetStream().api(server.url) as api:
            api.send.createManifest({"/ä\n": Path("/b")})
            api.send.createManifest(MAPPINGS)
        bodies = [json.loads(request.body) for request in server.requests if request.method == "POST"]
        assert all(request.body.isascii() for request in server.requests)
    assert len({body["id"] for body in bodies}) == len(bodies) == 3
    assert [body["params"] for body in bodies] == [{}, {"mappings": {"/ä\n": "/b"}}, {"mappings": MAPPINGS}]
