"""Answers of Perseus and of its storage that say no, or later; waits that do not end: F08 to F11, F48."""

from __future__ import annotations

import json
import pickle
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.errors import AuthError, DecodeError, NotFound, WaitTimeout
from smartxfer.perseus import File
from tests.support.perseus_harness import ALL, CREATE, DATA, FIND, PUT, PerseusHarness, Polling

SMALL = DATA[:1000]
SHARED = PerseusHarness


# -- F08: failures that pass --------------------------------------------------------------------------------


def test_f08_create_is_not_repeated_after_a_failure_of_its_own(harness: PerseusHarness) -> None:
    """The server itself failed and may have created the record: a repeat could create a second one."""
    fault = harness.fault(CREATE, "status 500 body=json:disk_is_gone")
    with pytest.raises(errors.ServerError, match="disk_is_gone"):
        harness.client().file.upload_file(("a.bin", SMALL))
    assert (fault.fired, harness.count(CREATE), harness.count(PUT)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (400, "RequestTimeout"), (400, "BadDigest")]
)
def test_f08_words_of_the_storage(harness: PerseusHarness, status: int, code: str) -> None:
    """F08, F13: also content whose digest the storage refuses is sent again."""
    fault = harness.fault(PUT, f"status {status} body=json:{code}", times=2)
    harness.client().file.upload_file(("a.bin", SMALL))
    assert (fault.fired, harness.held()) == (2, {"a.bin": SMALL})


# -- F11: no ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (404, "NoSuchBucket"),
        (400, "EntityTooLarge"),
        (501, "NotImplemented"),
    ],
)
def test_f11_the_storage_refuses(harness: PerseusHarness, status: int, code: str) -> None:
    """Detect a repeat, an error without the word that says why, or a record that stays."""
    fault = harness.fault(PUT, f"status {status} body=json:{code}", times=None)
    with pytest.raises(errors.StorageError, match=f"{status} {code}") as caught:
        harness.client().file.upload_file(("a.bin", SMALL))
    error = caught.value
    assert (fault.fired, error.status, error.code, error.expired) == (1, status, code, False)
    assert error.request_id
    assert harness.site.records() == []
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code, copy.request_id) == (str(error), code, error.request_id)


def test_f11_409_without_a_record(harness: PerseusHarness) -> None:
    """Known, yet not to be found: broken by a loop without an end."""
    fault = harness.fault(CREATE, "status 409 body=json:known", times=None)
    with pytest.raises(errors.Conflict, match="known"):
        harness.client().file.upload_file(("a.bin", SMALL))
    assert 1 <= fault.fired <= 6
    assert harness.count(PUT) == 0


def test_f11_a_list_of_what_is_wrong(harness: PerseusHarness) -> None:
    """Fails if an error says no more than Bad Request."""
    body = {"message": ["name should not be empty", "sourceHash must be a hash"], "error": "Bad Request"}
    harness.fault(CREATE, f"status 400 'body=file:{harness.file(json.dumps(body).encode(), 'body')}'")
    with pytest.raises(errors.BadRequest, match="name should not be empty; sourceHash must be a hash"):
        harness.client().file.upload_file(("a.bin", SMALL))


def test_f11_an_unknown_user_is_an_error(harness: PerseusHarness) -> None:
    with pytest.raises(AuthError, match="PERSEUS_API_KEY"):
        harness.client(api_key="unknown").file.upload_file(("a.bin", SMALL))
    assert harness.count(ALL) == harness.count(ALL, 401) == 1


# -- F48: waits that do not end -----------------------------------------------------------------------------


def _state(status: str) -> bytes:
    return json.dumps({"files": [{"id": "f1", "name": "a.bin", "status": status}]}).encode()


def test_f48_it_never_ends(harness: PerseusHarness) -> None:
    """Detect a wait without an end, or one that polls as fast as it can."""
    clock = Polling()
    fault = harness.fault(FIND, f"status 200 'body=file:{harness.file(_state('pending'), 'state')}'", times=None)
    with pytest.raises(WaitTimeout, match="300 s") as caught:
        harness.client(clock=clock).file.wait_for_file_upload("f1", timeout=300)
    assert caught.value.last.status == "pending"
    assert sum(clock.waits) == pytest.approx(300.0)
    assert (clock.waits[0] <= 1.0, max(clock.waits) <= 12.5) == (True, True), "10 s, a quarter more or less"
    assert fault.fired == len(clock.waits) + 1 < 60


def test_f48_one_look_is_taken(harness: PerseusHarness) -> None:
    """Detect a time limit that is over before anything was asked."""
    id = harness.site.write("a.bin", SMALL)
    assert harness.client().file.wait_for_file_upload(id, timeout=0).status == "uploaded"


def test_f48_unknown_words_and_backward_steps(harness: PerseusHarness) -> None:
    """Fails for a word that was not thought of."""
    seen = ["pending", "reticulating", "pending"]
    for number, state in enumerate([*seen, "uploaded"]):
        harness.answer(FIND, _state(state), after=number)
    reported: List[File] = []
    file = harness.client(clock=Polling()).file.wait_for_file_upload("f1", progress=reported.append)
    assert (file.status, [str(one.status) for one in reported]) == ("uploaded", [*seen, "uploaded"])


def test_f48_it_failed(harness: PerseusHarness) -> None:
    id = harness.site.write("a.bin", SMALL, status="failed")
    clock = Polling()
    with pytest.raises(errors.UploadFailed, match=r"a\.bin") as caught:
        harness.client(clock=clock).file.wait_for_file_upload(id)
    assert (caught.value.file.id, clock.waits) == (id, [])


@pytest.mark.parametrize(
    ("effect", "kind"),
    [("status 404", NotFound), ("status 401", AuthError), ("status 200 body=html", DecodeError), (None, NotFound)],
)
def test_f48_it_is_gone(harness: PerseusHarness, effect: Any, kind: Any) -> None:
    harness.answer(FIND, _state("pending"))
    if effect:
        harness.fault(FIND, effect, after=1)
    with pytest.raises(kind):
        harness.client(clock=Polling()).file.wait_for_file_upload("f1")
    assert harness.count(FIND) == 2


@pytest.mark.parametrize("effect", ["status 503", "reset-before", "truncate 5"])
def test_f48_a_passing_failure_does_not_end_the_wait(harness: PerseusHarness, effect: str) -> None:
    """More of them in a row than one request is tried."""
    id = harness.site.write("a.bin", SMALL)
    fault = harness.fault(FIND, effect, times=14)
    file = harness.client(clock=Polling()).file.wait_for_file_upload(id)
    assert (file.status, fault.fired) == ("uploaded", 14)


def test_f48_a_failure_that_does_not_pass_ends_with_the_time(harness: PerseusHarness) -> None:
    harness.fault(FIND, "status 503", times=None)
    clock = Polling()
    with pytest.raises(WaitTimeout, match="60 s") as caught:
        harness.client(clock=clock).file.wait_for_file_upload("f1", timeout=60)
    assert isinstance(caught.value.__cause__, errors.CommunicationError)
    assert sum(clock.waits) == pytest.approx(60.0)
