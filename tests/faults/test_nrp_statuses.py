"""Answers that say no, or later, or are lost; fetches that do not end: F08 to F12, F48."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer.errors import (
    BadRequest,
    DecodeError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TaskFailed,
    WaitTimeout,
)
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import CONTENT, CREATE, ENTRY, INIT, MIB, PART, NRPHarness, Polling
from tests.support.timeouts import patient

DATA = noise(2 * MIB)
PUBLISH = "POST /api/records/*/draft/actions/publish"
UPDATE = "PUT /api/records/*/draft"
METADATA: Dict[str, Any] = {
    "metadata": {
        "title": "My data",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-11-20",
        "publisher": "P",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    }
}
SHARED = NRPHarness


# -- F09, F10: later ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 503])
def test_f09_a_part_is_turned_away(harness: NRPHarness, code: int) -> None:
    record = harness.site.create()
    data = noise(5 * MIB + 1)
    clock = Polling()
    fault = harness.fault(PART, f"status {code} retry-after=2", after=1)
    api = harness.client(clock=clock, retry=RetryPolicy(), max_workers=1)
    file = api.files.upload(record, "a.bin", None, data, "multipart", part_size=5 * MIB)
    assert (clock.waits, fault.fired, file.result.retries) == ([2.0], 1, 1)
    assert harness.site.read(record, "a.bin") == data


@pytest.mark.parametrize("code", [500, 502, 504])
def test_f10_retry_after_means_nothing_elsewhere(harness: NRPHarness, code: int) -> None:
    """Fails if the client waits for the rest of the window: every response of a real server has the header."""
    record = harness.site.create()
    clock = Polling()
    fault = harness.fault(INIT, f"status {code} retry-after=50")
    api = harness.client(clock=clock, retry=RetryPolicy())
    if code == 500:
        with pytest.raises(ServerError) as caught:  # what came of it is the server's own failure
            api.files.upload(record, "a.bin", None, DATA)
        assert caught.value.retry_after is None
    else:
        api.files.upload(record, "a.bin", None, DATA)
        assert harness.site.read(record, "a.bin") == DATA
    assert (max(clock.waits, default=0.0) <= 0.5, fault.fired) == (True, 1)


def test_f10_a_window_that_is_used_up(tmp_path: Path) -> None:
    """Detect calls into a window that the repository said is used up: pace is kept before it must refuse."""
    with NRPHarness(tmp_path) as harness:
        record = harness.site.create()
        clock = Polling(wait1=lambda: harness.site.configure(rate_limit=1000))
        api = harness.client(clock=clock, retry=RetryPolicy(), max_workers=1)
        api.files.list(record)
        harness.site.configure(rate_limit=harness.count("* *") + 4, rate_window=60)
        files = [(f"{number}.bin", noise(1000, number)) for number in range(4)]
        api.files.upload_many(record, files)
        assert {key: harness.site.read(record, key) for key, _ in files} == dict(files)
        assert clock.waits, "nothing was waited for"
        assert 0 < clock.waits[0] <= 60
        assert harness.count("* *", 429) == 0, "nothing was sent to be refused"


@pytest.mark.slow
def test_f10_windows_of_a_real_second(tmp_path: Path) -> None:
    """Real refusals, waited out by the real clock."""
    with NRPHarness(tmp_path) as harness:
        record = harness.site.create()
        api = harness.client(retry=RetryPolicy())
        api.files.list(record)
        harness.site.configure(rate_limit=8, rate_window=1)
        files = [(f"{number}.bin", noise(1000, number)) for number in range(8)]
        started = time.monotonic()
        api.files.upload_many(record, files)
        assert time.monotonic() - started > 1
        assert {key: harness.site.read(record, key) for key, _ in files} == dict(files)


# -- F11: no ------------------------------------------------------------------------------------------------

def test_f11_the_fields_that_are_wrong(harness: NRPHarness) -> None:
    """Fails if an error says no more than 400."""
    record = harness.site.create()
    body = {"status": 400, "message": "A validation error occurred.", "errors": [{"field": "0.key", "messages": ["no"]}]}
    path = harness.file(json.dumps(body).encode(), "body")
    harness.fault(INIT, f"status 400 'body=file:{path}'")
    with pytest.raises(BadRequest, match=r"A validation error occurred\.; 0\.key: no") as caught:
        harness.client().files.upload(record, "a.bin", None, b"1")
    error: Any = caught.value
    assert error.errors == body["errors"]


def test_f11_an_unknown_user_is_an_error(harness: NRPHarness) -> None:
    """A wrong token makes a guest: the hint says where to look."""
    record = harness.site.create()
    with pytest.raises((Forbidden, NotFound)) as caught:
        harness.client(token="unknown").files.upload(record, "a.bin", None, b"1")
    if isinstance(caught.value, Forbidden):
        assert "whoami" in str(caught.value.hint)
    assert harness.count(CONTENT) == 0


# -- F12: lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "reset-before"])
def test_f12_a_record_is_never_made_twice(harness: NRPHarness, effect: str) -> None:
    """Detect a second draft."""
    before = len(harness.site.drafts())
    harness.fault(CREATE, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        harness.client().records.create(METADATA)
    assert harness.count(CREATE) == 1
    assert len(harness.site.drafts()) == before + (effect == "lose-answer")


@pytest.mark.parametrize("effect", ["lose-answer", "no-answer"])
def test_f12_a_lost_publication_is_looked_up(harness: NRPHarness, effect: str) -> None:
    """Detect a repeat, whose 404 would be taken for a failure."""
    api = harness.client(timeout=patient(0.5) if effect == "no-answer" else 10.0)
    draft = api.records.create({**METADATA, "files": {"enabled": False}})
    harness.fault(PUBLISH, effect)
    record = api.records.publish(draft)
    assert (record.id, bool(record.is_published)) == (draft.id, True)
    assert draft.id in harness.site.published()
    assert harness.count(PUBLISH, 404) == 0


@pytest.mark.parametrize("effect", ["reset-before", "status 502", "status 504"])
def test_f12_a_publication_that_did_not_come_about(harness: NRPHarness, effect: str) -> None:
    """Fails if a failure counts as a success."""
    api = harness.client()
    draft = api.records.create({**METADATA, "files": {"enabled": False}})
    fault = harness.fault(PUBLISH, effect)
    try:
        record = api.records.publish(draft)
    except OutcomeUnknown:
        assert draft.id not in harness.site.published()
    else:
        assert record.is_published
        assert draft.id in harness.site.published()
    assert fault.fired == 1


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 502"])
def test_f12_what_may_be_repeated_is(harness: NRPHarness, effect: str) -> None:
    api = harness.client()
    draft = api.records.create(METADATA)
    draft.metadata["title"] = "Another title"
    harness.fault(UPDATE, effect)
    assert api.records.update(draft).metadata["title"] == "Another title"


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 504"])
def test_f12_a_file_is_deleted_once(harness: NRPHarness, effect: str) -> None:
    """Detect the 404 of a repeat."""
    record = harness.site.create(files={"a.bin": DATA})
    harness.fault("DELETE *", effect)
    harness.client().files.delete(record, "a.bin")
    assert harness.site.entries(record) == []
    with pytest.raises(NotFound):
        harness.client().files.delete(record, "a.bin")


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before"])
def test_f12_a_fetch_is_begun_once(tmp_path: Path, effect: str) -> None:
    """Fails if the same file is fetched twice, or if a fetch is deleted as if another client had started it."""
    with NRPHarness(tmp_path, fetch_hosts=["127.0.0.1:9"], fetch_delay=60.0) as harness:
        record = harness.site.create()
        fault = harness.fault(INIT, effect)
        api = harness.client(token=harness.site.superuser_token)
        file = api.files.upload(record, "a.bin", None, "http://127.0.0.1:9/a", "url-fetch")
        assert (file.status, file.transfer.type, fault.fired) == ("pending", "F", 1)
        assert len(harness.site.entries(record)) == 1
        assert harness.count(INIT) == (1 if effect == "lose-answer" else 2)


# -- F48: fetches that do not end ---------------------------------------------------------------------------


def _state(**change: Any) -> bytes:
    return json.dumps({"key": "a.bin", "status": "pending", "transfer": {"type": "F"}, "links": {}, **change}).encode()


def test_f48_it_never_ends(harness: NRPHarness) -> None:
    """Detect a wait without an end, or one that polls as fast as it can."""
    record = harness.site.create()
    clock = Polling()
    harness.fault(ENTRY, f"status 200 'body=file:{harness.file(_state(), 'state')}'", times=None)
    with pytest.raises(WaitTimeout, match="pending after 300 s") as caught:
        harness.client(clock=clock).files.wait_fetch(record, "a.bin", timeout=300.0)
    assert caught.value.last.status == "pending"
    assert sum(clock.waits) == pytest.approx(300.0)
    assert max(clock.waits) <= 10.0
    assert len(clock.waits) < 60


def test_f48_unknown_words_and_backward_steps(harness: NRPHarness) -> None:
    """Fails for a word that was not thought of."""
    record = harness.site.create()
    seen = ["pending", "reticulating", "pending"]
    for number, state in enumerate([*seen, "completed"]):
        harness.answer(ENTRY, _state(status=state), after=number)
    statuses = []
    file = harness.client(clock=Polling()).files.wait_fetch(record, "a.bin", progress=lambda one: statuses.append(one.status))
    assert (file.status, statuses) == ("completed", [*seen, "completed"])


@pytest.mark.parametrize("error", ["no route", "<html>not found</html>", None, {"odd": 1}])
def test_f48_it_failed(harness: NRPHarness, error: Any) -> None:
    record = harness.site.create()
    harness.answer(ENTRY, _state(status="failed", transfer={"type": "F", "error": error}))
    with pytest.raises(TaskFailed, match=r"could not fetch a\.bin") as caught:
        harness.client(clock=Polling()).files.wait_fetch(record, "a.bin")
    assert caught.value.task.status == "failed"


@pytest.mark.parametrize(("effect", "kind"), [("status 404", NotFound), ("status 200 body=html", DecodeError)])
def test_f48_it_is_gone(harness: NRPHarness, effect: str, kind: Any) -> None:
    record = harness.site.create()
    harness.answer(ENTRY, _state())
    harness.fault(ENTRY, effect, times=1, after=1)
    with pytest.raises(kind):
        harness.client(clock=Polling()).files.wait_fetch(f"{harness.url}/api/records/{record}/draft/files/a.bin")


def test_f48_a_passing_failure_does_not_end_the_wait(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.answer(ENTRY, _state())
    harness.fault(ENTRY, "status 503", times=2, after=1)
    harness.answer(ENTRY, _state(status="completed"), after=3)
    file = harness.client(clock=Polling()).files.wait_fetch(f"{harness.url}/api/records/{record}/draft/files/a.bin")
    assert file.status == "completed"
