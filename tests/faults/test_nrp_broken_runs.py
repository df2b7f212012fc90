"""Runs after a broken one: its pending files, its wrong files and its journal: F12, F13, F24."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

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
from tests.support.nrp_harness import COMMIT, CONTENT, ENTRY, INIT, MIB, PART, NRPHarness

STEP = 5 * MIB
DATA = noise(2 * STEP + 1000)
SHORT = noise(300_000)
ONCE = RetryPolicy(attempts=1)


SHARED = NRPHarness


def pending(harness: NRPHarness, record: str) -> Any:
    """Keys of what would block the publication."""
    return [entry["key"] for entry in harness.site.entries(record) if entry["status"] != "completed"]


# -- content that changed on its way, and a client that ended before it saw that ---------------------------


@pytest.mark.parametrize("way", ["L", "M"])
def test_f13_a_wrong_file_of_our_own_is_sent_again(harness: NRPHarness, way: str) -> None:
    """Detect a conflict for ever: the first run never saw what the repository had stored of it."""
    record = harness.site.create()
    data = SHORT if way == "L" else DATA
    path = harness.file(data)
    harness.fault(CONTENT if way == "L" else PART, "flip-in 1000")
    harness.fault(COMMIT, "lose-answer")
    options = {"part_size": STEP} if way == "M" else {}
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).files.upload(record, "a.bin", None, path, way, **options)
    assert harness.site.read(record, "a.bin") != data
    assert pending(harness, record) == []
    file = harness.client().files.upload(record, "a.bin", None, path, way, **options)
    assert (file.checksum, file.result.resumed) == (f"md5:{hashlib.md5(data).hexdigest()}", 0)
    assert harness.site.read(record, "a.bin") == data


def test_f13_a_right_file_of_our_own_is_left_alone(harness: NRPHarness) -> None:
    record = harness.site.create()
    path = harness.file(SHORT)
    harness.fault(COMMIT, "lose-answer")
    with pytest.raises(NetworkError):
        harness.client(retry=ONCE).files.upload(record, "a.bin", None, path)
    assert harness.client().files.upload(record, "a.bin", None, path).result.resumed == len(SHORT)
    assert (harness.count(CONTENT), harness.count("DELETE *")) == (1, 0)


def test_f13_a_verified_file_is_not_deleted(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.client().files.upload(record, "a.bin", None, SHORT)
    with pytest.raises(Conflict, match="other content"):
        harness.client().files.upload(record, "a.bin", None, SHORT[:-1])
    assert harness.site.read(record, "a.bin") == SHORT


# -- other settings than those of the broken run -----------------------------------------------------------


def _broken_off(harness: NRPHarness, record: str, path: Path) -> None:
    fault = harness.fault(PART, "status 503", after=1)
    with pytest.raises(SmartxferError):
        harness.client(retry=ONCE, max_workers=1).files.upload(record, "a.bin", None, path, "M", part_size=STEP)
    assert fault.fired == 1
    harness.forget()


@pytest.mark.parametrize(
    ("way", "options", "resumed"),
    [("M", {"part_size": 6 * MIB}, 0), ("M", {"parts": 2}, 0), ("L", {}, 0), ("M", {}, STEP)],
    ids=["part_size", "parts", "one piece", "none"],
)
def test_f24_new_settings_count(harness: NRPHarness, way: str, options: Any, resumed: int) -> None:
    """Detect a conflict with our own pending upload; without new settings it continues with the old parts."""
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    file = harness.client().files.upload(record, "a.bin", None, path, way, **options)
    assert file.result.resumed == resumed
    assert harness.site.read(record, "a.bin") == DATA


def test_f24_an_upload_that_was_begun_elsewhere_is_a_conflict(
    harness: NRPHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "another"))
    with pytest.raises(Conflict, match="replace=True"):
        harness.client().files.upload(record, "a.bin", None, path, "M", part_size=6 * MIB)
    assert pending(harness, record) == ["a.bin"]


def test_f24_a_smaller_part_size_after_413(harness: NRPHarness) -> None:
    """The hint names what helps, and what was refused is cleared, parts that had arrived included."""
    record = harness.site.create()
    path = harness.file(DATA)
    harness.fault(PART, "status 413", after=1)
    with pytest.raises(TooLarge, match="part_size="):
        harness.client(max_workers=1).files.upload(record, "a.bin", None, path, "M", part_size=6 * MIB)
    assert harness.site.entries(record) == []
    harness.client().files.upload(record, "a.bin", None, path, "M", part_size=STEP)
    assert harness.site.read(record, "a.bin") == DATA


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
def test_f12_a_refused_file_does_not_block_the_publication(harness: NRPHarness, match: str, answer: str, kind: Any) -> None:
    """Detect a pending file that nothing completes and that publish() refuses."""
    record = harness.site.create({"good.txt": b"1"})
    harness.fault(match, answer)
    with pytest.raises(kind) as caught:
        harness.client().files.upload_many(record, [("bad.bin", SHORT)])
    if "quota" in answer:
        assert "more space" in caught.value.hint
    assert [entry["key"] for entry in harness.site.entries(record)] == ["good.txt"]
    harness.client().records.publish(record)


def test_f12_one_refused_of_several(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.fault("PUT /api/records/*/files/b/content", "status 413")
    with pytest.raises(SmartxferError):
        harness.client().files.upload_many(record, [("a", b"1"), ("b", b"22"), ("c", b"333")])
    assert harness.site.files(record) == {"a": 1, "c": 3}
    assert pending(harness, record) == []


def test_f12_a_source_that_changed_leaves_nothing(harness: NRPHarness) -> None:
    record = harness.site.create()
    path = harness.file(SHORT)

    def progress(event: Any) -> None:
        if event.state == "queued":
            path.write_bytes(SHORT + b"more")

    with pytest.raises(SourceChanged):
        harness.client().files.upload(record, "a.bin", None, path, progress=progress)
    assert harness.site.entries(record) == []


@pytest.mark.parametrize("effect", ["status 503", "reset-before"])
def test_f12_what_may_work_later_is_left_for_the_next_run(harness: NRPHarness, effect: str) -> None:
    record = harness.site.create()
    harness.fault(CONTENT, effect)
    with pytest.raises(SmartxferError):
        harness.client(retry=ONCE).files.upload(record, "a.bin", None, SHORT)
    assert pending(harness, record) == ["a.bin"]
    harness.client().files.upload(record, "a.bin", None, SHORT)
    assert harness.count(INIT) == 2


def test_f12_a_verified_file_stays_when_its_metadata_are_refused(harness: NRPHarness) -> None:
    """Fails if a clearing takes away what is complete."""
    record = harness.site.create()
    harness.site.write(record, "a.bin", SHORT, {"old": 1})
    harness.fault("PUT /api/records/*/files/a.bin", "status 400")
    with pytest.raises(BadRequest):
        harness.client().files.upload(record, "a.bin", {"new": 2}, SHORT)
    assert harness.site.files(record) == {"a.bin": len(SHORT)}


@pytest.mark.parametrize("named", ["record", "id"])
def test_an_edit_of_a_published_record_takes_no_files(harness: NRPHarness, named: str) -> None:
    """Known from the Record it is refused before the start; else what was started is cleared."""
    record = harness.site.create({"a.bin": SHORT}, published=True)
    api = harness.client()
    edited = api.records.edit_metadata(record)
    harness.forget()
    given = edited if named == "record" else record
    assert api.files.upload(given, "a.bin", None, SHORT).result.resumed == len(SHORT)
    starts = harness.count(INIT)
    with pytest.raises(Forbidden, match="new_version"):
        api.files.upload(given, "b.bin", None, SHORT)
    assert harness.count(INIT) - starts == (0 if named == "record" else 1)
    assert pending(harness, record) == []
    assert api.records.publish(record).is_published


# -- content whose answer was lost -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, len(SHORT)])
def test_f12_content_that_arrived_is_not_sent_again(harness: NRPHarness, size: int) -> None:
    """Fails if a body goes six times to a gateway that gives up on every long PUT."""
    record = harness.site.create()
    fault = harness.fault(CONTENT, "lose-answer", times=1)
    file = harness.client().files.upload(record, "a.bin", {"d": 1}, SHORT[:size])
    assert (fault.fired, harness.count(CONTENT), harness.count(COMMIT)) == (1, 1, 1)
    assert (file.size, file.metadata, file.result.verified) == (size, {"d": 1}, "md5")


def test_f12_content_that_did_not_arrive_is_sent_again(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.fault(CONTENT, "status 504", times=2)
    harness.client().files.upload(record, "a.bin", None, SHORT)
    assert harness.site.read(record, "a.bin") == SHORT
    assert harness.count(COMMIT, 200) == 1


def test_f12_the_look_loses_its_answer_too(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.fault(CONTENT, "lose-answer")
    harness.fault(COMMIT, "lose-answer")
    harness.client().files.upload(record, "a.bin", None, SHORT)
    assert (harness.count(CONTENT), harness.count(COMMIT)) == (1, 1)
    assert harness.count(ENTRY) > 0
    assert harness.site.read(record, "a.bin") == SHORT


def test_f12_what_arrived_of_other_bytes_is_not_taken_for_ours(harness: NRPHarness) -> None:
    """The content changed on its way, and its answer was lost: the look sees another checksum."""
    record = harness.site.create()
    harness.fault(CONTENT, "flip-in 1000")
    harness.fault(CONTENT, "lose-answer")
    harness.client().files.upload(record, "a.bin", None, SHORT)
    assert harness.site.read(record, "a.bin") == SHORT
    assert harness.count(CONTENT) == 2
