"""Files on their way to Perseus and to the storage behind it: F01 to F07, F12, F13, F17, F18."""

from __future__ import annotations

import hashlib
from typing import Any, List

import pytest

from smartxfer import errors
from smartxfer.errors import DecodeError, OutcomeUnknown
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import noise
from tests.support.perseus_harness import CREATE, DATA, DELETE, FIND, MIB, PUT, PerseusHarness, Polling
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient

SHARED = PerseusHarness


# -- F02, F03: resets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
@pytest.mark.parametrize("times", [1, 2])
def test_f02_reset_before_anything(harness: PerseusHarness, match: str, times: int) -> None:
    """A POST whose answer is lost is repeated after a look, not blindly."""
    fault = harness.fault(match, "reset-before", times=times)
    file = harness.client().file.upload_file(harness.file(DATA), wait=True)
    assert (fault.fired, file.status, file.reused) == (times, "uploaded", False)
    assert harness.held() == {"a.bin": DATA}
    assert len(harness.site.records()) == 1
    if match == CREATE:
        assert harness.count(FIND) >= 1 + times, "looked before every repeat"


def test_f02_always_reset_before_the_record(harness: PerseusHarness) -> None:
    fault = harness.fault(CREATE, "reset-before", times=None)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        harness.client().file.upload_file(harness.file(DATA))
    assert 1 <= fault.fired <= 6
    assert (harness.count(PUT), harness.site.records()) == (0, [])


@pytest.mark.parametrize("effect", ["reset-after 1", "reset-after 256K", f"reset-after {len(DATA)}"])
def test_f03_reset_in_mid_upload(harness: PerseusHarness, effect: str) -> None:
    """Fails if a second try begins where the first one ended."""
    fault = harness.fault(PUT, effect, times=2)
    seen: List[Any] = []
    file = harness.client().file.upload_file(harness.file(DATA), progress=seen.append)
    assert harness.held() == {"a.bin": DATA}
    assert file.result is not None
    assert (fault.fired, file.result.retries, harness.count(PUT, 200)) == (2, 2, 1)
    assert (harness.count(CREATE), len(harness.site.records())) == (1, 1)
    steps = [event.done for event in seen]
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"


# -- F04 to F07: answers that are not whole -----------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
@pytest.mark.parametrize("effect", ["reset-after-sent 1", "reset-after-sent 8", "truncate 8"])
def test_f04_f05_half_an_answer(harness: PerseusHarness, match: str, effect: str) -> None:
    """Detect half an answer that is read as a whole one."""
    fault = harness.fault(match, effect)
    harness.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, harness.held(), len(harness.site.records())) == (1, {"a.bin": DATA}, 1)


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
@pytest.mark.parametrize("effect", ["no-length chunked truncate 8", "no-length close truncate 8"])
def test_f06_half_an_answer_without_a_length(harness: PerseusHarness, match: str, effect: str) -> None:
    """Only the invalid JSON shows the truncation: the call raises a smartxfer error, and the next call succeeds."""
    fault = harness.fault(match, effect)
    client = harness.client()
    if "close" in effect:
        with pytest.raises(DecodeError):
            client.file.upload_file(("a.bin", DATA))
    file = client.file.upload_file(("a.bin", DATA), repair=True, grace=0.0)
    assert (fault.fired, harness.held(), file.reused) == (1, {"a.bin": DATA}, False)
    assert len(harness.site.records()) == 1


@pytest.mark.parametrize("match", [FIND, CREATE], ids=["find", "create"])
def test_f07_a_byte_too_many(harness: PerseusHarness, match: str) -> None:
    """Fails if an answer is taken although there is more of it than JSON."""
    fault = harness.fault(match, "extra-byte")
    with pytest.raises(DecodeError):
        harness.client().file.upload_file(("a.bin", DATA))
    assert (fault.fired, harness.count(PUT)) == (1, 0)


# -- F12: an answer that is lost ----------------------------------------------------------------------------


@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
@pytest.mark.parametrize("effect", ["lose-answer", "no-answer", "status 502", "status 504"])
@pytest.mark.parametrize("size", [0, 1000])
def test_f12_a_lost_answer(harness: PerseusHarness, match: str, effect: str, size: int) -> None:
    """Detect a second record, or one that is left without its content."""
    fault = harness.fault(match, effect)
    client = harness.client(timeout=patient(0.3) if effect == "no-answer" else 10.0)
    file = client.file.upload_file(("a.bin", DATA[:size]), wait=True)
    assert (fault.fired, file.status, file.reused) == (1, "uploaded", False)
    assert [record["id"] for record in harness.site.records()] == [file.id]
    assert harness.site.content(file.id) == DATA[:size]


@pytest.mark.parametrize("effect", ["reset-before", "status 503 retry-after=0"])
def test_f12_the_look_fails_too(harness: PerseusHarness, effect: str) -> None:
    """Fails if a failed look counts as an answer."""
    lost = harness.fault(CREATE, "lose-answer")
    fault = harness.fault(FIND, effect, times=2, after=1)
    file = harness.client().file.upload_file(("a.bin", DATA))
    assert (lost.fired, fault.fired) == (1, 2)
    assert [record["id"] for record in harness.site.records()] == [file.id]
    assert harness.site.content(file.id) == DATA


