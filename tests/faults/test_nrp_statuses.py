"""Answers that say no, or later, or are lost; fetches that do not end: F08 to F12, F48."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.errors import (
    AuthError,
    BadRequest,
    ClientError,
    Conflict,
    DecodeError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    TaskFailed,
    TooLarge,
    WaitTimeout,
)
from smartxfer.nrp.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, CREATE, ENTRY, INIT, MIB, PART, Polling, Stage
from tests.support.nrp_shared_server import again
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
STEPS = pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("server")) as stage:
        yield stage


@pytest.fixture
def stage(server: Stage, tmp_path: Path) -> Iterator[Stage]:
    with again(server, tmp_path) as stage:
        yield stage


# -- F09, F10: later ----------------------------------------------------------------------------------------


@STEPS
@pytest.mark.parametrize("code", [429, 503])
def test_f09_turned_away_twice(stage: Stage, match: str, code: int) -> None:
    """Broken by a body that is not rewound, by an own measure, or by a POST that is not repeated though it may."""
    record = stage.site.create()
    clock = Polling()
    fault = stage.fault(match, f"status {code} retry-after=7", times=2)
    stage.client(clock=clock, retry=RetryPolicy()).files.upload(record, "a.bin", None, stage.file(DATA))
    assert (clock.waits, fault.fired) == ([7.0, 7.0], 2)
    assert stage.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize("code", [429, 503])
def test_f09_a_part_is_turned_away(stage: Stage, code: int) -> None:
    record = stage.site.create()
    data = noise(5 * MIB + 1)
    clock = Polling()
    fault = stage.fault(PART, f"status {code} retry-after=2", after=1)
    api = stage.client(clock=clock, retry=RetryPolicy(), max_workers=1)
    file = api.files.upload(record, "a.bin", None, data, "multipart", part_size=5 * MIB)
    assert (clock.waits, fault.fired, file.result.retries) == ([2.0], 1, 1)
    assert stage.site.read(record, "a.bin") == data


@STEPS
@pytest.mark.parametrize("code", [500, 502, 504])
def test_f10_retry_after_means_nothing_elsewhere(stage: Stage, match: str, code: int) -> None:
    """Broken by a wait for the rest of the window: the header stands on every answer of a real server."""
    record = stage.site.create()
    clock = Polling()
    fault = stage.fault(match, f"status {code} retry-after=50")
    api = stage.client(clock=clock, retry=RetryPolicy())
    if (match, code) == (INIT, 500):
        with pytest.raises(ServerError) as caught:  # what came of it is the server's own failure
            api.files.upload(record, "a.bin", None, DATA)
        assert caught.value.retry_after is None
    else:
        api.files.upload(record, "a.bin", None, DATA)
        assert stage.site.read(record, "a.bin") == DATA
    assert (max(clock.waits, default=0.0) <= 0.5, fault.fired) == (True, 1)


ASKED = {
    "date+3": (2.0, 4.0),
    "date-60": (0.5, 1.0),
    "soon": (0.5, 1.0),
    "-5": (0.5, 1.0),
    "1.5": (1.5, 1.5),
    "0": (0.5, 1.0),
}


@pytest.mark.parametrize("value", ASKED)
@pytest.mark.parametrize("code", [429, 503])
def test_f10_every_way_of_saying_so(stage: Stage, value: str, code: int) -> None:
    """A date, a past one, garbage, a fraction."""
    record = stage.site.create()
    clock = Polling()
    stage.fault(CONTENT, f"status {code} retry-after={value}")
    stage.client(clock=clock, retry=RetryPolicy()).files.upload(record, "a.bin", None, DATA[:1000])
    [wait] = clock.waits
    least, most = ASKED[value]
    assert least <= wait <= most
    assert stage.site.read(record, "a.bin") == DATA[:1000]


@STEPS
@pytest.mark.parametrize("code", [429, 503])
def test_f10_a_day(stage: Stage, match: str, code: int) -> None:
    """Broken by a wait without a cap: the clock would have slept a day."""
    record = stage.site.create()
    clock = Polling()
    stage.fault(match, f"status {code} retry-after=86400")
    with pytest.raises(RateLimited if code == 429 else ServerError, match="86400") as caught:
        stage.client(clock=clock, retry=RetryPolicy()).files.upload(record, "a.bin", None, DATA[:1000])
    assert (caught.value.retry_after, caught.value.status, clock.waits) == (86400, code, [])
    assert stage.site.files(record) == {}


def test_f10_again_and_again(stage: Stage) -> None:
    record = stage.site.create()
    clock = Polling()
    stage.fault(CONTENT, "status 429 retry-after=2", times=6)
    with pytest.raises(RateLimited):
        stage.client(clock=clock, retry=RetryPolicy()).files.upload(record, "a.bin", None, DATA[:1000])
    assert clock.waits == [2.0] * 5
    assert stage.count(COMMIT) == 0


def test_f10_a_window_that_is_used_up(tmp_path: Path) -> None:
    """Broken by calls into a window that the repository said is used up: pace is kept before it must refuse."""
    with Stage(tmp_path) as stage:
        record = stage.site.create()
        clock = Polling(wait1=lambda: stage.site.configure(rate_limit=1000))
        api = stage.client(clock=clock, retry=RetryPolicy(), max_workers=1)
        api.files.list(record)
        stage.site.configure(rate_limit=stage.count("* *") + 4, rate_window=60)
        files = [(f"{number}.bin", noise(1000, number)) for number in range(4)]
        api.files.upload_many(record, files)
        assert {key: stage.site.read(record, key) for key, _ in files} == dict(files)
        assert clock.waits, "nothing was waited for"
        assert 0 < clock.waits[0] <= 60
        assert stage.count("* *", 429) == 0, "nothing was sent to be refused"


@pytest.mark.slow
def test_f10_windows_of_a_real_second(tmp_path: Path) -> None:
    """Real refusals, waited out by the real clock."""
    with Stage(tmp_path) as stage:
        record = stage.site.create()
        api = stage.client(retry=RetryPolicy())
        api.files.list(record)
        stage.site.configure(rate_limit=8, rate_window=1)
        files = [(f"{number}.bin", noise(1000, number)) for number in range(8)]
        started = time.monotonic()
        api.files.upload_many(record, files)
        assert time.monotonic() - started > 1
        assert {key: stage.site.read(record, key) for key, _ in files} == dict(files)


# -- F11: no ------------------------------------------------------------------------------------------------

REFUSALS = [
    (400, BadRequest),
    (401, AuthError),
    (403, Forbidden),
    (404, NotFound),
    (409, Conflict),
    (410, NotFound),
    (412, Conflict),
    (413, TooLarge),
    (415, ClientError),
    (422, BadRequest),
]


@STEPS
@pytest.mark.parametrize(("code", "kind"), REFUSALS)
def test_f11_what_another_try_does_not_mend(stage: Stage, match: str, code: int, kind: Any) -> None:
    """Broken by a repeat, or by an error of another kind."""
    record = stage.site.create()
    fault = stage.fault(match, f"status {code} body=json:because", times=None)
    with pytest.raises(kind, match="because") as caught:
        stage.client().files.upload(record, "a.bin", None, DATA[:1000])
    assert type(caught.value) is ERRORS.kind(kind)
    assert (fault.fired, caught.value.status) == (1, code)
    assert stage.site.files(record) == {}
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy), copy.status) == (type(caught.value), str(caught.value), code)


def test_f11_the_fields_that_are_wrong(stage: Stage) -> None:
    """Broken by an error that says no more than 400."""
    record = stage.site.create()
    body = {"status": 400, "message": "A validation error occurred.", "errors": [{"field": "0.key", "messages": ["no"]}]}
    path = stage.file(json.dumps(body).encode(), "body")
    stage.fault(INIT, f"status 400 'body=file:{path}'")
    with pytest.raises(BadRequest, match=r"A validation error occurred\.; 0\.key: no") as caught:
        stage.client().files.upload(record, "a.bin", None, b"1")
    error: Any = caught.value
    assert error.errors == body["errors"]


BODIES = [b"<p>", b"{", b"null", b"[]", b"17", b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"errors": {"x": [1]}, "message": 3}']


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_f11_a_body_of_any_shape(stage: Stage, body: bytes) -> None:
    record = stage.site.create()
    path = stage.file(body, "body")
    stage.fault(CONTENT, f"status 400 'body=file:{path}'")
    with pytest.raises(BadRequest, match="400") as caught:
        stage.client().files.upload(record, "a.bin", None, b"1")
    assert len(str(caught.value)) < 1000


def test_f11_a_stranger_is_told_so(stage: Stage) -> None:
    """A wrong token makes a guest: the hint says where to look."""
    record = stage.site.create()
    with pytest.raises((Forbidden, NotFound)) as caught:
        stage.client(token="of-nobody").files.upload(record, "a.bin", None, b"1")
    if isinstance(caught.value, Forbidden):
        assert "whoami" in str(caught.value.hint)
    assert stage.count(CONTENT) == 0


# -- F12: lost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "status 504", "reset-before"])
def test_f12_a_record_is_never_made_twice(stage: Stage, effect: str) -> None:
    """Broken by a second draft."""
    before = len(stage.site.drafts())
    stage.fault(CREATE, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        stage.client().records.create(METADATA)
    assert stage.count(CREATE) == 1
    assert len(stage.site.drafts()) == before + (effect == "lose-answer")


@pytest.mark.parametrize("effect", ["lose-answer", "no-answer"])
def test_f12_a_lost_publication_is_looked_up(stage: Stage, effect: str) -> None:
    """Broken by a repeat, whose 404 would be taken for a failure."""
    api = stage.client(timeout=patient(0.5) if effect == "no-answer" else 10.0)
    draft = api.records.create({**METADATA, "files": {"enabled": False}})
    stage.fault(PUBLISH, effect)
    record = api.records.publish(draft)
    assert (record.id, bool(record.is_published)) == (draft.id, True)
    assert draft.id in stage.site.published()
    assert stage.count(PUBLISH, 404) == 0


@pytest.mark.parametrize("effect", ["reset-before", "status 502", "status 504"])
def test_f12_a_publication_that_did_not_come_about(stage: Stage, effect: str) -> None:
    """Broken by a success that was none."""
    api = stage.client()
    draft = api.records.create({**METADATA, "files": {"enabled": False}})
    fault = stage.fault(PUBLISH, effect)
    try:
        record = api.records.publish(draft)
    except OutcomeUnknown:
        assert draft.id not in stage.site.published()
    else:
        assert record.is_published
        assert draft.id in stage.site.published()
    assert fault.fired == 1


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 502"])
def test_f12_what_may_be_repeated_is(stage: Stage, effect: str) -> None:
    api = stage.client()
    draft = api.records.create(METADATA)
    draft.metadata["title"] = "Another title"
    stage.fault(UPDATE, effect)
    assert api.records.update(draft).metadata["title"] == "Another title"


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 504"])
def test_f12_a_file_is_deleted_once(stage: Stage, effect: str) -> None:
    """Broken by the 404 of a repeat."""
    record = stage.site.create(files={"a.bin": DATA})
    stage.fault("DELETE *", effect)
    stage.client().files.delete(record, "a.bin")
    assert stage.site.entries(record) == []
    with pytest.raises(NotFound):
        stage.client().files.delete(record, "a.bin")


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before"])
def test_f12_a_fetch_is_begun_once(tmp_path: Path, effect: str) -> None:
    """Broken by a second fetch of the same file, or by one that is deleted as if somebody else had begun it."""
    with Stage(tmp_path, fetch_hosts=["127.0.0.1:9"], fetch_delay=60.0) as stage:
        record = stage.site.create()
        fault = stage.fault(INIT, effect)
        api = stage.client(token=stage.site.superuser_token)
        file = api.files.upload(record, "a.bin", None, "http://127.0.0.1:9/a", "url-fetch")
        assert (file.status, file.transfer.type, fault.fired) == ("pending", "F", 1)
        assert len(stage.site.entries(record)) == 1
        assert stage.count(INIT) == (1 if effect == "lose-answer" else 2)


# -- F48: fetches that do not end ---------------------------------------------------------------------------


def _state(**change: Any) -> bytes:
    return json.dumps({"key": "a.bin", "status": "pending", "transfer": {"type": "F"}, "links": {}, **change}).encode()


def test_f48_it_never_ends(stage: Stage) -> None:
    """Broken by a wait without an end, or by one that polls as fast as it can."""
    record = stage.site.create()
    clock = Polling()
    stage.fault(ENTRY, f"status 200 'body=file:{stage.file(_state(), 'state')}'", times=None)
    with pytest.raises(WaitTimeout, match="pending after 300 s") as caught:
        stage.client(clock=clock).files.wait_fetch(record, "a.bin", timeout=300.0)
    assert caught.value.last.status == "pending"
    assert sum(clock.waits) == pytest.approx(300.0)
    assert max(clock.waits) <= 10.0
    assert len(clock.waits) < 60


def test_f48_unknown_words_and_backward_steps(stage: Stage) -> None:
    """Broken by a word that was not thought of."""
    record = stage.site.create()
    seen = ["pending", "reticulating", "pending"]
    for number, state in enumerate([*seen, "completed"]):
        stage.answer(ENTRY, _state(status=state), after=number)
    told = []
    file = stage.client(clock=Polling()).files.wait_fetch(record, "a.bin", progress=lambda one: told.append(one.status))
    assert (file.status, told) == ("completed", [*seen, "completed"])


@pytest.mark.parametrize("error", ["no route", "<html>not found</html>", None, {"odd": 1}])
def test_f48_it_failed(stage: Stage, error: Any) -> None:
    record = stage.site.create()
    stage.answer(ENTRY, _state(status="failed", transfer={"type": "F", "error": error}))
    with pytest.raises(TaskFailed, match=r"a\.bin could not be fetched") as caught:
        stage.client(clock=Polling()).files.wait_fetch(record, "a.bin")
    assert caught.value.task.status == "failed"


@pytest.mark.parametrize(("effect", "kind"), [("status 404", NotFound), ("status 200 body=html", DecodeError)])
def test_f48_it_is_gone(stage: Stage, effect: str, kind: Any) -> None:
    record = stage.site.create()
    stage.answer(ENTRY, _state())
    stage.fault(ENTRY, effect, times=1, after=1)
    with pytest.raises(kind):
        stage.client(clock=Polling()).files.wait_fetch(f"{stage.url}/api/records/{record}/draft/files/a.bin")


def test_f48_a_passing_failure_does_not_end_the_wait(stage: Stage) -> None:
    record = stage.site.create()
    stage.answer(ENTRY, _state())
    stage.fault(ENTRY, "status 503", times=2, after=1)
    stage.answer(ENTRY, _state(status="completed"), after=3)
    file = stage.client(clock=Polling()).files.wait_fetch(f"{stage.url}/api/records/{record}/draft/files/a.bin")
    assert file.status == "completed"
