"""Answers that say no: F08 to F10, F12."""

from __future__ import annotations

import pickle
import time
from typing import Any

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    TooLarge,
)
from smartxfer.filesender.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.fake_clock import FakeClock
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, COMPLETE, CREATE, DOWNLOAD, noise

DATA = noise(2 * CHUNK_SIZE + 1)
PASSING = ["500", "502", "502 body=html", "504"]


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize("answer", PASSING)
def test_f08_passes_within_the_tries(harness: Any, answer: str, times: int) -> None:
    harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", f"status {answer}", times=times)
    transfer = harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert harness.stored()["a.bin"] == DATA
    assert transfer.results[0].retries == times


@pytest.mark.parametrize("answer", PASSING)
def test_f08_six_times(harness: Any, answer: str) -> None:
    harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", f"status {answer}", times=6)
    path = harness.file(DATA)
    with pytest.raises(ServerError) as caught:
        harness.client().upload_workflow([path], link=True)
    error = caught.value
    assert (error.status, error.method) == (int(answer[:3]), "PUT")
    assert error.url.endswith(f"/chunk/{CHUNK_SIZE}")
    assert harness.status != "available"
    transfer = harness.client().upload_workflow([path], link=True)
    assert harness.stored()["a.bin"] == DATA
    assert transfer.results[0].resumed > 0, "the same call goes on"


def test_f08_six_times_with_words(harness: Any) -> None:
    harness.fault(CHUNK, "status 503 body=json:undergoing_maintenance", times=6)
    with pytest.raises(ServerError, match="undergoing_maintenance") as caught:
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA)], link=True)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.status, error.code) == (503, "undergoing_maintenance")
    assert error.request_id
    assert error.request_id in str(error)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("transfer_maximum_size_exceeded", LimitExceeded),
        ("storage_not_enough_space_left", LimitExceeded),
        ("file_not_found", NotFound),
        ("cannot_add_data_to_complete_transfer", Conflict),
        ("a_word_of_a_later_release", ServerError),
    ],
)
def test_f08_a_500_with_words_is_not_repeated(harness: Any, word: str, kind: Any) -> None:
    fault = harness.fault(CHUNK, f"status 500 body=json:{word}", times=None)
    with pytest.raises(kind) as caught:
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA)], link=True)
    assert type(caught.value) is ERRORS.kind(kind)
    assert caught.value.code == word
    assert fault.fired == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, AuthError),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, TooLarge),
        (422, BadRequest),
        (418, ClientError),
    ],
)
def test_f08_what_another_try_does_not_mend(harness: Any, status: int, kind: Any) -> None:
    fault = harness.fault(CHUNK, f"status {status}", times=None)
    with pytest.raises(kind) as caught:
        harness.client(concurrent_chunks=1).upload_workflow([harness.file(DATA)], link=True)
    assert type(caught.value) is ERRORS.kind(kind)
    assert fault.fired == 1


def _clock() -> FakeClock:
    return FakeClock(wall=time.time(), chance=0.0)


def test_f09_come_back_in_two_seconds(harness: Any) -> None:
    harness.fault(CHUNK, "status 503 retry-after=2")
    clock = _clock()
    client = harness.client(clock=clock, retry=RetryPolicy(), concurrent_chunks=1)
    client.upload_workflow([harness.file(DATA)], link=True)
    assert clock.waits == [2.0]
    assert harness.stored()["a.bin"] == DATA


@pytest.mark.parametrize("match", [CHUNK, COMPLETE, CREATE], ids=["chunk", "complete", "create"])
def test_f10_a_date_to_come(harness: Any, match: str) -> None:
    """A refused creation may be made again: the server says that it did nothing."""
    fault = harness.fault(match, "status 429 retry-after=date+3")
    clock = _clock()
    client = harness.client(clock=clock, retry=RetryPolicy(), concurrent_chunks=1)
    started = time.monotonic()
    client.upload_workflow([harness.file(DATA)], link=True)
    assert fault.fired == 1
    [wait] = clock.waits
    assert 2.0 <= wait <= 3.0 + time.monotonic() - started, "the fake clock stands still meanwhile"
    assert harness.site.count(CREATE, status=201) == 1


@pytest.mark.parametrize(("value", "wait"), [("date-60", 0.5), ("soon", 0.5)])
def test_f10_a_past_date_and_garbage(harness: Any, value: str, wait: float) -> None:
    harness.fault(CHUNK, f"status 429 retry-after={value}")
    clock = _clock()
    client = harness.client(clock=clock, retry=RetryPolicy(), concurrent_chunks=1)
    client.upload_workflow([harness.file(DATA)], link=True)
    assert clock.waits == [wait]


def test_f10_a_day(harness: Any) -> None:
    fault = harness.fault(CHUNK, "status 429 retry-after=86400", times=None)
    clock = _clock()
    client = harness.client(clock=clock, retry=RetryPolicy(), concurrent_chunks=1)
    with pytest.raises(RateLimited, match="86400 s") as caught:
        client.upload_workflow([harness.file(DATA)], link=True)
    assert caught.value.retry_after == 86400
    assert (fault.fired, clock.waits) == (1, [])


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "status 504 body=json:timeout"])
def test_f12_the_answer_to_the_creation_is_lost(harness: Any, effect: str) -> None:
    harness.fault(CREATE, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert harness.site.count(CREATE) == 1
    assert harness.site.count(CHUNK) == 0
    assert len(harness.site.transfers()) == (effect == "lose-answer")


def test_f12_the_answer_to_an_invitation_is_lost(harness: Any) -> None:
    harness.fault("POST /rest.php/guest", "lose-answer")
    body = {"recipient": "bob@example.net", "from": "ann@example.org"}
    with pytest.raises(OutcomeUnknown, match="may exist"):
        harness.client().create_guest(body)
    assert len(harness.site.mails) == 1


@pytest.mark.parametrize("match", [CHUNK, "PUT /rest.php/file/*", COMPLETE])
def test_f12_what_may_be_repeated_is(harness: Any, match: str) -> None:
    fault = harness.fault(match, "lose-answer", times=2)
    args = {"recipients": ["bob@example.net"]}
    transfer = harness.client().upload_workflow([harness.file(DATA)], args)
    assert fault.fired == 2
    assert (harness.status, harness.stored()["a.bin"]) == ("available", DATA)
    assert [mail["kind"] for mail in harness.site.mails].count("transfer_available") == 1
    assert harness.client().download_files(transfer.recipients[0].token, harness.out)


def test_f12_a_lost_answer_to_the_deletion(harness: Any) -> None:
    transfer = harness.published(DATA)
    harness.fault("DELETE /rest.php/transfer/*", "lose-answer")
    harness.client().transfers.delete(transfer.id)
    assert harness.site.transfers() == []


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 503", "reset-before"])
def test_f08_downloads_likewise(harness: Any, effect: str) -> None:
    transfer = harness.published(DATA)
    fault = harness.fault(DOWNLOAD, effect, times=5)
    [result] = harness.client().download_files(transfer.token, harness.out)
    assert (result.retries, fault.fired) == (5, 5)
    assert (harness.out / "a.bin").read_bytes() == DATA
