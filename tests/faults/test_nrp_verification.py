"""A repository that says yes and means no, or holds something else than was sent: F05, F07, F13, F35."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer._system import SYSTEM_CLOCK
from smartxfer.errors import (
    BadRequest,
    BatchError,
    ChecksumMismatch,
    CommunicationError,
    SizeMismatch,
    SmartxferError,
    UploadNotStored,
)
from smartxfer.nrp.errors import ERRORS
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, STORAGE_PART, NRPHarness, Polling

STEP = 5 * MIB
DATA = noise(STEP + 1000)
SMALL = DATA[:1000]
MD5 = hashlib.md5(SMALL).hexdigest()
REFUSED = "File upload transfer failed."


SHARED = NRPHarness


def entry(**change: Any) -> bytes:
    """Return the entry of the small file in the repository."""
    said: Dict[str, Any] = {
        "key": "a.bin",
        "status": "completed",
        "size": len(SMALL),
        "checksum": f"md5:{MD5}",
        "metadata": {},
        "transfer": {"type": "L"},
        "links": {},
        **change,
    }
    return json.dumps(said).encode()


def send(harness: NRPHarness, record: str, data: Any = SMALL, clock: Any = SYSTEM_CLOCK, **options: Any) -> Any:
    return harness.client(max_workers=1, clock=clock).files.upload(record, "a.bin", None, data, **options)


def send_parts(harness: NRPHarness, record: str, data: Any = DATA) -> Any:
    return send(harness, record, data, transfer_type="M", part_size=STEP)


def nothing_complete(harness: NRPHarness, record: str) -> None:
    """No incomplete file has the final name."""
    assert harness.site.files(record) == {}
    assert all(found["status"] != "completed" for found in harness.site.entries(record))


# -- 200, with errors ---------------------------------------------------------------------------------------


def test_content_that_is_refused_by_a_200(harness: NRPHarness) -> None:
    """Fails if a 200 is taken at its word: the upstream client reports such a file as complete."""
    record = harness.site.create()
    harness.answer(CONTENT, entry(status="pending", errors=REFUSED))
    with pytest.raises(UploadNotStored, match=REFUSED) as caught:
        send(harness, record)
    assert (caught.value.errors, caught.value.file.key) == (REFUSED, "a.bin")
    assert (harness.count(CONTENT), harness.count(COMMIT)) == (1, 0)
    nothing_complete(harness, record)


def test_a_part_that_is_refused_by_a_200(harness: NRPHarness) -> None:
    """Broken likewise; a gap of zeros would be all that tells of it."""
    record = harness.site.create()
    path = harness.file(DATA)
    harness.answer(PART, entry(status="pending", errors=REFUSED), after=1)
    with pytest.raises(UploadNotStored, match=REFUSED):
        send_parts(harness, record, path)
    assert (harness.count(PART), harness.count(COMMIT)) == (2, 0)
    nothing_complete(harness, record)
    harness.forget()
    assert send_parts(harness, record, path).result.resumed == STEP, "what was taken is there"
    assert harness.count(PART) == 1
    assert harness.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize("errors", [REFUSED, [{"field": "size", "messages": ["no"]}], ["odd"], {"odd": 1}, 17, True])
def test_a_commit_that_is_refused_by_a_200(harness: NRPHarness, errors: Any) -> None:
    """Errors of any shape."""
    record = harness.site.create()
    harness.answer(COMMIT, entry(errors=errors))
    with pytest.raises(UploadNotStored) as caught:
        send(harness, record)
    assert caught.value.errors == errors
    nothing_complete(harness, record)


def test_a_second_put_is_never_made(harness: NRPHarness) -> None:
    """The repository deletes a completed file whose content is sent again: what the commit's lost answer hides."""
    record = harness.site.create()
    harness.fault(COMMIT, "lose-answer", times=1)
    send(harness, record)
    send(harness, record)
    assert harness.count(CONTENT) == 1
    assert harness.site.read(record, "a.bin") == SMALL


