"""A repository that says yes and means no, or holds something else than was sent: F05, F07, F13, F35."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from smartxfer.errors import (
    BadRequest,
    BatchError,
    ChecksumMismatch,
    CommunicationError,
    SizeMismatch,
    SmartxferError,
    TransferRefused,
)
from smartxfer.nrp.errors import ERRORS
from smartxfer.seams import SYSTEM_CLOCK
from tests.support.filesender_harness import noise
from tests.support.nrp_harness import COMMIT, CONTENT, INIT, MIB, PART, STORAGE_PART, Polling, Stage
from tests.support.nrp_shared_server import again

STEP = 5 * MIB
DATA = noise(STEP + 1000)
SMALL = DATA[:1000]
MD5 = hashlib.md5(SMALL).hexdigest()
REFUSED = "File upload transfer failed."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("server")) as stage:
        yield stage


@pytest.fixture
def stage(server: Stage, tmp_path: Path) -> Iterator[Stage]:
    with again(server, tmp_path) as stage:
        yield stage


def entry(**change: Any) -> bytes:
    """What a repository says of the small file."""
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


def send(stage: Stage, record: str, data: Any = SMALL, clock: Any = SYSTEM_CLOCK, **options: Any) -> Any:
    return stage.client(max_workers=1, clock=clock).files.upload(record, "a.bin", None, data, **options)


def send_parts(stage: Stage, record: str, data: Any = DATA) -> Any:
    return send(stage, record, data, transfer_type="M", part_size=STEP)


def nothing_complete(stage: Stage, record: str) -> None:
    """No file stands there as if it were whole."""
    assert stage.site.files(record) == {}
    assert all(found["status"] != "completed" for found in stage.site.entries(record))


# -- 200, with errors ---------------------------------------------------------------------------------------


def test_content_that_is_refused_by_a_200(stage: Stage) -> None:
    """Broken by a 200 that is taken at its word: the upstream client reports such a file as complete."""
    record = stage.site.create()
    stage.answer(CONTENT, entry(status="pending", errors=REFUSED))
    with pytest.raises(TransferRefused, match=REFUSED) as caught:
        send(stage, record)
    assert (caught.value.errors, caught.value.file.key) == (REFUSED, "a.bin")
    assert (stage.count(CONTENT), stage.count(COMMIT)) == (1, 0)
    nothing_complete(stage, record)


def test_a_part_that_is_refused_by_a_200(stage: Stage) -> None:
    """Broken likewise; a gap of zeros would be all that tells of it."""
    record = stage.site.create()
    path = stage.file(DATA)
    stage.answer(PART, entry(status="pending", errors=REFUSED), after=1)
    with pytest.raises(TransferRefused, match=REFUSED):
        send_parts(stage, record, path)
    assert (stage.count(PART), stage.count(COMMIT)) == (2, 0)
    nothing_complete(stage, record)
    stage.forget()
    assert send_parts(stage, record, path).result.resumed == STEP, "what was taken is there"
    assert stage.count(PART) == 1
    assert stage.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize("errors", [REFUSED, [{"field": "size", "messages": ["no"]}], ["odd"], {"odd": 1}, 17, True])
def test_a_commit_that_is_refused_by_a_200(stage: Stage, errors: Any) -> None:
    """Errors of any shape."""
    record = stage.site.create()
    stage.answer(COMMIT, entry(errors=errors))
    with pytest.raises(TransferRefused) as caught:
        send(stage, record)
    assert caught.value.errors == errors
    nothing_complete(stage, record)


def test_a_second_put_is_never_made(stage: Stage) -> None:
    """The repository deletes a completed file whose content is sent again: what the commit's lost answer hides."""
    record = stage.site.create()
    stage.fault(COMMIT, "lose-answer", times=1)
    send(stage, record)
    send(stage, record)
    assert stage.count(CONTENT) == 1
    assert stage.site.read(record, "a.bin") == SMALL


