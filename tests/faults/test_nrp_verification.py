"""A repository that says yes and means no, or holds something else than was sent: F05, F07, F13, F35."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer import errors
from smartxfer.nrp.errors import ERRORS
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, PART, STEP, STORAGE_PART, NRPHarness, Polling

DATA = noise(STEP + 1000)
SMALL = DATA[:1000]
MD5 = hashlib.md5(SMALL).hexdigest()
REFUSED = "File upload transfer failed."
SHARED = NRPHarness


def entry(**change: Any) -> bytes:
    """Return the entry of the small file in the repository."""
    said: Dict[str, Any] = {"key": "a.bin", "status": "completed", "size": len(SMALL), "checksum": f"md5:{MD5}"}
    return json.dumps({**said, "metadata": {}, "transfer": {"type": "L"}, "links": {}, **change}).encode()


def nothing_complete(harness: NRPHarness) -> None:
    """No incomplete file has the final name."""
    assert harness.held() == {}
    assert "completed" not in harness.states().values()


# -- 200, with errors ---------------------------------------------------------------------------------------


def test_content_that_is_refused_by_a_200(harness: NRPHarness) -> None:
    """Fails if a 200 is taken at its word: the upstream client reports such a file as complete."""
    harness.answer(CONTENT, entry(status="pending", errors=REFUSED))
    with pytest.raises(errors.UploadNotStored, match=REFUSED) as caught:
        harness.send(SMALL)
    assert (caught.value.errors, caught.value.file.key) == (REFUSED, "a.bin")
    assert (harness.count(CONTENT), harness.count(COMMIT)) == (1, 0)
    nothing_complete(harness)


def test_a_part_that_is_refused_by_a_200(harness: NRPHarness) -> None:
    """Broken likewise; a gap of zeros would be all that tells of it."""
    path = harness.file(DATA)
    harness.answer(PART, entry(status="pending", errors=REFUSED), after=1)
    with pytest.raises(errors.UploadNotStored, match=REFUSED):
        harness.send_parts(path)
    assert (harness.count(PART), harness.count(COMMIT)) == (2, 0)
    nothing_complete(harness)
    harness.forget()
    assert harness.send_parts(path).result.resumed == STEP, "what was taken is there"
    assert (harness.count(PART), harness.held()) == (1, {"a.bin": DATA})


@pytest.mark.parametrize("said", [REFUSED, [{"field": "size", "messages": ["no"]}], ["odd"], {"odd": 1}, 17, True])
def test_a_commit_that_is_refused_by_a_200(harness: NRPHarness, said: Any) -> None:
    """Errors of any shape."""
    harness.answer(COMMIT, entry(errors=said))
    with pytest.raises(errors.UploadNotStored) as caught:
        harness.send(SMALL)
    assert caught.value.errors == said
    nothing_complete(harness)


def test_a_second_put_is_never_made(harness: NRPHarness) -> None:
    """The repository deletes a completed file whose content is sent again: what the commit's lost answer hides."""
    harness.fault(COMMIT, "lose-answer", times=1)
    harness.send(SMALL)
    harness.send(SMALL)
    assert (harness.count(CONTENT), harness.held()) == (1, {"a.bin": SMALL})


def test_one_of_several_is_refused(harness: NRPHarness) -> None:
    harness.answer("PUT *b.bin/content", entry(key="b.bin", status="pending", errors=REFUSED))
    with pytest.raises(errors.BatchError, match="1 of 3 files failed") as caught:
        harness.send_many([(f"{letter}.bin", SMALL) for letter in "abc"])
    assert [type(error) for error in caught.value.errors] == [ERRORS.class_for(errors.UploadNotStored)]
    assert set(harness.held()) == {"a.bin", "c.bin"}


# -- other bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 500, 999])
def test_f13_a_bit_is_flipped_on_the_way(harness: NRPHarness, at: int) -> None:
    """Fails if a size is compared alone."""
    harness.fault(CONTENT, f"flip-in {at}")
    with pytest.raises(errors.ChecksumMismatch) as caught:
        harness.send(SMALL)
    assert (caught.value.algorithm, caught.value.expected, caught.value.actual == MD5) == ("md5", MD5, False)
    assert harness.states() == {}, "it does not stay there"
    harness.send(SMALL)
    assert harness.held() == {"a.bin": SMALL}


def test_f13_a_bit_is_flipped_in_a_part(harness: NRPHarness) -> None:
    path = harness.file(DATA)
    harness.fault(PART, "flip-in 999", after=1)
    with pytest.raises(errors.ChecksumMismatch):
        harness.send_parts(path)
    assert harness.states() == {}
    harness.forget()
    assert harness.send_parts(path).result.resumed == 0, "nothing of it is believed any more"
    assert harness.held() == {"a.bin": DATA}


def test_f13_a_bit_is_flipped_on_the_way_to_the_storage(signed: NRPHarness) -> None:
    """Each part is compared by itself, so that it alone is sent again."""
    fault = signed.fault(STORAGE_PART, "flip-in 500", after=1)
    assert signed.send_parts(signed.file(DATA)).result.retries == 1
    assert signed.count(STORAGE_PART) == 3, "two parts, and one of them again"
    assert (fault.fired, signed.held()) == (1, {"a.bin": DATA})


