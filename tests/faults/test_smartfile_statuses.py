"""Answers that say no, answers that are lost, and tasks that do not end: F08, F11, F12, F48."""

from __future__ import annotations

import json
import pickle
import threading
from functools import partial
from typing import Any, Dict, List

import pytest

from smartxfer import errors
from smartxfer.errors import DecodeError, NotFound, OutcomeUnknown
from tests.support.smartfile_harness import CHECKSUM, INFO, TASK, Polling, SmartFileHarness

MOVE = "POST /api/2/path/oper/move/"
MKDIR = "POST /api/2/path/oper/mkdir/"
RENAME = "POST /api/2/path/oper/rename/"
LINK = "POST /api/2/link/"


FRESH = partial(SmartFileHarness, files={"/a": b"data"})


# -- F11 ----------------------------------------------------------------------------------------------------


def test_f11_the_names_of_the_original(harness: SmartFileHarness) -> None:
    harness.fault(INFO, "status 409 body=json:because")
    with pytest.raises(errors.Conflict) as caught:
        harness.client().stat("/a")
    assert (caught.value.status_code, caught.value.detail) == (409, "because")


#: What the error must say, and the bodies with which it must say so.
BODIES = {
    "because": [b'{"detail": "because"}', b'["because", {"x": 1}]', b'"because"', b"because, in plain words"],
    "username: too short, taken": [b'{"field_errors": {"username": ["too short", "taken"]}}'],
    "no such path": [b'{"src": ["no such path"]}'],
    **{word: [word.encode()] for word in ("because, in plain words", "17", "<p>", "{")},
    "400": [b"null", b"[]", b"", b"\xff\xfe\x00", b"[" * 100_000],
}


@pytest.mark.parametrize(
    ("body", "said"), [pytest.param(body, said, id=f"{said}-{body[:10]!r}") for said in BODIES for body in BODIES[said]]
)
def test_f11_a_body_of_any_shape(harness: SmartFileHarness, body: bytes, said: str) -> None:
    """Detect a body whose shape was not thought of: the vendor's own client raised a TypeError."""
    path = harness.file(body, "body")
    harness.fault(INFO, f"status 400 'body=file:{path}'")
    with pytest.raises(errors.BadRequest) as caught:
        harness.client().stat("/a")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("options", [{"html_404": True}, {"error_as_array": True}])
def test_f11_a_404_of_any_shape(harness: SmartFileHarness, options: Dict[str, Any]) -> None:
    harness.site.configure(**options)
    api = harness.client()
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
    f"{MOVE} raw": lambda api: api.post("/path/oper/move/", src="/a", dst="/b"),
    "POST /api/2/path/oper/remove/": lambda api: api.remove("/a"),
    "POST /api/2/path/oper/copy/": lambda api: api.copy("/a", "/d"),
    "POST /api/2/user/": lambda api: api.post("/user", username="bob", name="Bob", email="b@x.org", password="p"),
}