def test_one_of_several_is_refused(stage: Stage) -> None:
    record = stage.site.create()
    stage.answer("PUT *b.bin/content", entry(key="b.bin", status="pending", errors=REFUSED))
    files = [(f"{letter}.bin", SMALL) for letter in "abc"]
    with pytest.raises(BatchError, match="1 of 3 files failed") as caught:
        stage.client().files.upload_many(record, files)
    assert [type(error) for error in caught.value.errors] == [ERRORS.kind(TransferRefused)]
    assert set(stage.site.files(record)) == {"a.bin", "c.bin"}


# -- other bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 500, 999])
def test_f13_a_bit_is_flipped_on_the_way(stage: Stage, at: int) -> None:
    """Broken by a size that is compared alone."""
    record = stage.site.create()
    stage.fault(CONTENT, f"flip-in {at}")
    with pytest.raises(ChecksumMismatch) as caught:
        send(stage, record)
    assert caught.value.algorithm == "md5"
    assert (caught.value.expected, caught.value.actual == MD5) == (MD5, False)
    assert stage.site.entries(record) == [], "it does not stay there"
    send(stage, record)
    assert stage.site.read(record, "a.bin") == SMALL


def test_f13_a_bit_is_flipped_in_a_part(stage: Stage) -> None:
    record = stage.site.create()
    path = stage.file(DATA)
    stage.fault(PART, "flip-in 999", after=1)
    with pytest.raises(ChecksumMismatch):
        send_parts(stage, record, path)
    assert stage.site.entries(record) == []
    stage.forget()
    assert send_parts(stage, record, path).result.resumed == 0, "nothing of it is believed any more"
    assert stage.site.read(record, "a.bin") == DATA


def test_f13_a_bit_is_flipped_on_the_way_to_the_storage(tmp_path: Path) -> None:
    """Each part is compared by itself, so that it alone is sent again."""
    with Stage(tmp_path, storage="s3") as stage:
        record = stage.site.create()
        path = stage.file(DATA)
        fault = stage.fault(STORAGE_PART, "flip-in 500", after=1)
        assert send_parts(stage, record, path).result.retries == 1
        assert stage.count(STORAGE_PART) == 3, "two parts, and one of them again"
        assert fault.fired == 1
        assert stage.site.read(record, "a.bin") == DATA


@pytest.mark.parametrize(
    "checksum", [f"md5:{'0' * 32}", f"md5:{MD5[:-1]}", f"md5:{MD5}0", "md5:x", "multipart:0-1", "multipart:x", "multipart:-"]
)
def test_f13_another_checksum_in_the_commit(stage: Stage, checksum: str) -> None:
    """Broken by a checksum that is not read, or read leniently."""
    record = stage.site.create()
    stage.answer(COMMIT, entry(checksum=checksum))
    try:
        file = send(stage, record)
    except ChecksumMismatch:
        assert stage.site.entries(record) == []
    else:  # what cannot be compared is not said to have been
        assert checksum.startswith("multipart:")
        assert (file.result.verified, file.result.digest) == ("size", None)


def test_f13_letters_of_any_case(stage: Stage) -> None:
    record = stage.site.create()
    stage.answer(COMMIT, entry(checksum=f"md5:{MD5.upper()}"))
    assert send(stage, record).result.verified == "md5"


@pytest.mark.parametrize("checksum", [None, "", "sha999:00", "md5:", "plain words", 17])
def test_f13_no_checksum_to_compare_with(stage: Stage, checksum: Any) -> None:
    """Broken by a result that claims more than was looked at."""
    record = stage.site.create()
    stage.answer(COMMIT, entry(checksum=checksum))
    try:
        file = send(stage, record, clock=Polling())
    except CommunicationError:
        assert checksum == 17
    else:
        assert file.result.verified in ("size", "md5")
        assert file.result.digest == (None if file.result.verified == "size" else f"md5:{MD5}")


@pytest.mark.parametrize("size", [0, len(SMALL) - 1, len(SMALL) + 1, None, "many"])
def test_f07_another_size_in_the_commit(stage: Stage, size: Any) -> None:
    """F05, F07: broken by a commit whose size is not compared."""
    record = stage.site.create()
    stage.answer(COMMIT, entry(size=size))
    with pytest.raises((SizeMismatch, CommunicationError)) as caught:
        send(stage, record)
    if isinstance(caught.value, SizeMismatch):
        assert (caught.value.expected, caught.value.actual) == (len(SMALL), size)
        assert stage.site.entries(record) == []
    nothing_complete(stage, record)


