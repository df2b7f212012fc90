"""Uploads that break, whose answer is lost, or that are stored otherwise: F01 to F03, F05, F08, F12, F13."""

from __future__ import annotations

import io
import json
from typing import Any, Dict, List, Optional

import pytest

from smartxfer import errors
from smartxfer.errors import ChecksumMismatch, DecodeError, NetworkError
from tests.support.filesender_harness import noise
from tests.support.service_harness import MIB, Polling, on_retry
from tests.support.smartfile_harness import CHECKSUM, INFO, TASK, UPLOAD, SmartFileHarness, shaped
from tests.support.timeouts import patient

DATA = noise(8 * MIB)


FRESH = SmartFileHarness


# -- resets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 100", "reset-after 3M", f"reset-after {8 * MIB}"])
@pytest.mark.parametrize("shape", ["path", "open file", "pipe", "generator"])
def test_f03_reset_in_mid_upload(harness: SmartFileHarness, shape: str, effect: str) -> None:
    """Fails if a second try begins where the first one ended."""
    fault = harness.fault(UPLOAD, effect, times=2)
    seen: List[Any] = []
    with shaped(harness, shape, DATA) as thing:
        result = harness.client().upload(("a.bin", thing), progress=seen.append)
    assert harness.stored() == {"/a.bin": DATA}
    assert (fault.fired, result.retries, harness.count(UPLOAD, 200)) == (2, 2, 1)
    steps = [event.done for event in seen]
    assert max(steps) == steps[-1] == len(DATA), "no more than all of it, ever"


@pytest.mark.parametrize("effect", ["reset-before", "reset-after 3M"])
@pytest.mark.parametrize("shape", ["path", "open file", "pipe"])
def test_f03_reset_in_mid_raw_upload(harness: SmartFileHarness, shape: str, effect: str) -> None:
    """Broken likewise."""
    harness.fault(UPLOAD, effect, times=2)
    with shaped(harness, shape, DATA) as thing:
        harness.client().post("/path/data/", file=("a.bin", thing))
    assert harness.stored() == {"/a.bin": DATA}
    assert harness.count(UPLOAD, 200) == 1


def test_f03_a_broken_upload_leaves_the_older_file(harness: SmartFileHarness) -> None:
    """Detect a server, or a client, that stores what came of a broken form."""
    harness.site.write("/a.bin", b"older")
    harness.fault(UPLOAD, "reset-after 3M", times=6)
    with pytest.raises(NetworkError):
        harness.client().upload(harness.file(DATA))
    assert harness.stored() == {"/a.bin": b"older"}


@pytest.mark.parametrize("older", [b"x" * len(DATA), DATA[:-1] + b"\0", DATA[:100]])
def test_f03_an_existing_file_is_not_taken_for_the_new_one(harness: SmartFileHarness, older: bytes) -> None:
    """Detect a look at the size alone: an older file of the same length would pass for the new one."""
    harness.site.write("/a.bin", older)
    harness.fault(UPLOAD, "reset-after 1M")
    harness.client().upload(harness.file(DATA))
    assert harness.stored() == {"/a.bin": DATA}
    assert harness.count(UPLOAD) == 2


# -- an answer that is lost ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["path", "pipe"])
@pytest.mark.parametrize("size", [0, 1, len(DATA)])
def test_f12_a_lost_answer_is_looked_up(harness: SmartFileHarness, size: int, shape: str) -> None:
    """Fails if a client sends the file again without a look, or gives up though it is there."""
    data = DATA[:size]
    harness.fault(UPLOAD, "lose-answer")
    with shaped(harness, shape, data) as thing:
        result = harness.client().upload(("a.bin", thing))
    assert (result.ok, result.retries, result.bytes) == (True, 1, size)
    assert harness.stored() == {"/a.bin": data}
    assert harness.count(UPLOAD) == 1, "the file went once"
    assert harness.count(CHECKSUM) == 1, "the length alone would not tell"


def test_f12_silence_instead_of_an_answer(harness: SmartFileHarness) -> None:
    harness.fault(UPLOAD, "no-answer")
    result = harness.client(timeout=patient(0.5)).upload(harness.file(DATA[:MIB]))
    assert (result.retries, harness.count(UPLOAD)) == (1, 1)
    assert harness.stored() == {"/a.bin": DATA[:MIB]}


@pytest.mark.parametrize(
    ("match", "effect"),
    [(INFO, "reset-before"), (INFO, "status 500"), (CHECKSUM, "status 404"), (CHECKSUM, "reset-before")],
)
def test_f12_the_look_fails_too(harness: SmartFileHarness, match: str, effect: str) -> None:
    """Fails if a failed look counts as a yes: it is sent again instead."""
    harness.fault(UPLOAD, "lose-answer")
    harness.fault(match, effect, after=1 if match == INFO else 0)
    harness.client().upload(harness.file(DATA[:MIB]), "/a.bin")
    assert harness.stored() == {"/a.bin": DATA[:MIB]}
    assert harness.count(UPLOAD) == 2


def test_f12_another_client_wrote_in_between(harness: SmartFileHarness) -> None:
    """The lost upload arrived, but what is there by now is another file: ours goes again."""
    path = harness.file(DATA[:MIB])
    harness.fault(UPLOAD, "lose-answer")
    overwrite = on_retry(lambda: harness.site.write("/a.bin", bytes(MIB)))
    harness.client().upload(path, "/a.bin", progress=overwrite)
    assert harness.stored() == {"/a.bin": DATA[:MIB]}
    assert harness.count(UPLOAD) == 2