@pytest.mark.parametrize("effect", ["lose-answer", "status 502", "reset-before"])
def test_f12_create_file_says_that_it_may_exist(harness: PerseusHarness, effect: str) -> None:
    harness.fault(CREATE, effect)
    with pytest.raises(OutcomeUnknown, match="may exist"):
        harness.client().file.create_file("a.bin", hashlib.sha256(DATA).hexdigest())
    assert harness.count(CREATE) == 1
    assert len(harness.site.records()) == (effect == "lose-answer")


@pytest.mark.parametrize("effect", ["lose-answer", "reset-before", "status 504"])
def test_f12_a_file_is_deleted_once(harness: PerseusHarness, effect: str) -> None:
    """Detect the 404 of a repeat."""
    id = harness.site.write("a.bin", DATA)
    harness.fault(DELETE, effect)
    harness.client().file.delete_file(id)
    assert harness.site.records() == []


def test_f12_a_pending_record_of_another_client_is_not_deleted(harness: PerseusHarness) -> None:
    """Fails if an upload takes away the record into which another one is sending."""
    id = harness.site.write("theirs.bin", DATA, status="pending")
    clock = Polling()
    with pytest.raises(errors.UploadPendingElsewhere) as caught:
        harness.client(clock=clock).file.upload_file(("a.bin", DATA), grace=5.0)
    assert (caught.value.file.id, harness.count(DELETE), harness.count(CREATE)) == (id, 0, 0)
    assert sum(clock.waits) == pytest.approx(5.0)
    file = harness.client(clock=clock).file.upload_file(("a.bin", DATA), repair=True)
    assert harness.site.records()[0]["id"] == file.id != id
    assert harness.held() == {"a.bin": DATA}


# -- F13: other bytes arrive --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, len(DATA) - 1])
def test_f13_a_bit_flips_on_the_way(harness: PerseusHarness, at: int) -> None:
    """Fails if a failure is reported as a success, or if a failed record remains that cannot be replaced."""
    fault = harness.fault(PUT, f"flip-in {at}")
    client = harness.client()
    with pytest.raises(errors.UploadFailed, match=r"a\.bin") as caught:
        client.file.upload_file(harness.file(DATA), wait=True)
    assert (fault.fired, caught.value.file.status, harness.statuses()) == (1, "failed", ["failed"])
    file = client.file.upload_file(harness.file(DATA), wait=True)
    assert (file.status, file.reused, harness.held()) == ("uploaded", False, {"a.bin": DATA})
    assert len(harness.site.records()) == 1


# -- F17: changes by other clients -------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-after 1M", "status 503 retry-after=0"])
def test_f17_the_record_is_deleted_in_mid_upload(harness: PerseusHarness, effect: str) -> None:
    """Detect tries without end, or a success without a record."""
    client = harness.client()
    gone: List[str] = []

    def progress(event: Any) -> None:
        if event.state == "retrying" and not gone:
            gone.extend(record["id"] for record in harness.site.records())
            client.file.delete_file(gone[0])

    harness.fault(PUT, effect)
    with pytest.raises(errors.StorageError, match="NoSuchKey") as caught:
        client.file.upload_file(harness.file(DATA), progress=progress)
    assert (len(gone), caught.value.code, harness.site.records()) == (1, "NoSuchKey", [])
    assert harness.count(PUT) == 2
    client.file.upload_file(harness.file(DATA))
    assert harness.held() == {"a.bin": DATA}


def test_f17_another_client_was_faster(harness: PerseusHarness) -> None:
    """Another client sends the same content between the look and the creation: 409, and its record is used."""
    ids: List[str] = []

    def progress(event: Any) -> None:
        if not ids:
            ids.append(harness.site.write("theirs.bin", DATA))

    harness.answer(FIND, b'{"files": []}')
    file = harness.client().file.upload_file(("a.bin", DATA), progress=progress)
    assert (file.id, file.reused, harness.count(CREATE, 409), harness.count(PUT)) == (ids[0], True, 1, 0)


# -- F18: slowness ------------------------------------------------------------------------------------------


def test_f18_stalled_for_good(harness: PerseusHarness) -> None:
    harness.fault(PUT, "stall-after 64K", times=2)
    policy = RetryPolicy(backoff=0, attempts=2, stall_window=0.3)
    with pytest.raises(errors.Stalled, match="less than 1024 bytes/s"):
        harness.client(retry=policy, timeout=30.0).file.upload_file(("a.bin", noise(8 * MIB)))
    assert harness.site.records() == []


def test_f18_an_answer_in_drops(harness: PerseusHarness) -> None:
    """Each byte comes in time, the answer never: broken by a guard that watches what is sent alone."""
    harness.fault(FIND, "drip 1/0.2")
    policy = RetryPolicy(backoff=0, stall_window=0.3)
    watch = Stopwatch()
    file = harness.client(retry=policy, timeout=30.0).file.upload_file(("a.bin", b"1"))
    assert watch.seconds() < 6
    assert harness.site.content(file.id) == b"1"
