"""Files that go up in parts, to the repository or to its storage: F02, F03, F08, F12, F17, F24, F25."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
import requests

from smartxfer.errors import (
    AlreadyInProgress,
    ChecksumMismatch,
    NetworkError,
    NotFound,
    ServerError,
    SmartxferError,
)
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, INIT, MIB, PART, NRPHarness
from tests.support.nrp_multipart import DATA, STEP, part_of, send

SHARED = NRPHarness


@pytest.fixture(params=["harness", "signed"])
def either(request: pytest.FixtureRequest) -> NRPHarness:
    """A repository that keeps the parts itself, and one that has a storage at another origin."""
    made: NRPHarness = request.getfixturevalue(request.param)
    return made


# -- resets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 256K", f"reset-after {STEP}", "lose-answer"])
def test_f02_one_part_is_sent_again(either: NRPHarness, effect: str) -> None:
    """F02, F03, F12: broken by the whole file again, by half a part, or by a part that is there twice."""
    record = either.site.create()
    match = part_of(either)
    fault = either.fault(match, effect, after=0 if effect.endswith(str(STEP)) else 1)
    seen: List[Any] = []
    file = send(either, record, progress=seen.append, client=either.client(max_workers=1))
    assert either.site.read(record, "a.bin") == DATA
    assert (fault.fired, file.result.retries) == (1, 1)
    assert either.count(match) == 4, "three parts, and one of them again"
    assert either.count(COMMIT) == 1
    steps = [event.done for event in seen]
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"
    assert file.result.verified in ("md5", "multipart")


def test_f02_always_reset(either: NRPHarness) -> None:
    """Detect a commit although a part is missing: the repository would fill the gap with zeros."""
    record = either.site.create()
    match = part_of(either)
    fault = either.fault(match, "reset-before", times=6, after=2)
    path = either.file(DATA)
    with pytest.raises(NetworkError, match="PUT http"):
        send(either, record, path, client=either.client(max_workers=1))
    assert (fault.fired, either.count(COMMIT)) == (6, 0)
    assert either.site.files(record) == {}
    either.forget()
    file = send(either, record, path)
    assert file.result.resumed == 2 * STEP
    assert either.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize("effect", ["status 500", "status 502", "status 504", "status 503 retry-after=0"])
@pytest.mark.parametrize("times", [1, 5])
def test_f08_passing_failures(either: NRPHarness, effect: str, times: int) -> None:
    record = either.site.create()
    fault = either.fault(part_of(either), effect, times=times)
    send(either, record, DATA[: STEP + 1], client=either.client(max_workers=1))
    assert either.site.read(record, "a.bin") == DATA[: STEP + 1]
    assert fault.fired == times


def test_f08_six_times(either: NRPHarness) -> None:
    record = either.site.create()
    fault = either.fault(part_of(either), "status 500", times=6)
    with pytest.raises(ServerError):
        send(either, record, DATA[: STEP + 1], client=either.client(max_workers=1))
    assert (fault.fired, either.count(COMMIT)) == (6, 0)


@pytest.mark.parametrize("match", [INIT, COMMIT], ids=["init", "commit"])
@pytest.mark.parametrize("effect", ["lose-answer", "status 502"])
def test_f12_a_lost_answer(either: NRPHarness, match: str, effect: str) -> None:
    """Detect a second start of the same key, or parts that are sent to a file that is complete."""
    record = either.site.create()
    fault = either.fault(match, effect)
    send(either, record, DATA[: STEP + 1])
    assert either.site.read(record, "a.bin") == DATA[: STEP + 1]
    assert fault.fired == 1
    assert either.count(match) == (1 if effect == "lose-answer" else 2)
    assert either.count(part_of(either)) == 2, "each part went once"


# -- what a later run believes ------------------------------------------------------------------------------


def _broken_off(harness: NRPHarness, record: str, path: Path) -> None:
    """A run whose last part does not arrive."""
    fault = harness.fault(part_of(harness), "status 400", after=2)
    with pytest.raises(SmartxferError):
        send(harness, record, path, client=harness.client(max_workers=1))
    assert fault.fired >= 1
    assert harness.count(COMMIT) == 0
    harness.server.clear_faults()
    harness.forget()


def _journal(home: Path) -> Path:
    [journal] = (home / "state").rglob("*.json")
    return journal


@pytest.mark.parametrize("harm", ["cut", "emptied", "removed", "of another version"])
def test_f24_a_journal_that_was_torn(harness: NRPHarness, home: Path, harm: str) -> None:
    """Detect a crash over it; what it cannot tell any more is sent again."""
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    journal = _journal(home)
    text = journal.read_text("utf-8")
    assert set(json.loads(text)["state"]["parts"]) == {"0", "1"}
    if harm == "removed":
        journal.unlink()
    else:
        changed = {"cut": text[: len(text) // 2], "emptied": ""}.get(harm, text.replace('"version": 1', '"version": 99'))
        assert changed != text
        journal.write_text(changed, "utf-8")
    assert send(harness, record, path).result.resumed == 0
    assert harness.site.read(record, "a.bin") == DATA
    assert harness.count(PART, 200) == 3


def test_f24_a_journal_that_says_too_much(harness: NRPHarness, home: Path) -> None:
    """A part is noted that the repository has not: it fills the gap, and says so by another checksum."""
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    journal = _journal(home)
    state = json.loads(journal.read_text("utf-8"))
    state["state"]["parts"]["2"] = [""]
    journal.write_text(json.dumps(state), "utf-8")
    with pytest.raises(ChecksumMismatch, match="differs from that of the local file"):
        send(harness, record, path)
    assert harness.site.entries(record) == [], "what is complete in name only is deleted"
    assert send(harness, record, path).result.resumed == 0
    assert harness.site.read(record, "a.bin") == DATA


def test_f24_less_is_remembered_than_was_sent(harness: NRPHarness, home: Path) -> None:
    """The last half second of a journal is lost in a crash: those parts go again, no more."""
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    journal = _journal(home)
    state = json.loads(journal.read_text("utf-8"))
    del state["state"]["parts"]["1"]
    journal.write_text(json.dumps(state), "utf-8")
    assert send(harness, record, path).result.resumed == STEP
    assert harness.site.read(record, "a.bin") == DATA
    assert harness.count(PART) == 2


@pytest.mark.parametrize("change", ["rewritten", "other parts", "other upload"])
def test_f17_parts_of_other_bytes_are_not_resumed(harness: NRPHarness, change: str) -> None:
    """Fails if one key gets parts of two files: of one that was rewritten, divided differently or started again."""
    record = harness.site.create()
    path = harness.file(DATA)
    _broken_off(harness, record, path)
    data, options = DATA, {}
    if change == "rewritten":
        data = noise(len(DATA), 2)
        path.write_bytes(data)
    elif change == "other parts":
        options = {"part_size": 6 * MIB, "replace": True}
    else:
        harness.client().files.delete(record, "a.bin")
        entry = {"key": "a.bin", "size": len(DATA), "transfer": {"type": "M", "parts": 3, "part_size": STEP}}
        _start(harness, record, entry)
    file = send(harness, record, path, **options)
    assert file.result.resumed == 0
    assert harness.site.read(record, "a.bin") == data


def _start(harness: NRPHarness, record: str, entry: Dict[str, Any]) -> None:
    """Start an upload as another client."""
    url = f"{harness.url}/api/records/{record}/draft/files"
    answer = requests.post(url, json=[entry], headers={"Authorization": f"Bearer {harness.site.token}"}, timeout=10)
    assert answer.status_code == 201


def test_f17_the_upload_is_aborted_between_two_parts(harness: NRPHarness) -> None:
    """Another client deletes the pending file: an error, and no other file is committed."""
    record = harness.site.create()
    other = harness.client()
    fault = harness.fault(PART, "reset-before", after=1)

    def progress(event: Any) -> None:
        if event.state == "retrying":
            other.files.delete(record, "a.bin")

    with pytest.raises(NotFound):
        send(harness, record, harness.file(DATA), progress=progress, client=harness.client(max_workers=1))
    assert (fault.fired, harness.count("DELETE *", 204), harness.count(COMMIT)) == (1, 1, 0)


@pytest.mark.parametrize("other", [False, True], ids=["the same file", "another file"])
def test_f25_two_at_one_key(harness: NRPHarness, other: bool) -> None:
    """Detect two runs that interleave their parts, or a second one that commits before the first is through."""
    record = harness.site.create()
    path = harness.file(DATA)
    stalled = harness.fault(PART, "stall-after 64K", after=1)
    errors: List[Any] = []

    def first() -> None:
        try:
            send(harness, record, path, client=harness.client(timeout=30.0, max_workers=1))
        except SmartxferError as error:
            errors.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert stalled.wait(20)
        with pytest.raises(AlreadyInProgress):
            send(harness, record, harness.file(noise(len(DATA), 2), "other") if other else path)
        assert harness.count(COMMIT) == 0
    finally:
        harness.server.clear_faults()
        thread.join(20)
    assert (thread.is_alive(), errors) == (False, [])
    assert harness.site.read(record, "a.bin") == DATA