def test_one_of_several_is_refused(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.answer("PUT *b.bin/content", entry(key="b.bin", status="pending", errors=REFUSED))
    files = [(f"{letter}.bin", SMALL) for letter in "abc"]
    with pytest.raises(BatchError, match="1 of 3 files failed") as caught:
        harness.client().files.upload_many(record, files)
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(UploadNotStored)]
    assert set(harness.site.files(record)) == {"a.bin", "c.bin"}


# -- other bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 500, 999])
def test_f13_a_bit_is_flipped_on_the_way(harness: NRPHarness, at: int) -> None:
    """Fails if a size is compared alone."""
    record = harness.site.create()
    harness.fault(CONTENT, f"flip-in {at}")
    with pytest.raises(ChecksumMismatch) as caught:
        send(harness, record)
    assert caught.value.algorithm == "md5"
    assert (caught.value.expected, caught.value.actual == MD5) == (MD5, False)
    assert harness.site.entries(record) == [], "it does not stay there"
    send(harness, record)
    assert harness.site.read(record, "a.bin") == SMALL


def test_f13_a_bit_is_flipped_in_a_part(harness: NRPHarness) -> None:
    record = harness.site.create()
    path = harness.file(DATA)
    harness.fault(PART, "flip-in 999", after=1)
    with pytest.raises(ChecksumMismatch):
        send_parts(harness, record, path)
    assert harness.site.entries(record) == []
    harness.forget()
    assert send_parts(harness, record, path).result.resumed == 0, "nothing of it is believed any more"
    assert harness.site.read(record, "a.bin") == DATA


def test_f13_a_bit_is_flipped_on_the_way_to_the_storage(tmp_path: Path) -> None:
    """Each part is compared by itself, so that it alone is sent again."""
    with NRPHarness(tmp_path, storage="s3") as harness:
        record = harness.site.create()
        path = harness.file(DATA)
        fault = harness.fault(STORAGE_PART, "flip-in 500", after=1)
        assert send_parts(harness, record, path).result.retries == 1
        assert harness.count(STORAGE_PART) == 3, "two parts, and one of them again"
        assert fault.fired == 1
        assert harness.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize(
    "checksum", [f"md5:{'0' * 32}", f"md5:{MD5[:-1]}", f"md5:{MD5}0", "md5:x", "multipart:0-1", "multipart:x", "multipart:-"]
)
def test_f13_another_checksum_in_the_commit(harness: NRPHarness, checksum: str) -> None:
    """Fails if a checksum is not read, or read leniently."""
    record = harness.site.create()
    harness.answer(COMMIT, entry(checksum=checksum))
    try:
        file = send(harness, record)
    except ChecksumMismatch:
        assert harness.site.entries(record) == []
    else:  # what cannot be compared is not said to have been
        assert checksum.startswith("multipart:")
        assert (file.result.verified, file.result.digest) == ("size", None)


def test_f13_letters_of_any_case(harness: NRPHarness) -> None:
    record = harness.site.create()
    harness.answer(COMMIT, entry(checksum=f"md5:{MD5.upper()}"))
    assert send(harness, record).result.verified == "md5"


@pytest.mark.parametrize("checksum", [None, "", "sha999:00", "md5:", "plain words", 17])
def test_f13_no_checksum_to_compare_with(harness: NRPHarness, checksum: Any) -> None:
    """Fails if a result claims more than was looked at."""
    record = harness.site.create()
    harness.answer(COMMIT, entry(checksum=checksum))
    try:
        file = send(harness, record, clock=Polling())
    except CommunicationError:
        assert checksum == 17
    else:
        assert file.result.verified in ("size", "md5")
        assert file.result.digest == (None if file.result.verified == "size" else f"md5:{MD5}")


@pytest.mark.parametrize("size", [0, len(SMALL) - 1, len(SMALL) + 1, None, "many"])
def test_f07_another_size_in_the_commit(harness: NRPHarness, size: Any) -> None:
    """F05, F07: broken by a commit whose size is not compared."""
    record = harness.site.create()
    harness.answer(COMMIT, entry(size=size))
    with pytest.raises((SizeMismatch, CommunicationError)) as caught:
        send(harness, record)
    if isinstance(caught.value, SizeMismatch):
        assert (caught.value.expected, caught.value.actual) == (len(SMALL), size)
        assert harness.site.entries(record) == []
    nothing_complete(harness, record)


