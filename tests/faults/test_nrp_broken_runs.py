"""Runs after a broken one: its pending files, its wrong files and its journal: F12, F13, F24."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NetworkError,
    SmartxferError,
    SourceChanged,
    TooLarge,
)
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, ENTRY, INIT, MIB, PART, Stage
from tests.support.nrp_shared_server import again

STEP = 5 * MIB
DATA = noise(2 * STEP + 1000)
SHORT = noise(300_000)
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("server")) as stage:
        yield stage


@pytest.fixture
def stage(server: Stage, tmp_path: Path) -> Iterator[Stage]:
    with again(server, tmp_path) as stage:
        yield stage


def pending(stage: Stage, record: str) -> Any:
    """Keys of what would block the publication."""
    return [entry["key"] for entry in stage.site.entries(record) if entry["status"] != "completed"]


# -- content that changed on its way, and a client that ended before it saw that ---------------------------


@pytest.mark.parametrize("way", ["L", "M"])
def test_f13_a_wrong_file_of_our_own_is_sent_anew(stage: Stage, way: str) -> None:
    """Broken by a conflict for ever: the first run never saw what the repository had stored of it."""
    record = stage.site.create()
    data = SHORT if way == "L" else DATA
    path = stage.file(data)
    stage.fault(CONTENT if way == "L" else PART, "flip-in 1000")
    stage.fault(COMMIT, "lose-answer")
    options = {"part_size": STEP} if way == "M" else {}
    with pytest.raises(NetworkError):
        stage.client(retry=ONCE).files.upload(record, "a.bin", None, path, way, **options)
    assert stage.site.read(record, "a.bin") != data
    assert pending(stage, record) == []
    file = stage.client().files.upload(record, "a.bin", None, path, way, **options)
    assert (file.checksum, file.result.resumed) == (f"md5:{hashlib.md5(data).hexdigest()}", 0)
    assert stage.site.read(record, "a.bin") == data


def test_f13_a_right_file_of_our_own_is_left_alone(stage: Stage) -> None:
    record = stage.site.create()
    path = stage.file(SHORT)
    stage.fault(COMMIT, "lose-answer")
    with pytest.raises(NetworkError):
        stage.client(retry=ONCE).files.upload(record, "a.bin", None, path)
    assert stage.client().files.upload(record, "a.bin", None, path).result.resumed == len(SHORT)
    assert (stage.count(CONTENT), stage.count("DELETE *")) == (1, 0)


def test_f13_once_verified_it_is_no_longer_ours_to_delete(stage: Stage) -> None:
    record = stage.site.create()
    stage.client().files.upload(record, "a.bin", None, SHORT)
    with pytest.raises(Conflict, match="another file"):
        stage.client().files.upload(record, "a.bin", None, SHORT[:-1])
    assert stage.site.read(record, "a.bin") == SHORT


# -- other settings than those of the broken run -----------------------------------------------------------


def _broken_off(stage: Stage, record: str, path: Path) -> None:
    fault = stage.fault(PART, "status 503", after=1)
    with pytest.raises(SmartxferError):
        stage.client(retry=ONCE, max_workers=1).files.upload(record, "a.bin", None, path, "M", part_size=STEP)
    assert fault.fired == 1
    stage.forget()


@pytest.mark.parametrize(
    ("way", "options", "resumed"),
    [("M", {"part_size": 6 * MIB}, 0), ("M", {"parts": 2}, 0), ("L", {}, 0), ("M", {}, STEP)],
    ids=["part_size", "parts", "one piece", "none"],
)
def test_f24_new_settings_count(stage: Stage, way: str, options: Any, resumed: int) -> None:
    """Broken by a conflict with our own pending upload; without new settings it continues with the old parts."""
    record = stage.site.create()
    path = stage.file(DATA)
    _broken_off(stage, record, path)
    file = stage.client().files.upload(record, "a.bin", None, path, way, **options)
    assert file.result.resumed == resumed
    assert stage.site.read(record, "a.bin") == DATA


def test_f24_an_upload_that_was_begun_elsewhere_is_a_conflict(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = stage.site.create()
    path = stage.file(DATA)
    _broken_off(stage, record, path)
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "another"))
    with pytest.raises(Conflict, match="replace=True"):
        stage.client().files.upload(record, "a.bin", None, path, "M", part_size=6 * MIB)
    assert pending(stage, record) == ["a.bin"]


def test_f24_a_smaller_part_size_after_413(stage: Stage) -> None:
    """The hint names what helps, and what was refused is cleared, parts that had arrived included."""
    record = stage.site.create()
    path = stage.file(DATA)
    stage.fault(PART, "status 413", after=1)
    with pytest.raises(TooLarge, match="part_size="):
        stage.client(max_workers=1).files.upload(record, "a.bin", None, path, "M", part_size=6 * MIB)
    assert stage.site.entries(record) == []
    stage.client().files.upload(record, "a.bin", None, path, "M", part_size=STEP)
    assert stage.site.read(record, "a.bin") == DATA


# -- what a refusal leaves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "answer", "kind"),
    [
        (CONTENT, "status 413", TooLarge),
        (CONTENT, "status 400 'body=json:Bucket quota exceeded.'", BadRequest),
        (CONTENT, "status 403", Forbidden),
        (COMMIT, "status 400", BadRequest),
    ],
    ids=["413", "quota", "403", "commit"],
)
def test_f12_a_refused_file_does_not_block_the_publication(stage: Stage, match: str, answer: str, kind: Any) -> None:
    """Broken by a pending file that nothing completes and that publish() refuses."""
    record = stage.site.create({"good.txt": b"1"})
    stage.fault(match, answer)
    with pytest.raises(kind) as caught:
        stage.client().files.upload_many(record, [("bad.bin", SHORT)])
    if "quota" in answer:
        assert "more space" in caught.value.hint
    assert [entry["key"] for entry in stage.site.entries(record)] == ["good.txt"]
    stage.client().records.publish(record)


def test_f12_one_refused_of_several(stage: Stage) -> None:
    record = stage.site.create()
    stage.fault("PUT /api/records/*/files/b/content", "status 413")
    with pytest.raises(SmartxferError):
        stage.client().files.upload_many(record, [("a", b"1"), ("b", b"22"), ("c", b"333")])
    assert stage.site.files(record) == {"a": 1, "c": 3}
    assert pending(stage, record) == []


def test_f12_a_source_that_changed_leaves_nothing(stage: Stage) -> None:
    record = stage.site.create()
    path = stage.file(SHORT)

    def progress(event: Any) -> None:
        if event.state == "queued":
            path.write_bytes(SHORT + b"more")

    with pytest.raises(SourceChanged):
        stage.client().files.upload(record, "a.bin", None, path, progress=progress)
    assert stage.site.entries(record) == []


@pytest.mark.parametrize("effect", ["status 503", "reset-before"])
def test_f12_what_may_work_later_is_left_for_the_next_run(stage: Stage, effect: str) -> None:
    record = stage.site.create()
    stage.fault(CONTENT, effect)
    with pytest.raises(SmartxferError):
        stage.client(retry=ONCE).files.upload(record, "a.bin", None, SHORT)
    assert pending(stage, record) == ["a.bin"]
    stage.client().files.upload(record, "a.bin", None, SHORT)
    assert stage.count(INIT) == 2


def test_f12_a_verified_file_stays_when_its_metadata_are_refused(stage: Stage) -> None:
    """Broken by a clearing that takes away what is complete."""
    record = stage.site.create()
    stage.site.write(record, "a.bin", SHORT, {"old": 1})
    stage.fault("PUT /api/records/*/files/a.bin", "status 400")
    with pytest.raises(BadRequest):
        stage.client().files.upload(record, "a.bin", {"new": 2}, SHORT)
    assert stage.site.files(record) == {"a.bin": len(SHORT)}


@pytest.mark.parametrize("named", ["record", "id"])
def test_an_edit_of_a_published_record_takes_no_files(stage: Stage, named: str) -> None:
    """Known from the Record it is refused before the start; else what was started is cleared."""
    record = stage.site.create({"a.bin": SHORT}, published=True)
    api = stage.client()
    edited = api.records.edit_metadata(record)
    stage.forget()
    given = edited if named == "record" else record
    assert api.files.upload(given, "a.bin", None, SHORT).result.resumed == len(SHORT)
    starts = stage.count(INIT)
    with pytest.raises(Forbidden, match="new_version"):
        api.files.upload(given, "b.bin", None, SHORT)
    assert stage.count(INIT) - starts == (0 if named == "record" else 1)
    assert pending(stage, record) == []
    assert api.records.publish(record).is_published


# -- content whose answer was lost -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, len(SHORT)])
def test_f12_content_that_arrived_is_not_sent_again(stage: Stage, size: int) -> None:
    """Broken by a body that goes six times to a gateway that gives up on every long PUT."""
    record = stage.site.create()
    fault = stage.fault(CONTENT, "lose-answer", times=1)
    file = stage.client().files.upload(record, "a.bin", {"d": 1}, SHORT[:size])
    assert (fault.fired, stage.count(CONTENT), stage.count(COMMIT)) == (1, 1, 1)
    assert (file.size, file.metadata, file.result.verified) == (size, {"d": 1}, "md5")


def test_f12_content_that_did_not_arrive_is_sent_again(stage: Stage) -> None:
    record = stage.site.create()
    stage.fault(CONTENT, "status 504", times=2)
    stage.client().files.upload(record, "a.bin", None, SHORT)
    assert stage.site.read(record, "a.bin") == SHORT
    assert stage.count(COMMIT, 200) == 1


def test_f12_the_look_loses_its_answer_too(stage: Stage) -> None:
    record = stage.site.create()
    stage.fault(CONTENT, "lose-answer")
    stage.fault(COMMIT, "lose-answer")
    stage.client().files.upload(record, "a.bin", None, SHORT)
    assert (stage.count(CONTENT), stage.count(COMMIT)) == (1, 1)
    assert stage.count(ENTRY) > 0
    assert stage.site.read(record, "a.bin") == SHORT


def test_f12_what_arrived_of_other_bytes_is_not_taken_for_ours(stage: Stage) -> None:
    """The content changed on its way, and its answer was lost: the look sees another checksum."""
    record = stage.site.create()
    stage.fault(CONTENT, "flip-in 1000")
    stage.fault(CONTENT, "lose-answer")
    stage.client().files.upload(record, "a.bin", None, SHORT)
    assert stage.site.read(record, "a.bin") == SHORT
    assert stage.count(CONTENT) == 2