@pytest.mark.parametrize("effect", LOST)
@pytest.mark.parametrize("name", ONCE)
def test_f12_what_must_not_be_repeated_is_not(harness: SmartFileHarness, name: str, effect: str) -> None:
    """Detect a second request: two links, two copies, or a 404 for what was removed as asked."""
    match = name.replace(" raw", "")
    harness.site.mkdir("/d")
    harness.fault(match, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        ONCE[name](harness.client())
    assert harness.count(match) == 1
    if match == LINK:
        assert len(harness.site.links()) == (effect == "lose-answer")
    if match == MOVE:
        assert harness.stored() == {"/b" if effect == "lose-answer" else "/a": b"data"}


@pytest.mark.parametrize(("effect", "done"), [("lose-answer", True), ("reset-before", False)])
@pytest.mark.parametrize("match", [MKDIR, RENAME], ids=["mkdir", "rename"])
def test_f12_what_can_be_looked_up_is(harness: SmartFileHarness, match: str, effect: str, done: bool) -> None:
    """Detect an error though the thing was done, or a success though it was not."""
    harness.fault(match, effect)
    api = harness.client()
    act = partial(api.mkdir, "/d") if match == MKDIR else partial(api.rename, "/a", "/d")
    if done:
        assert act().path == "/d"
    else:
        with pytest.raises(OutcomeUnknown):
            act()
    assert api.exists("/d") is done
    assert harness.count(match) == 1


@pytest.mark.parametrize("match", [CHECKSUM, TASK, INFO, "GET /api/2/link/", "DELETE /api/2/link/*"])
def test_f12_what_may_be_repeated_is(harness: SmartFileHarness, match: str) -> None:
    api = harness.client()
    link = api.create_link("/a")
    harness.fault(match, "lose-answer", times=2)
    assert api.checksum("/a", "MD5") == "8d777f385d3dfec8815d20f7496026dc"
    assert api.stat("/a").size == 4
    assert [found.uid for found in api.links()] == [link.uid]
    api.delete_link(link)
    assert harness.site.links() == []


# -- F48 ----------------------------------------------------------------------------------------------------


def _states(harness: SmartFileHarness, *states: Any) -> None:
    """Plan the members of the responses to successive polls; a text is a status."""
    for state in states:
        members = {"result": {"status": state, "result": {}}} if isinstance(state, str) else state
        harness.answer(TASK, json.dumps({"uuid": "1", **members}).encode())


def test_f48_a_task_that_never_ends(harness: SmartFileHarness) -> None:
    """Detect a wait without an end, or polls without a pause."""
    harness.site.configure(task_polls=10_000)
    clock = Polling()
    api = harness.client(clock=clock)
    seen: List[Any] = []
    with pytest.raises(errors.WaitTimeout, match="after 60 s") as caught:
        api.wait(api.post("/path/oper/move/", src="/a", dst="/b"), 60, progress=seen.append)
    assert caught.value.last.status in ("PENDING", "PROGRESS")
    assert clock.waits[:7] == [0.192, 0.384, 0.768, 1.536, 3.072, 6.144, 6.144]
    assert max(clock.waits) == 6.144
    assert sum(clock.waits) == pytest.approx(60)
    assert len(seen) == harness.count(TASK) == len(clock.waits) + 1
    pickle.loads(pickle.dumps(caught.value))
    harness.site.configure(task_polls=0)


#: States of a task before its end.
STATES: Dict[str, List[Any]] = {
    "backwards": ["PENDING", "PROGRESS", "PENDING"],
    "unknown words": ["SLEEPING", ""],
    "retried": ["PROGRESS", "RETRY"],
    "at the top": [{"status": "PENDING"}],
    **{
        f"says nothing: {result!r}": [{"result": result}] * 2
        for result in (None, [], "text", 3, {"status": None}, {"status": "PENDING", "result": None})
    },
}


@pytest.mark.parametrize("end", ["SUCCESS", "success", {"status": "SUCCESS", "result": None}], ids=str)
@pytest.mark.parametrize("case", STATES)
def test_f48_whatever_comes_before_the_end(harness: SmartFileHarness, case: str, end: Any) -> None:
    """Fails if a word ends the wait, or the program."""
    _states(harness, *STATES[case], end)
    clock = Polling()
    task = harness.client(clock=clock).wait("1")
    assert (task.done, task.status, len(clock.waits)) == (True, "SUCCESS", len(STATES[case]))


@pytest.mark.parametrize("failure", [False, True])
def test_f48_some_paths_fail(harness: SmartFileHarness, failure: bool) -> None:
    """Fails if a SUCCESS is taken at its word."""
    harness.site.configure(task_errors={"/a": "Directory is not empty"}, task_failure=failure)
    harness.site.write("/b", b"1")
    with pytest.raises(errors.TaskFailed, match="/a: Directory is not empty") as caught:
        harness.client().remove(["/a", "/b"])
    assert caught.value.failures == {"/a": "Directory is not empty"}
    assert caught.value.task.status == ("FAILURE" if failure else "SUCCESS")
    assert harness.stored() == {"/a": b"data"}, "the other was done"
    assert pickle.loads(pickle.dumps(caught.value)).failures == caught.value.failures


def test_f48_gone_after_success(harness: SmartFileHarness) -> None:
    """A call that has seen the end does not ask again; a later call gets an error that the task is gone."""
    _states(harness, "SUCCESS")
    harness.fault(TASK, "status 404", after=1)
    api = harness.client()
    task = api.wait("1")
    assert (task.done, harness.count(TASK)) == (True, 1)
    with pytest.raises(NotFound):
        api.wait(task)


@pytest.mark.parametrize("effect", ["status 503", "reset-before", "status 429 retry-after=0", "lose-answer"])
def test_f48_a_poll_that_fails_is_made_again(harness: SmartFileHarness, effect: str) -> None:
    harness.site.configure(task_polls=2)
    harness.fault(TASK, effect, times=3, after=1)
    harness.client(clock=Polling()).move("/a", "/b")
    assert harness.stored() == {"/b": b"data"}


def test_f48_a_checksum_that_says_nothing(harness: SmartFileHarness) -> None:
    """Fails if a checksum is taken for granted."""
    for checksums in ({}, {"/other": "00"}):
        _states(harness, {"result": {"status": "SUCCESS", "result": {"checksums": checksums}}})
        with pytest.raises(DecodeError):
            harness.client().checksum("/a")


def test_f48_a_wait_within_a_transfer_ends_with_it(harness: SmartFileHarness) -> None:
    """Fails if a pause cannot be interrupted."""
    harness.site.configure(task_polls=10_000)
    cancel = threading.Event()
    harness.fault(TASK, "status 503", after=2)
    thread = threading.Thread(target=lambda: (harness.server.faults[0].wait(20), cancel.set()))
    thread.start()
    with pytest.raises(errors.Cancelled):
        harness.client().upload(("b", b"1"), checksum="md5", cancel=cancel)
    thread.join()