def test_f12_a_raw_upload_overwrites(harness: SmartFileHarness) -> None:
    """A repeat to the same name is an overwrite, by design: one file, whole."""
    harness.fault(UPLOAD, "lose-answer", times=2)
    harness.client().post("/path/data/", file=("a.bin", io.BytesIO(DATA)))
    assert harness.stored() == {"/a.bin": DATA}
    assert harness.count(UPLOAD) == 3


@pytest.mark.parametrize("effect", ["status 502", "status 504", "status 500", "status 408"])
@pytest.mark.parametrize("times", [1, 5])
def test_f08_passing_failures(harness: SmartFileHarness, effect: str, times: int) -> None:
    harness.fault(UPLOAD, effect, times=times)
    assert harness.client().upload(harness.file(DATA[:MIB])).retries == times
    assert harness.stored() == {"/a.bin": DATA[:MIB]}


# -- stored otherwise ---------------------------------------------------------------------------------------


def _info(**change: Any) -> Dict[str, Any]:
    return {"path": "/a.bin", "name": "a.bin", "size": 1000, "isfile": True, "isdir": False, **change}


@pytest.mark.parametrize("size", [0, 999, 1001])
@pytest.mark.parametrize("shape", ["array", "object"])
def test_f05_another_size_is_stored(harness: SmartFileHarness, size: int, shape: str) -> None:
    """Fails if a 200 is taken at its word: the vendor's own client lost files so."""
    info: Any = _info(size=size)
    harness.answer(UPLOAD, json.dumps([info] if shape == "array" else info).encode(), times=6)
    with pytest.raises(errors.Truncated, match=f"stored {size} of 1000 bytes") as caught:
        harness.client().upload(harness.file(DATA[:1000]))
    assert (caught.value.got, caught.value.expected) == (size, 1000)


def test_f05_another_size_is_stored_once(harness: SmartFileHarness) -> None:
    """A file that was stored truncated is sent again and is complete then."""
    harness.answer(UPLOAD, json.dumps([_info(size=999)]).encode())
    assert harness.client().upload(harness.file(DATA[:1000])).retries == 1
    assert harness.stored() == {"/a.bin": DATA[:1000]}


@pytest.mark.parametrize("content", [b"[]", b"{}", b"null", b"[null]", b'["a.bin"]', b'{"ok": true}'])
@pytest.mark.parametrize("size", [None, 0, 1000])
def test_f05_an_answer_that_says_nothing(harness: SmartFileHarness, content: bytes, size: Optional[int]) -> None:
    """The client looks at the stored file: it may be another one, of the same size or not, or missing."""
    if size is not None:
        harness.site.write("/a.bin", bytes(size))
    harness.answer(UPLOAD, content)
    with pytest.raises(errors.UnexpectedResponse, match="contains no stored file"):
        harness.client().upload(harness.file(DATA[:1000]), "/a.bin")
    assert harness.count(INFO) >= 2
    harness.answer(UPLOAD, content)
    harness.site.write("/a.bin", DATA[:1000])
    assert harness.client().upload(harness.file(DATA[:1000]), "/a.bin").ok


@pytest.mark.parametrize("path", ["/b.bin", "/a (1).bin", "/d/a.bin"])
def test_f12_another_name_is_stored(harness: SmartFileHarness, path: str) -> None:
    fault = harness.answer(UPLOAD, json.dumps([_info(path=path)]).encode())
    with pytest.raises(DecodeError, match="under another name"):
        harness.client().upload(harness.file(DATA[:1000]))
    assert fault.fired == 1


@pytest.mark.parametrize("options", [{"upload_answer": "object"}, {"upload_status": 201}, {"json_charset": True}])
def test_f08_every_good_answer(harness: SmartFileHarness, options: Dict[str, Any]) -> None:
    harness.site.configure(**options)
    assert harness.client().upload(harness.file(DATA[:1000])).ok
    assert harness.stored() == {"/a.bin": DATA[:1000]}


def test_f13_a_bit_is_flipped_on_the_way(harness: SmartFileHarness) -> None:
    """Detect a comparison of sizes where a checksum was asked for."""
    harness.fault(UPLOAD, "flip-in 5000")
    with pytest.raises(ChecksumMismatch) as caught:
        harness.client().upload(harness.file(DATA[:10_000]), checksum="sha256")
    assert caught.value.expected != caught.value.actual


def test_f13_and_the_checksum_is_slow(harness: SmartFileHarness) -> None:
    harness.site.configure(task_polls=3)
    clock = Polling()
    result = harness.client(clock=clock).upload(harness.file(DATA[:10_000]), checksum="md5")
    assert result.verified == "md5"
    assert (clock.waits, harness.count(TASK)) == ([0.192, 0.384, 0.768], 4)


def test_f08_a_page_in_place_of_json(harness: SmartFileHarness) -> None:
    """A login page is not a success, whatever its status."""
    harness.fault(UPLOAD, "status 200 body=html")
    with pytest.raises(DecodeError, match="<h1>200</h1>"):
        harness.client().upload(harness.file(DATA[:1000]))


def test_f39_what_another_has_removed_is_sent_again(harness: SmartFileHarness) -> None:
    """Fails if a journal is believed without a look at the server."""
    paths = [harness.file(b"%d" % number, f"many/{number:02}.txt") for number in range(100)]
    harness.fault(UPLOAD, "status 400", after=50)
    with pytest.raises(errors.BatchError):
        harness.client().upload_tree(paths[0].parent, "/many")
    api = harness.client()
    api.remove(next(iter(harness.site.files())))
    harness.forget()
    api.upload_tree(paths[0].parent, "/many")
    assert (harness.count(UPLOAD), len(harness.stored())) == (2, 100)
