"""Answers that say no, or later, or are lost; fetches that do not end: F10 to F12, F48."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer import errors
from smartxfer.nrp import File, get_client
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import CONTENT, CREATE, ENTRY, INIT, MIB, NRPHarness, Polling, Served
from tests.support.raw_server import RawServer, answering
from tests.support.timeouts import patient

DATA = noise(2 * MIB)
SMALL = DATA[:1000]
PUBLISH = "POST /api/records/*/draft/actions/publish"
METADATA: Dict[str, Any] = {
    "metadata": {
        "title": "My data",
        "resource_type": {"id": "dataset"},
        "publication_date": "2026-11-20",
        "publisher": "P",
        "creators": [{"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo"}}],
    }
}
FILES = {f"{number}.bin": noise(1000, number) for number in range(8)}
SHARED = NRPHarness


# -- F10: later ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [500, 502, 504])
def test_f10_retry_after_means_nothing_elsewhere(harness: NRPHarness, code: int) -> None:
    """Fails if the client waits for the rest of the window: every response of a real server has the header."""
    clock = Polling()
    fault = harness.fault(INIT, f"status {code} retry-after=50")
    if code == 500:
        with pytest.raises(errors.ServerError) as caught:  # what came of it is the server's own failure
            harness.send(DATA, clock=clock, retry=RetryPolicy())
        assert caught.value.retry_after is None
    else:
        harness.send(DATA, clock=clock, retry=RetryPolicy())
        assert harness.held() == {"a.bin": DATA}
    assert (max(clock.waits, default=0.0) <= 0.5, fault.fired) == (True, 1)


def test_f10_a_window_that_is_used_up(tmp_path: Path) -> None:
    """Detect calls into a window that the repository said is used up: pace is kept before it must refuse."""
    with NRPHarness(tmp_path) as harness:
        clock = Polling(wait1=lambda: harness.site.configure(rate_limit=1000))
        api = harness.client(clock=clock, retry=RetryPolicy(), max_workers=1)
        api.files.list(harness.draft)
        harness.site.configure(rate_limit=harness.count("* *") + 4, rate_window=60)
        api.files.upload_many(harness.draft, list(FILES.items())[:4])
        assert harness.held() == dict(list(FILES.items())[:4])
        assert clock.waits, "nothing was waited for"
        assert 0 < clock.waits[0] <= 60
        assert harness.count("* *", 429) == 0, "nothing was sent to be refused"


def test_f10_a_window_that_downloads_use_up(tmp_path: Path) -> None:
    """Fails if a pace is kept only once the server refuses: a 429 costs a request of the next window."""
    info = b'{"invenio_version": "14", "name": "n", "transfers": ["L"], "links": {}}'

    def reply(request: Any, peer: Any) -> None:
        if request.path.endswith("/content"):
            peer.answer(200, SMALL, "X-RateLimit-Remaining: 0", "Retry-After: 9")
        else:
            peer.answer(200, info, "Content-Type: application/json", "Retry-After: 9", "X-RateLimit-Remaining: 7")

    clock = Polling()
    with RawServer(answering(reply)) as server:
        links = {"self": f"{server.url}/api/records/abcde-12345/files/a.bin"}
        file = File.from_wire({"key": "a.bin", "size": len(SMALL), "links": links})
        with get_client(server.url, token="t", clock=clock) as api:
            for number in range(3):
                assert api.files.download(file, tmp_path / f"{number}").read_bytes() == SMALL
                assert clock.waits == [9.0] * number
    assert sum(request.path.endswith("/content") for request in server.requests) == 3


@pytest.mark.slow
def test_f10_windows_of_a_real_second(tmp_path: Path) -> None:
    """Real refusals, waited out by the real clock."""
    with NRPHarness(tmp_path) as harness:
        api = harness.client(retry=RetryPolicy())
        api.files.list(harness.draft)
        harness.site.configure(rate_limit=8, rate_window=1)
        started = time.monotonic()
        api.files.upload_many(harness.draft, list(FILES.items()))
        assert time.monotonic() - started > 1
        assert harness.held() == FILES


# -- F11: no ------------------------------------------------------------------------------------------------


def test_f11_the_fields_that_are_wrong(harness: NRPHarness) -> None:
    """Fails if an error says no more than 400."""
    body = {"status": 400, "message": "A validation error occurred.", "errors": [{"field": "0.key", "messages": ["no"]}]}
    path = harness.file(json.dumps(body).encode(), "body")
    harness.fault(INIT, f"status 400 'body=file:{path}'")
    with pytest.raises(errors.BadRequest, match=r"A validation error occurred\.; 0\.key: no") as caught:
        harness.send(b"1")
    assert caught.value.errors == body["errors"]


def test_f11_an_unknown_user_is_an_error(local: Served) -> None:
    """The repository does not answer a wrong token with 401; the hint says how to check the token."""
    draft = local.record(SMALL)
    for call in (
        lambda api: api.upload(draft, "b.bin", None, b"1"),
        lambda api: api.download(draft, "a.bin", local.out),
    ):
        with pytest.raises(errors.Forbidden) as caught:
            call(local.client(token="unknown").files)
        assert "whoami" in str(caught.value.hint)
    assert local.count(CONTENT) == 0
    assert local.fetch(local.small, token="unknown").path.read_bytes() == SMALL


# -- F12: lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "reset-before"])
def test_f12_a_record_is_never_made_twice(harness: NRPHarness, effect: str) -> None:
    """Detect a second draft."""
    before = len(harness.site.drafts())
    harness.fault(CREATE, effect)
    with pytest.raises(errors.OutcomeUnknown, match="may exist"):
        harness.client().records.create(METADATA)
    assert (harness.count(CREATE), len(harness.site.drafts())) == (1, before + (effect == "lose-answer"))


@pytest.mark.parametrize("effect", ["lose-answer", "no-answer", "reset-before", "status 502", "status 504"])
def test_f12_a_lost_publication_is_looked_up(harness: NRPHarness, effect: str) -> None:
    """Detect a repeat, whose 404 would be taken for a failure, and a failure that counts as a success."""
    api = harness.client(timeout=patient(0.5) if effect == "no-answer" else 10.0)
    draft = api.records.create({**METADATA, "files": {"enabled": False}})
    fault = harness.fault(PUBLISH, effect)
    try:
        record = api.records.publish(draft)
    except errors.OutcomeUnknown:
        assert "answer" not in effect, "it was published"
        assert draft.id not in harness.site.published()
    else:
        assert (record.id, bool(record.is_published), harness.count(PUBLISH, 404)) == (draft.id, True, 0)
        assert draft.id in harness.site.published()
    assert fault.fired == 1


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 502"])
def test_f12_what_may_be_repeated_is(harness: NRPHarness, effect: str) -> None:
    api = harness.client()
    draft = api.records.create(METADATA)
    draft.metadata["title"] = "Another title"
    harness.fault("PUT /api/records/*/draft", effect)
    assert api.records.update(draft).metadata["title"] == "Another title"


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 504"])
def test_f12_a_file_is_deleted_once(harness: NRPHarness, effect: str) -> None:
    """Detect the 404 of a repeat."""
    harness.site.write(harness.draft, "a.bin", DATA)
    harness.fault("DELETE *", effect)
    harness.client().files.delete(harness.draft, "a.bin")
    assert harness.states() == {}
    with pytest.raises(errors.NotFound):
        harness.client().files.delete(harness.draft, "a.bin")


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before"])
def test_f12_a_fetch_is_begun_once(tmp_path: Path, effect: str) -> None:
    """Fails if the same file is fetched twice, or if a fetch is deleted as if another client had started it."""
    with NRPHarness(tmp_path, fetch_hosts=["127.0.0.1:9"], fetch_delay=60.0) as harness:
        fault = harness.fault(INIT, effect)
        file = harness.send("http://127.0.0.1:9/a", transfer_type="url-fetch", token=harness.site.superuser_token)
        assert (file.status, file.transfer.type, fault.fired) == ("pending", "F", 1)
        assert (len(harness.states()), harness.count(INIT)) == (1, 1 if effect == "lose-answer" else 2)


# -- F48: fetches that do not end ---------------------------------------------------------------------------


def _state(**change: Any) -> bytes:
    return json.dumps({"key": "a.bin", "status": "pending", "transfer": {"type": "F"}, "links": {}, **change}).encode()


def _wait(harness: NRPHarness, clock: Any = None, **options: Any) -> Any:
    """Wait by the address of the file, or with a clock of its own by the id of the record and the key."""
    url = f"{harness.url}/api/records/{harness.draft}/draft/files/a.bin"
    words = (harness.draft, "a.bin") if clock else (url,)
    return harness.client(clock=clock or Polling()).files.wait_fetch(*words, **options)


def test_f48_it_never_ends(harness: NRPHarness) -> None:
    """Detect a wait without an end, or one that polls as fast as it can."""
    clock = Polling()
    harness.fault(ENTRY, f"status 200 'body=file:{harness.file(_state(), 'state')}'", times=None)
    with pytest.raises(errors.WaitTimeout, match="pending after 300 s") as caught:
        _wait(harness, clock, timeout=300.0)
    assert (caught.value.last.status, sum(clock.waits)) == ("pending", pytest.approx(300.0))
    assert max(clock.waits) <= 10.0
    assert len(clock.waits) < 60


def test_f48_unknown_words_and_backward_steps(harness: NRPHarness) -> None:
    """Fails for a word that was not thought of; the file can be downloaded after the wait."""
    harness.site.write(harness.draft, "a.bin", SMALL)
    links = dict(harness.client().files.read(harness.draft, "a.bin")["links"])
    seen = ["pending", "reticulating", "pending", "completed"]
    for number, state in enumerate(seen):
        harness.answer(ENTRY, _state(status=state, links=links), after=number)
    clock, statuses = Polling(), []
    file = _wait(harness, clock, progress=lambda one: statuses.append(one.status))
    assert (file.status, statuses, len(clock.waits)) == ("completed", seen, 3)
    assert harness.client().files.download(file, harness.directory / "a").read_bytes() == SMALL


@pytest.mark.parametrize("error", ["no route", "<html>not found</html>", None, {"odd": 1}])
def test_f48_it_failed(harness: NRPHarness, error: Any) -> None:
    harness.answer(ENTRY, _state(status="failed", transfer={"type": "F", "error": error}))
    with pytest.raises(errors.TaskFailed, match=r"could not fetch a\.bin") as caught:
        _wait(harness)
    assert caught.value.task.status == "failed"


@pytest.mark.parametrize(
    ("effect", "kind"), [("status 404", errors.NotFound), ("status 200 body=html", errors.DecodeError)]
)
def test_f48_it_is_gone(harness: NRPHarness, effect: str, kind: Any) -> None:
    harness.answer(ENTRY, _state())
    harness.fault(ENTRY, effect, times=1, after=1)
    with pytest.raises(kind):
        _wait(harness)


def test_f48_a_passing_failure_does_not_end_the_wait(harness: NRPHarness) -> None:
    harness.answer(ENTRY, _state())
    harness.fault(ENTRY, "status 503", times=2, after=1)
    harness.answer(ENTRY, _state(status="completed"), after=3)
    assert _wait(harness).status == "completed"