@pytest.mark.parametrize("state", ["pending", "failed", "half-done"])
def test_a_commit_after_which_nothing_is_complete(harness: NRPHarness, state: str) -> None:
    record = harness.site.create()
    harness.answer(COMMIT, entry(status=state))
    with pytest.raises(UploadNotStored, match=f"is {state} after its commit"):
        send(harness, record)
    nothing_complete(harness, record)


def test_f05_a_short_body(harness: NRPHarness) -> None:
    """The repository got fewer bytes than were promised, and says so."""
    record = harness.site.create()
    harness.fault(CONTENT, "status 400 'body=json:File is smaller than expected.'")
    with pytest.raises(BadRequest, match="smaller than expected"):
        send(harness, record)
    assert (harness.count(CONTENT), harness.count(COMMIT)) == (1, 0)
    nothing_complete(harness, record)


def test_f05_a_gap(harness: NRPHarness) -> None:
    """The repository lost a part and completes with zeros in its place: the checksum detects it."""
    record = harness.site.create()
    harness.answer(PART, entry(status="pending"), after=0)
    with pytest.raises(ChecksumMismatch):
        send_parts(harness, record)
    assert harness.count(COMMIT) == 1
    assert harness.site.entries(record) == [], "zeros do not stay there under the file's name"


def test_f05_a_gap_in_the_storage(tmp_path: Path) -> None:
    """There the commit itself fails."""
    with NRPHarness(tmp_path, storage="s3") as harness:
        record = harness.site.create()
        harness.answer(STORAGE_PART, b"", after=0)
        with pytest.raises(SmartxferError):
            send_parts(harness, record)
        nothing_complete(harness, record)


def test_f05_the_checksum_comes_late(tmp_path: Path) -> None:
    """Detect a comparison with nothing, or a wait without an end."""
    with NRPHarness(tmp_path, checksum_delay=0.2) as harness:
        record = harness.site.create()
        assert send_parts(harness, record).result.verified == "md5"
        harness.site.configure(checksum_delay=600.0)
        clock = Polling()
        file = send(harness, record, DATA, clock, transfer_type="M", part_size=STEP, replace=True)
        assert sum(clock.waits) < 3
        assert (file.result.verified, file.result.digest) == ("size", None)


# -- answers that are none ----------------------------------------------------------------------------------


BODIES = [b"", b"{}", b"[]", b"null", b'"ok"', b"<html>", b"{", b"[" * 100_000, b'{"key": 17}', b'{"entries": []}']


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_f35_an_answer_of_another_shape(harness: NRPHarness, match: str, body: bytes) -> None:
    """Detect an AttributeError, or a file that is taken for complete."""
    record = harness.site.create()
    fault = harness.answer(match, body)
    with pytest.raises(SmartxferError):
        send(harness, record)
    assert fault.fired == 1
    nothing_complete(harness, record)


def test_f35_a_page_in_place_of_json(harness: NRPHarness) -> None:
    record = harness.site.create()
    for match in (INIT, CONTENT, COMMIT):
        harness.fault(match, "status 200 body=html")
        with pytest.raises(CommunicationError):
            send(harness, record)
    nothing_complete(harness, record)


def test_f35_the_start_names_other_keys(harness: NRPHarness) -> None:
    """Detect content that goes to another file's address."""
    record = harness.site.create(files={"theirs.bin": b"theirs"})
    harness.answer(INIT, json.dumps({"enabled": True, "entries": [json.loads(entry(key="theirs.bin"))]}).encode())
    with pytest.raises(CommunicationError, match=r"did not initiate the upload of 'a\.bin'"):
        send(harness, record)
    assert harness.count(CONTENT) == 0
    assert harness.site.files(record) == {"theirs.bin": 6}