@pytest.mark.parametrize("state", ["pending", "failed", "half-done"])
def test_a_commit_after_which_nothing_is_complete(stage: Stage, state: str) -> None:
    record = stage.site.create()
    stage.answer(COMMIT, entry(status=state))
    with pytest.raises(TransferRefused, match=f"is {state} after its commit"):
        send(stage, record)
    nothing_complete(stage, record)


def test_f05_a_short_body(stage: Stage) -> None:
    """The repository got fewer bytes than were promised, and says so."""
    record = stage.site.create()
    stage.fault(CONTENT, "status 400 'body=json:File is smaller than expected.'")
    with pytest.raises(BadRequest, match="smaller than expected"):
        send(stage, record)
    assert (stage.count(CONTENT), stage.count(COMMIT)) == (1, 0)
    nothing_complete(stage, record)


def test_f05_a_gap(stage: Stage) -> None:
    """A part that the repository forgot: it completes all the same, with zeros, and it is the checksum that tells."""
    record = stage.site.create()
    stage.answer(PART, entry(status="pending"), after=0)
    with pytest.raises(ChecksumMismatch):
        send_parts(stage, record)
    assert stage.count(COMMIT) == 1
    assert stage.site.entries(record) == [], "zeros do not stay there under the file's name"


def test_f05_a_gap_in_the_storage(tmp_path: Path) -> None:
    """There the commit itself fails."""
    with Stage(tmp_path, storage="s3") as stage:
        record = stage.site.create()
        stage.answer(STORAGE_PART, b"", after=0)
        with pytest.raises(SmartxferError):
            send_parts(stage, record)
        nothing_complete(stage, record)


def test_f05_the_checksum_comes_late(tmp_path: Path) -> None:
    """Broken by a comparison with nothing, or by a wait without an end."""
    with Stage(tmp_path, checksum_delay=0.2) as stage:
        record = stage.site.create()
        assert send_parts(stage, record).result.verified == "md5"
        stage.site.configure(checksum_delay=600.0)
        clock = Polling()
        file = send(stage, record, DATA, clock, transfer_type="M", part_size=STEP, replace=True)
        assert sum(clock.waits) < 3
        assert (file.result.verified, file.result.digest) == ("size", None)


# -- answers that are none ----------------------------------------------------------------------------------


BODIES = [b"", b"{}", b"[]", b"null", b'"ok"', b"<html>", b"{", b"[" * 100_000, b'{"key": 17}', b'{"entries": []}']


@pytest.mark.parametrize("match", [INIT, CONTENT, COMMIT], ids=["init", "content", "commit"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_f35_an_answer_of_another_shape(stage: Stage, match: str, body: bytes) -> None:
    """Broken by an AttributeError, or by a file that is taken for complete."""
    record = stage.site.create()
    fault = stage.answer(match, body)
    with pytest.raises(SmartxferError):
        send(stage, record)
    assert fault.fired == 1
    nothing_complete(stage, record)


def test_f35_a_page_in_place_of_json(stage: Stage) -> None:
    record = stage.site.create()
    for match in (INIT, CONTENT, COMMIT):
        stage.fault(match, "status 200 body=html")
        with pytest.raises(CommunicationError):
            send(stage, record)
    nothing_complete(stage, record)


def test_f35_the_start_names_other_keys(stage: Stage) -> None:
    """Broken by content that goes to another file's address."""
    record = stage.site.create(files={"theirs.bin": b"theirs"})
    stage.answer(INIT, json.dumps({"enabled": True, "entries": [json.loads(entry(key="theirs.bin"))]}).encode())
    with pytest.raises(CommunicationError, match=r"no upload for 'a\.bin'"):
        send(stage, record)
    assert stage.count(CONTENT) == 0
    assert stage.site.files(record) == {"theirs.bin": 6}
