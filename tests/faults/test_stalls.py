"""Lines that hardly move: F18."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator, List

import pytest

from smartxfer.errors import Stalled
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import CHUNK, DOWNLOAD, INFO, PAGE, PATIENCE, noise
from tests.support.stopwatch import Stopwatch
from tests.support.timeouts import patient
from tests.support.uploads import Uploads

DATA = noise(8 << 20)
WINDOW = 1.0
POLICY = RetryPolicy(backoff=0, attempts=1, stall_speed=1024, stall_window=WINDOW)
#: Seconds in which the error must be raised, window included.
SOON = WINDOW + 1.0


@contextlib.contextmanager
def _stalled(match: str = "") -> Iterator[None]:
    """Check that the block raises Stalled, after the window and soon after it."""
    watch = Stopwatch()
    with pytest.raises(Stalled, match=match or None):
        yield
    assert watch.elapsed() >= WINDOW
    assert watch.seconds() < SOON


def test_f18_a_download_drips(harness: Any) -> None:
    transfer = harness.published(DATA[:100_000])
    harness.fault(DOWNLOAD, "drip 1/0.2")
    client = harness.client(retry=POLICY)
    files = client.list_files(transfer.token)
    with _stalled("less than 1024 bytes/s"):
        client.download_file(transfer.token, files[0].id, harness.out)


def test_f18_a_download_drips_once(harness: Any) -> None:
    transfer = harness.published(DATA[:100_000])
    fault = harness.fault(DOWNLOAD, "drip 1/0.2")
    client = harness.client(retry=RetryPolicy(backoff=0, stall_window=patient(0.5)))
    [result] = client.download_files(transfer.token, harness.out)
    assert fault.fired == 1
    assert result.retries == 1
    assert (harness.out / "a.bin").read_bytes() == DATA[:100_000]


@pytest.mark.parametrize("effect", ["stall-after 64K", "stall", "rate 500"])
def test_f18_an_upload_stalls(make_harness: Any, effect: str) -> None:
    harness = make_harness(upload_chunk_size=len(DATA))
    harness.fault(CHUNK, effect)
    client = harness.client(retry=POLICY)
    client.prepare()
    with _stalled():
        client.upload_workflow([harness.file(DATA)], link=True)


@pytest.mark.parametrize("uploads", ["filesender", "smartfile", "perseus"], indirect=True)
def test_f18_a_stalled_upload_is_ended(uploads: Uploads) -> None:
    """Fails if a body hides its attempt: then only the time-out of the socket would end it."""
    if uploads.service == "filesender":
        uploads.harness.site.configure(upload_chunk_size=len(DATA))
    fault = uploads.harness.fault(uploads.content, "stall-after 64K")
    events: List[Any] = []
    client = uploads.harness.client(retry=RetryPolicy(backoff=0, stall_window=0.5), timeout=30.0)
    watch = Stopwatch()
    uploads.send(uploads.harness.file(DATA), client, progress=events.append)
    assert watch.seconds() < 6
    assert (fault.fired, sum(event.state == "retrying" for event in events)) == (1, 1)
    assert uploads.complete() == {"a.bin": DATA}


def test_f18_slow_is_not_stalled(make_harness: Any) -> None:
    """Well above the least speed for several windows, in both directions."""
    harness = make_harness(upload_chunk_size=1 << 20)
    policy = RetryPolicy(backoff=0, attempts=1, stall_speed=1024, stall_window=0.6)
    harness.fault(CHUNK, "rate 512K", times=None)
    client = harness.client(retry=policy, timeout=PATIENCE)
    transfer = client.upload_workflow([harness.file(DATA[: 1 << 20])], link=True)
    harness.fault(DOWNLOAD, "rate 512K", times=None)
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA[: 1 << 20]


@pytest.mark.parametrize("match", [INFO, PAGE], ids=["json", "page"])
def test_f18_a_small_answer_drips(harness: Any, match: str) -> None:
    """No other watchdog ends such a call, and every byte arrives within the read time-out."""
    token = harness.published(DATA[:10]).token
    client = harness.client(retry=RetryPolicy(backoff=0, attempts=1, stall_window=WINDOW))
    client.prepare()
    harness.fault(match, "drip 1/0.2")
    with _stalled("the response has not ended"):
        client.get_server_info() if match == INFO else client.list_files(token)


def test_f18_an_answer_that_was_long_in_coming(harness: Any) -> None:
    """Thinking is not dripping."""
    client = harness.client(retry=RetryPolicy(backoff=0, attempts=1, stall_window=0.01))
    harness.fault(INFO, "no-length close")
    assert client.get_server_info()["name"] == "FileSender"
