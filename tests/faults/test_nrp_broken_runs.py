"""Runs after a broken one: its pending files, its wrong files and its journal: F12, F13, F24."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from smartxfer import errors
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, ENTRY, INIT, MIB, PART, STEP, NRPHarness

DATA = noise(2 * STEP + 1000)
SHORT = noise(300_000)
ONCE = RetryPolicy(attempts=1)
SHARED = NRPHarness


# -- content that changed on its way, and a client that ended before it saw that ---------------------------


@pytest.mark.parametrize("way", ["L", "M"])
def test_f13_a_wrong_file_of_our_own_is_sent_again(harness: NRPHarness, way: str) -> None:
    """Detect a conflict for ever: the first run never saw what the repository had stored of it."""
    data, send, match = (SHORT, harness.send, CONTENT) if way == "L" else (DATA, harness.send_parts, PART)
    path = harness.file(data)
    harness.fault(match, "flip-in 1000")
    harness.fault(COMMIT, "lose-answer")
    with pytest.raises(errors.NetworkError):
        send(path, retry=ONCE)
    assert harness.held()["a.bin"] != data
    file = send(path)
    assert (file.checksum, file.result.resumed) == (f"md5:{hashlib.md5(data).hexdigest()}", 0)
    assert harness.held() == {"a.bin": data}


def test_f13_a_right_file_of_our_own_is_left_alone(harness: NRPHarness) -> None:
    path = harness.file(SHORT)
    harness.fault(COMMIT, "lose-answer")
    with pytest.raises(errors.NetworkError):
        harness.send(path, retry=ONCE)
    assert harness.send(path).result.resumed == len(SHORT)
    assert (harness.count(CONTENT), harness.count("DELETE *")) == (1, 0)


# -- other settings than those of the broken run -----------------------------------------------------------


def _broken_off(harness: NRPHarness) -> Path:
    path = harness.file(DATA)
    fault = harness.fault(PART, "status 503", after=1)
    with pytest.raises(errors.SmartxferError):
        harness.send_parts(path, retry=ONCE)
    assert fault.fired == 1
    harness.forget()
    return path


@pytest.mark.parametrize(
    ("way", "options", "resumed"),
    [("M", {"part_size": 6 * MIB}, 0), ("M", {"parts": 2}, 0), ("L", {}, 0), ("M", {}, STEP)],
    ids=["part_size", "parts", "one piece", "none"],
)
def test_f24_new_settings_count(harness: NRPHarness, way: str, options: Any, resumed: int) -> None:
    """Detect a conflict with our own pending upload; without new settings it continues with the old parts."""
    path = _broken_off(harness)
    assert harness.send(path, transfer_type=way, **options).result.resumed == resumed
    assert harness.held() == {"a.bin": DATA}


def test_f24_an_upload_that_was_begun_elsewhere_is_a_conflict(
    harness: NRPHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _broken_off(harness)
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "another"))
    with pytest.raises(errors.Conflict, match="replace=True"):
        harness.send_parts(path, part_size=6 * MIB)
    assert harness.states() == {"a.bin": "pending"}


def test_f24_a_smaller_part_size_after_413(harness: NRPHarness) -> None:
    """The hint names what helps, and what was refused is cleared, parts that had arrived included."""
    path = harness.file(DATA)
    harness.fault(PART, "status 413", after=1)
    with pytest.raises(errors.TooLarge, match="part_size="):
        harness.send_parts(path, part_size=6 * MIB)
    assert harness.states() == {}
    harness.send_parts(path)
    assert harness.held() == {"a.bin": DATA}


# -- what a refusal leaves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "answer", "kind"),
    [
        (CONTENT, "status 413", errors.TooLarge),
        (CONTENT, "status 400 'body=json:Bucket quota exceeded.'", errors.BadRequest),
        (CONTENT, "status 403", errors.Forbidden),
        (COMMIT, "status 400", errors.BadRequest),
    ],
    ids=["413", "quota", "403", "commit"],
)
def test_f12_a_refused_file_does_not_block_the_publication(harness: NRPHarness, match: str, answer: str, kind: Any) -> None:
    """Detect a pending file that nothing completes and that publish() refuses."""
    harness.site.write(harness.draft, "good.txt", b"1")
    harness.fault(match, answer)
    with pytest.raises(kind) as caught:
        harness.send_many([("bad.bin", SHORT)])
    if "quota" in answer:
        assert "more space" in caught.value.hint
    assert set(harness.states()) == {"good.txt"}
    harness.client().records.publish(harness.draft)


def test_f12_one_refused_of_several(harness: NRPHarness) -> None:
    harness.fault("PUT /api/records/*/files/b/content", "status 413")
    with pytest.raises(errors.SmartxferError):
        harness.send_many([("a", b"1"), ("b", b"22"), ("c", b"333")])
    assert harness.states() == {"a": "completed", "c": "completed"}


def test_f12_a_source_that_changed_leaves_nothing(harness: NRPHarness) -> None:
    path = harness.file(SHORT)

    def progress(event: Any) -> None:
        if event.state == "queued":
            path.write_bytes(SHORT + b"more")

    with pytest.raises(errors.SourceChanged):
        harness.send(path, progress=progress)
    assert harness.states() == {}


@pytest.mark.parametrize("effect", ["status 503", "reset-before"])
def test_f12_what_may_work_later_is_left_for_the_next_run(harness: NRPHarness, effect: str) -> None:
    harness.fault(CONTENT, effect)
    with pytest.raises(errors.SmartxferError):
        harness.send(SHORT, retry=ONCE)
    assert harness.states() == {"a.bin": "pending"}
    harness.send(SHORT)
    assert harness.count(INIT) == 2


def test_f12_a_verified_file_stays_when_its_metadata_are_refused(harness: NRPHarness) -> None:
    """Fails if a clearing takes away what is complete."""
    harness.site.write(harness.draft, "a.bin", SHORT, {"old": 1})
    harness.fault("PUT /api/records/*/files/a.bin", "status 400")
    with pytest.raises(errors.BadRequest):
        harness.send(SHORT, metadata={"new": 2})
    assert harness.held() == {"a.bin": SHORT}


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
    with pytest.raises(errors.Forbidden, match="new_version"):
        api.files.upload(given, "b.bin", None, SHORT)
    assert harness.count(INIT) - starts == (0 if named == "record" else 1)
    assert [entry for entry in harness.site.entries(record) if entry["status"] != "completed"] == []
    assert api.records.publish(record).is_published


# -- content whose answer was lost -------------------------------------------------------------------------


def test_f12_content_that_did_not_arrive_is_sent_again(harness: NRPHarness) -> None:
    harness.fault(CONTENT, "status 504", times=2)
    harness.send(SHORT)
    assert (harness.held(), harness.count(COMMIT, 200)) == ({"a.bin": SHORT}, 1)


def test_f12_the_look_loses_its_answer_too(harness: NRPHarness) -> None:
    harness.fault(CONTENT, "lose-answer")
    harness.fault(COMMIT, "lose-answer")
    harness.send(SHORT)
    assert (harness.count(CONTENT), harness.count(COMMIT), harness.count(ENTRY) > 0) == (1, 1, True)
    assert harness.held() == {"a.bin": SHORT}


def test_f12_what_arrived_of_other_bytes_is_not_taken_for_ours(harness: NRPHarness) -> None:
    """The content changed on its way, and its answer was lost: the look sees another checksum."""
    harness.fault(CONTENT, "flip-in 1000")
    harness.fault(CONTENT, "lose-answer")
    harness.send(SHORT)
    assert (harness.held(), harness.count(CONTENT)) == ({"a.bin": SHORT}, 2)
