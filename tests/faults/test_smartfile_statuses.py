"""Answers that say no, answers that are lost, and tasks that do not end: F08, F11, F12, F48."""

from __future__ import annotations

import json
import pickle
import threading
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    Cancelled,
    ClientError,
    Conflict,
    DecodeError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    TaskFailed,
    TooLarge,
    UnexpectedAnswer,
    WaitTimeout,
)
from smartxfer.smartfile.errors import ERRORS
from tests.support.smartfile_harness import CHECKSUM, INFO, TASK, UPLOAD, Polling, Stage

MOVE = "POST /api/2/path/oper/move/"
REMOVE = "POST /api/2/path/oper/remove/"
MKDIR = "POST /api/2/path/oper/mkdir/"
RENAME = "POST /api/2/path/oper/rename/"
LINK = "POST /api/2/link/"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        stage.site.write("/a", b"data")
        yield stage


# -- F11 ----------------------------------------------------------------------------------------------------

REFUSALS = [
    (400, BadRequest),
    (401, AuthError),
    (403, Forbidden),
    (404, NotFound),
    (409, Conflict),
    (413, TooLarge),
    (422, BadRequest),
    (418, ClientError),
]
STEPS: Dict[str, Any] = {
    UPLOAD: lambda api: api.upload(("b", b"1")),
    INFO: lambda api: api.stat("/a"),
    "GET /api/2/path/data/*": lambda api: api.get("/path/data/a"),
    MOVE: lambda api: api.move("/a", "/c"),
    MKDIR: lambda api: api.post("/path/oper/mkdir/", path="/d"),
    "DELETE /api/2/link/*": lambda api: api.delete("/link", "x"),
}


@pytest.mark.parametrize(("code", "kind"), REFUSALS)
@pytest.mark.parametrize("match", STEPS, ids=lambda match: match.split("/")[-2])
def test_f11_what_another_try_does_not_mend(stage: Stage, match: str, code: int, kind: Any) -> None:
    """Broken by a repeat, or by an error of another kind."""
    fault = stage.fault(match, f"status {code} body=json:because", times=None)
    with pytest.raises(kind, match="because") as caught:
        STEPS[match](stage.client())
    assert type(caught.value) is ERRORS.kind(kind)
    assert (fault.fired, caught.value.status_code, caught.value.detail) == (1, code, "because")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.status_code) == (ERRORS.kind(kind), str(caught.value), code)


BODIES = [
    (b'{"detail": "because"}', "because"),
    (b'{"field_errors": {"username": ["too short", "taken"]}}', "username: too short, taken"),
    (b'{"src": ["no such path"]}', "no such path"),
    (b'["because", {"x": 1}]', "because"),
    (b'"because"', "because"),
    (b"17", "17"),
    (b"because, in plain words", "because, in plain words"),
    (b"<p>", "<p>"),
    (b"{", "{"),
    (b"null", "400"),
    (b"[]", "400"),
    (b"", "400"),
    (b"\xff\xfe\x00", "400"),
    (b"[" * 100_000, "400"),
]


@pytest.mark.parametrize(("body", "said"), BODIES, ids=range(len(BODIES)))
def test_f11_a_body_of_any_shape(stage: Stage, body: bytes, said: str) -> None:
    """Broken by a body whose shape was not thought of: the vendor's own client raised a TypeError."""
    path = stage.file(body, "body")
    stage.fault(INFO, f"status 400 'body=file:{path}'")
    with pytest.raises(BadRequest) as caught:
        stage.client().stat("/a")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("options", [{"html_404": True}, {"error_as_array": True}])
def test_f11_a_404_of_any_shape(stage: Stage, options: Dict[str, Any]) -> None:
    stage.site.configure(**options)
    api = stage.client()
    assert not api.exists("/missing")
    with pytest.raises(NotFound) as caught:
        api.stat("/missing")
    assert "<" not in str(caught.value)


# -- F12 ----------------------------------------------------------------------------------------------------

LOST = ["lose-answer", "status 502", "status 504"]
#: What may do its work twice when it is made twice.
ONCE: Dict[str, Any] = {
    LINK: lambda api: api.create_link("/a"),
    MOVE: lambda api: api.move("/a", "/b"),
    REMOVE: lambda api: api.remove("/a"),
    "POST /api/2/path/oper/copy/": lambda api: api.copy("/a", "/d"),
    "POST /api/2/user/": lambda api: api.post("/user", username="bob", name="Bob", email="b@x.org", password="p"),
}