@pytest.mark.parametrize(
    "checksum", [f"md5:{'0' * 32}", f"md5:{MD5[:-1]}", f"md5:{MD5}0", "md5:x", "multipart:0-1", "multipart:x", "multipart:-"]
)
def test_f13_another_checksum_in_the_commit(harness: NRPHarness, checksum: str) -> None:
    """Fails if a checksum is not read, or read leniently."""
    harness.answer(COMMIT, entry(checksum=checksum))
    try:
        file = harness.send(SMALL)
    except errors.ChecksumMismatch:
        assert harness.states() == {}
    else:  # what cannot be compared is not said to have been
        assert checksum.startswith("multipart:")
        assert (file.result.verified, file.result.digest) == ("size", None)


def test_f13_letters_of_any_case(harness: NRPHarness) -> None:
    harness.answer(COMMIT, entry(checksum=f"md5:{MD5.upper()}"))
    assert harness.send(SMALL).result.verified == "md5"


@pytest.mark.parametrize("checksum", [None, "", "sha999:00", "md5:", "plain words", 17])
def test_f13_no_checksum_to_compare_with(harness: NRPHarness, checksum: Any) -> None:
    """Fails if a result claims more than was looked at."""
    harness.answer(COMMIT, entry(checksum=checksum))
    try:
        result = harness.send(SMALL, clock=Polling()).result
    except errors.CommunicationError:
        assert checksum == 17
    else:
        assert (result.verified, result.digest) in [("size", None), ("md5", f"md5:{MD5}")]


@pytest.mark.parametrize("size", [0, len(SMALL) - 1, len(SMALL) + 1, None, "many"])
def test_f07_another_size_in_the_commit(harness: NRPHarness, size: Any) -> None:
    """F05, F07: broken by a commit whose size is not compared."""
    harness.answer(COMMIT, entry(size=size))
    with pytest.raises((errors.SizeMismatch, errors.CommunicationError)) as caught:
        harness.send(SMALL)
    if isinstance(caught.value, errors.SizeMismatch):
        assert (caught.value.expected, caught.value.actual, harness.states()) == (len(SMALL), size, {})
    nothing_complete(harness)


@pytest.mark.parametrize("state", ["pending", "failed", "half-done"])
def test_a_commit_after_which_nothing_is_complete(harness: NRPHarness, state: str) -> None:
    harness.answer(COMMIT, entry(status=state))
    with pytest.raises(errors.UploadNotStored, match=f"is {state} after its commit"):
        harness.send(SMALL)
    nothing_complete(harness)


def test_f05_a_short_body(harness: NRPHarness) -> None:
    """The repository got fewer bytes than were promised, and says so."""
    harness.fault(CONTENT, "status 400 'body=json:File is smaller than expected.'")
    with pytest.raises(errors.BadRequest, match="smaller than expected"):
        harness.send(SMALL)
    assert (harness.count(CONTENT), harness.count(COMMIT)) == (1, 0)
    nothing_complete(harness)


def test_f05_a_gap(harness: NRPHarness) -> None:
    """The repository lost a part and completes with zeros in its place: the checksum detects it."""
    harness.answer(PART, entry(status="pending"), after=0)
    with pytest.raises(errors.ChecksumMismatch):
        harness.send_parts(DATA)
    assert harness.count(COMMIT) == 1
    assert harness.states() == {}, "zeros do not stay there under the file's name"


def test_f05_a_gap_in_the_storage(signed: NRPHarness) -> None:
    """There the commit itself fails."""
    signed.answer(STORAGE_PART, b"", after=0)
    with pytest.raises(errors.SmartxferError):
        signed.send_parts(DATA)
    nothing_complete(signed)


def test_f05_the_checksum_comes_late(tmp_path: Path) -> None:
    """Detect a comparison with nothing, or a wait without an end."""
    with NRPHarness(tmp_path, checksum_delay=0.2) as harness:
        assert harness.send_parts(DATA).result.verified == "md5"
        harness.site.configure(checksum_delay=600.0)
        clock = Polling()
        result = harness.send_parts(DATA, clock=clock, replace=True).result
        assert sum(clock.waits) < 3
        assert (result.verified, result.digest) == ("size", None)


# -- answers that are none ----------------------------------------------------------------------------------


BODIES = [b"", b"{}", b"[]", b"null", b'"ok"', b"<html>", b"{", b"[" * 100_000, b'{"key": 17}', b'{"entries": []}']


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
@pytest.mark.parametrize("body", [*BODIES, None], ids=[*range(len(BODIES)), "a page"])
def test_f35_an_answer_of_another_shape(harness: NRPHarness, match: str, body: Any) -> None:
    """Detect an AttributeError, or a file that is taken for complete."""
    fault = harness.fault(match, "status 200 body=html") if body is None else harness.answer(match, body)
    with pytest.raises(errors.CommunicationError if body is None else errors.SmartxferError):
        harness.send(SMALL)
    assert fault.fired == 1
    nothing_complete(harness)


def test_f35_the_start_names_other_keys(harness: NRPHarness) -> None:
    """Detect content that goes to another file's address."""
    harness.site.write(harness.draft, "theirs.bin", b"theirs")
    harness.answer(INIT, json.dumps({"enabled": True, "entries": [json.loads(entry(key="theirs.bin"))]}).encode())
    with pytest.raises(errors.CommunicationError, match=r"did not initiate the upload of 'a\.bin'"):
        harness.send(SMALL)
    assert (harness.count(CONTENT), harness.held()) == (0, {"theirs.bin": b"theirs"})
