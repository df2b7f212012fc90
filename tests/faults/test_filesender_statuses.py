"""Answers that say no: F08 to F10, F12."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer.errors import Conflict, LimitExceeded, NotFound, OutcomeUnknown, ServerError
from smartxfer.filesender.errors import ERRORS
from tests.support.filesender_harness import CHUNK, CHUNK_SIZE, COMPLETE, CREATE, noise

DATA = noise(2 * CHUNK_SIZE + 1)


def test_f08_a_second_run_continues(harness: Any) -> None:
    harness.fault(f"PUT /rest.php/file/*/chunk/{CHUNK_SIZE}", "status 502", times=6)
    path = harness.file(DATA)
    with pytest.raises(ServerError) as caught:
        harness.client().upload_workflow([path], link=True)
    error = caught.value
    assert (error.status, error.method) == (502, "PUT")
    assert error.url.endswith(f"/chunk/{CHUNK_SIZE}")
    assert harness.status != "available"
    transfer = harness.client().upload_workflow([path], link=True)
    assert harness.stored()["a.bin"] == DATA
    assert transfer.results[0].resumed > 0, "the same call continues"


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
    assert type(caught.value) is ERRORS.class_for(kind)
    assert caught.value.code == word
    assert fault.fired == 1


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
