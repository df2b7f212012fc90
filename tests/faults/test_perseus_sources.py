"""Sources of uploads: changed files, streams, raising callbacks, partly failing batches: F38, F40, F41, F49."""

from __future__ import annotations

import io
import threading
from typing import Any, List

import pytest

from smartxfer.errors import BatchError, Cancelled, DeadlineExceeded, SourceChanged, StorageError, UsageError
from smartxfer.perseus.errors import ERRORS
from smartxfer.transport import RetryPolicy
from tests.support.amounts import amount
from tests.support.fake_clock import JumpingClock
from tests.support.filesender_harness import noise
from tests.support.perseus_harness import ALL, CREATE, DATA, FIND, MIB, PUT, PerseusHarness
from tests.support.uploads import append, client_threads

LARGE = noise(4 * MIB)


SHARED = PerseusHarness


# -- F38 ----------------------------------------------------------------------------------------------------


def test_f38_a_file_changes_while_its_checksum_is_taken(harness: PerseusHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detect a checksum of two halves that never were one file."""
    path = harness.file(LARGE)
    from smartxfer.perseus import upload

    real = upload.compute_source_digests

    def digest(source: Any, *args: Any, **kwargs: Any) -> Any:
        found = real(source, *args, **kwargs)
        append(path)
        return found

    monkeypatch.setattr(upload, "compute_source_digests", digest)
    with pytest.raises(SourceChanged):
        harness.client().file.upload_file(path)
    assert harness.count(ALL) == 0


# -- F40 ----------------------------------------------------------------------------------------------------


SIZES = [0, 1, 65535, 65536, 65537, MIB - 1, MIB, MIB + 1]
KINDS = {
    "path": lambda path, data: path,
    "text": lambda path, data: str(path),
    "bytes": lambda path, data: ("a.bin", data),
    "bytearray": lambda path, data: ("a.bin", bytearray(data)),
    "open file": lambda path, data: ("a.bin", io.BytesIO(data)),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_f40_every_size_of_every_kind(harness: PerseusHarness, kind: str, size: int) -> None:
    data = noise(size, size)
    file = harness.client().file.upload_file(KINDS[kind](harness.file(data), data))
    assert file.result is not None
    assert (file.name, file.result.bytes, file.result.retries, file.result.error) == ("a.bin", size, 0, None)
    assert harness.held() == {"a.bin": data}


@pytest.mark.parametrize("name", ["", "a\0b", "..", ".", "a/b.txt"])
def test_f40_an_invalid_name(harness: PerseusHarness, name: str) -> None:
    """Detect a record without a name, or an address that leads elsewhere."""
    with pytest.raises(UsageError):
        harness.client().file.upload_file((name, b"1"))
    assert harness.count(ALL) == 0


# -- F41 ----------------------------------------------------------------------------------------------------


class _Mine(Exception):
    """Raised by the caller's own callback."""


@pytest.mark.parametrize("state", ["queued", "moving", "retrying", "done"])
def test_f41_the_callback_raises(harness: PerseusHarness, state: str) -> None:
    """Fails if the transfer continues, if threads remain, or if a record remains that cannot be replaced."""
    client = harness.client()
    events: List[Any] = []

    def progress(event: Any) -> None:
        events.append(event)
        if event.state == state:
            raise _Mine("enough")

    if state == "retrying":
        harness.fault(PUT, "reset-after 64K")
    with pytest.raises(Cancelled) as caught:
        client.file.upload_file(harness.file(LARGE), progress=progress)
    assert isinstance(caught.value.__cause__, _Mine)
    assert sum(event.state == state for event in events) == 1, "no later events"
    assert client_threads() == []
    assert "pending" not in harness.statuses()
    file = client.file.upload_file(harness.file(LARGE))
    assert (harness.site.content(file.id), len(harness.site.records())) == (LARGE, 1)


@pytest.mark.parametrize("how", ["cancel", "deadline"])
@pytest.mark.parametrize("match", [FIND, CREATE, PUT], ids=["find", "create", "put"])
def test_f41_an_end_from_without(harness: PerseusHarness, how: str, match: str) -> None:
    """A cancel or a deadline while the server is silent: soon, and nothing stays in the way."""
    cancel = threading.Event()
    fault = harness.fault(match, "stall")
    # The deadline passes once the server is silent.
    client = harness.client(retry=RetryPolicy(attempts=1), clock=JumpingClock(lambda: fault.fired > 0, 45.0))
    stopper = threading.Thread(target=lambda: (fault.wait(20), cancel.set()))
    stopper.start()
    options: Any = {"cancel": cancel} if how == "cancel" else {"deadline": 40.0}
    with pytest.raises(Cancelled if how == "cancel" else DeadlineExceeded):
        client.file.upload_file(harness.file(DATA), **options)
    stopper.join()
    assert (fault.fired, client_threads()) == (1, [])
    harness.server.clear_faults()
    client.file.upload_file(harness.file(DATA), grace=0.0)
    assert harness.held() == {"a.bin": DATA}


# -- F49 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [60, pytest.param(amount(80, 400), marks=pytest.mark.slow, id="many")])
def test_f49_one_in_twenty_fails(harness: PerseusHarness, count: int) -> None:
    """Detect results that do not say which, or a re-run that touches more than the failures."""
    paths = [harness.file(b"%d" % number, f"many/{number:04}.txt") for number in range(count)]
    wrong = range(0, count, 20)
    faults = [harness.fault(f"PUT *{number:04}.txt", "status 403 body=json:AccessDenied") for number in wrong]
    with pytest.raises(BatchError, match=f"{len(wrong)} of {count} files failed") as caught:
        harness.client().file.upload_many(paths)
    failed = [result.name for result in caught.value.results if not result.ok]
    assert failed == [f"{number:04}.txt" for number in wrong]
    assert {type(error) for error in caught.value.errors} == {ERRORS.class_for(StorageError)}
    assert all(fault.fired == 1 for fault in faults)
    assert harness.statuses() == ["uploaded"] * (count - len(wrong)), "what was made for the others is deleted"
    harness.forget()
    files = harness.client().file.upload_many(paths)
    assert harness.count(PUT) == harness.count(CREATE) == len(wrong), "only what was missing"
    assert [file.name for file in files if not file.reused] == failed
    assert [file.name for file in files] == [path.name for path in paths]
    assert harness.held() == {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("effect", ["status 403 body=json:AccessDenied", "reset-after 10"])
def test_f49_the_only_sender_of_two_files_fails(harness: PerseusHarness, effect: str) -> None:
    """Files of one content are sent once: broken by a second one that is called done though nothing arrived."""
    fault = harness.fault(PUT, effect, times=None)
    client = harness.client(retry=RetryPolicy(attempts=1))
    files = [("a.bin", DATA), ("b.bin", b"other"), ("c.bin", DATA)]
    with pytest.raises(BatchError) as caught:
        client.file.upload_many(files)
    assert not any(result.ok for result in caught.value.results if result.name != "b.bin")
    assert fault.fired
    harness.server.clear_faults()
    sent = client.file.upload_many(files)
    assert [harness.site.content(file.id) for file in sent] == [DATA, b"other", DATA]
    assert len(harness.site.records()) == 2