@pytest.mark.parametrize("effect", LOST)
@pytest.mark.parametrize("match", ONCE, ids=lambda match: match.rstrip("/").split("/")[-1])
def test_f12_what_must_not_be_repeated_is_not(stage: Stage, match: str, effect: str) -> None:
    """Broken by a second request: two links, two copies, or a 404 for what was removed as asked."""
    stage.site.mkdir("/d")
    stage.fault(match, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        ONCE[match](stage.client())
    assert stage.count(match) == 1
    if match == LINK:
        assert len(stage.site.links()) == (effect == "lose-answer")


def test_f12_a_raw_operation_likewise(stage: Stage) -> None:
    stage.fault(MOVE, "lose-answer")
    with pytest.raises(OutcomeUnknown):
        stage.client().post("/path/oper/move/", src="/a", dst="/b")
    assert (stage.count(MOVE), stage.stored()) == (1, {"/b": b"data"})


@pytest.mark.parametrize(("effect", "done"), [("lose-answer", True), ("reset-before", False)])
@pytest.mark.parametrize("match", [MKDIR, RENAME], ids=["mkdir", "rename"])
def test_f12_what_can_be_looked_up_is(stage: Stage, match: str, effect: str, done: bool) -> None:
    """Broken by an error though the thing was done, or by a success though it was not."""
    stage.fault(match, effect)
    api = stage.client()

    def act() -> Any:
        return api.mkdir("/d") if match == MKDIR else api.rename("/a", "/d")

    if done:
        assert act().path == "/d"
    else:
        with pytest.raises(OutcomeUnknown):
            act()
    assert api.exists("/d") is done
    assert stage.count(match) == 1


@pytest.mark.parametrize("match", [CHECKSUM, TASK, INFO, "GET /api/2/link/", "DELETE /api/2/link/*"])
def test_f12_what_may_be_repeated_is(stage: Stage, match: str) -> None:
    api = stage.client()
    link = api.create_link("/a")
    stage.fault(match, "lose-answer", times=2)
    assert api.checksum("/a", "MD5") == "8d777f385d3dfec8815d20f7496026dc"
    assert api.stat("/a").size == 4
    assert [found.uid for found in api.links()] == [link.uid]
    api.delete_link(link)
    assert stage.site.links() == []


# -- F48 ----------------------------------------------------------------------------------------------------


def _states(stage: Stage, *states: Any, last: int = 1) -> None:
    """What the polls say, one after the other; the last of it ``last`` times."""
    for number, state in enumerate(states):
        result = state if isinstance(state, dict) else {"status": state, "result": {}}
        content = json.dumps({"uuid": "1", "result": result}).encode()
        stage.answer(TASK, content, times=last if number == len(states) - 1 else 1)


def test_f48_a_task_that_never_ends(stage: Stage) -> None:
    """Broken by a wait without an end, or by polls without a pause."""
    stage.site.configure(task_polls=10_000)
    clock = Polling()
    api = stage.client(clock=clock)
    seen: List[Any] = []
    with pytest.raises(WaitTimeout, match="after 60 s") as caught:
        api.wait(api.post("/path/oper/move/", src="/a", dst="/b"), 60, progress=seen.append)
    assert caught.value.last.status in ("PENDING", "PROGRESS")
    assert clock.waits[:7] == [0.192, 0.384, 0.768, 1.536, 3.072, 6.144, 6.144]
    assert max(clock.waits) == 6.144
    assert sum(clock.waits) == pytest.approx(60)
    assert len(seen) == stage.count(TASK) == len(clock.waits) + 1
    pickle.loads(pickle.dumps(caught.value))
    stage.site.configure(task_polls=0)


@pytest.mark.parametrize(
    "words",
    [["PENDING", "PROGRESS", "PENDING", "SUCCESS"], ["SLEEPING", "", "success"], ["PROGRESS", "RETRY", "SUCCESS"]],
    ids=["backwards", "unknown words", "retried"],
)
def test_f48_whatever_comes_before_the_end(stage: Stage, words: List[str]) -> None:
    """Broken by a word that ends the wait, or the program."""
    _states(stage, *words)
    clock = Polling()
    assert stage.client(clock=clock).wait("1").status == "SUCCESS"
    assert len(clock.waits) == len(words) - 1


@pytest.mark.parametrize("result", [None, [], "text", 3, {"status": None}, {"status": "PENDING", "result": None}])
def test_f48_a_state_that_says_nothing(stage: Stage, result: Any) -> None:
    stage.answer(TASK, json.dumps({"uuid": "1", "result": result}).encode(), times=2)
    _states(stage, {"status": "SUCCESS", "result": {}})
    assert stage.client(clock=Polling()).wait("1").done


def test_f48_the_status_stands_at_the_top(stage: Stage) -> None:
    stage.answer(TASK, b'{"uuid": "1", "status": "PENDING"}')
    stage.answer(TASK, b'{"uuid": "1", "status": "SUCCESS", "result": null}')
    assert stage.client(clock=Polling()).wait("1").done


@pytest.mark.parametrize("failure", [False, True])
def test_f48_some_paths_fail(stage: Stage, failure: bool) -> None:
    """Broken by a SUCCESS that is taken at its word."""
    stage.site.configure(task_errors={"/a": "Directory is not empty"}, task_failure=failure)
    stage.site.write("/b", b"1")
    with pytest.raises(TaskFailed, match="/a: Directory is not empty") as caught:
        stage.client().remove(["/a", "/b"])
    assert caught.value.failures == {"/a": "Directory is not empty"}
    assert caught.value.task.status == ("FAILURE" if failure else "SUCCESS")
    assert stage.stored() == {"/a": b"data"}, "the other was done"
    assert pickle.loads(pickle.dumps(caught.value)).failures == caught.value.failures


def test_f48_gone_after_success(stage: Stage) -> None:
    """Who has the end does not ask again; who asks later is told that it is gone."""
    _states(stage, "SUCCESS")
    stage.fault(TASK, "status 404", after=1)
    api = stage.client()
    task = api.wait("1")
    assert (task.done, stage.count(TASK)) == (True, 1)
    with pytest.raises(NotFound):
        api.wait(task)


@pytest.mark.parametrize("effect", ["status 503", "reset-before", "status 429 retry-after=0", "lose-answer"])
def test_f48_a_poll_that_fails_is_made_again(stage: Stage, effect: str) -> None:
    stage.site.configure(task_polls=2)
    stage.fault(TASK, effect, times=3, after=1)
    stage.client(clock=Polling()).move("/a", "/b")
    assert stage.stored() == {"/b": b"data"}


def test_f48_a_checksum_that_says_nothing(stage: Stage) -> None:
    """Broken by a checksum that is taken for granted."""
    _states(stage, {"status": "SUCCESS", "result": {"checksums": {}}})
    with pytest.raises(DecodeError):
        stage.client().checksum("/a")
    _states(stage, {"status": "SUCCESS", "result": {"checksums": {"/other": "00"}}})
    with pytest.raises(DecodeError):
        stage.client().checksum("/a")


def test_f48_a_wait_within_a_transfer_ends_with_it(stage: Stage) -> None:
    """Broken by a pause that nobody can interrupt."""
    stage.site.configure(task_polls=10_000)
    cancel = threading.Event()
    stage.fault(TASK, "status 503", after=2)
    watcher: Callable[[], Any] = lambda: (stage.server.faults[0].wait(20), cancel.set())  # noqa: E731
    thread = threading.Thread(target=watcher)
    thread.start()
    with pytest.raises(Cancelled):
        stage.client().upload(("b", b"1"), checksum="md5", cancel=cancel)
    thread.join()


# -- answers that are no success ----------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["replace 204", "replace 304", "replace 301", "replace 200 body=html"])
@pytest.mark.parametrize("match", STEPS, ids=lambda match: match.split("/")[-2])
def test_an_answer_that_is_no_success(stage: Stage, match: str, effect: str) -> None:
    """Broken by a call that counts as done because the status is below 400."""
    stage.fault(match, effect)
    file = match.startswith("GET /api/2/path/data") and "200" in effect
    if file or (match.startswith("DELETE") and "204" in effect):
        STEPS[match](stage.client())
        return
    with pytest.raises(UnexpectedAnswer):
        STEPS[match](stage.client())


def test_a_gateway_that_answers_504_to_every_upload(stage: Stage) -> None:
    stage.fault(UPLOAD, "replace 504 body=html")
    result = stage.client().upload(("b", b"1"))
    assert (result.retries, stage.count(UPLOAD), stage.site.read("/b")) == (1, 1, b"1")


@pytest.mark.parametrize("match", STEPS, ids=lambda match: match.split("/")[-2])
def test_interim_answers(stage: Stage, match: str) -> None:
    stage.fault(match, "interim 103 3")
    link = stage.client().create_link("/a")
    steps = {**STEPS, "DELETE /api/2/link/*": lambda api: api.delete("/link", link.uid)}
    if match == MOVE:
        stage.site.mkdir("/c")
    steps[match](stage.client())
