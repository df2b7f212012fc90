"""Clocks that differ and lines slower than a signature lasts: F26, F27."""

from __future__ import annotations

import time
from typing import Any

import pytest

from smartxfer._system import Clock
from smartxfer.errors import AuthError
from smartxfer.transport import RetryPolicy
from tests.support.filesender_harness import CHUNK, COMPLETE, noise
from tests.support.service_harness import AT_ONCE

DATA = noise(256 * 1024)
TEN_MINUTES = 600.0


class _Off(Clock):
    """A clock that is wrong by some seconds."""

    def __init__(self, by: float) -> None:
        self.by = by

    def time(self) -> float:
        return time.time() + self.by


@pytest.mark.parametrize("off", [-TEN_MINUTES, TEN_MINUTES])
@pytest.mark.parametrize("chunk_security", ["key", "auth"])
def test_f26_our_clock_is_wrong(make_harness: Any, chunk_security: str, off: float) -> None:
    harness = make_harness(chunk_security=chunk_security)
    client = harness.client(clock=_Off(off))
    transfer = client.upload_workflow([harness.file(DATA)], link=True)
    assert harness.stored()["a.bin"] == DATA
    assert harness.site.count(status=500) == 0, "the server's Date was taken into account beforehand"
    client.download_files(transfer.token, harness.out)
    assert (harness.out / "a.bin").read_bytes() == DATA


def test_f26_the_servers_clock_is_set_forward_during_the_upload(harness: Any) -> None:
    client = harness.client()
    client.upload_workflow([harness.file(DATA)], link=True)
    harness.site.configure(clock_offset=TEN_MINUTES)
    client.upload_workflow([harness.file(DATA)], link=True)
    assert harness.stored()["a.bin"] == DATA
    assert harness.site.count(status=500) == 1, "rejected once as too late, then accepted"


def test_f26_a_clock_that_cannot_be_set_right(harness: Any) -> None:
    client = harness.client()
    client.prepare()
    fault = harness.fault(COMPLETE, "status 500 body=json:auth_remote_too_late", times=None)
    with pytest.raises(AuthError, match="clock") as caught:
        client.upload_workflow([harness.file(DATA)], link=True)
    assert caught.value.code == "auth_remote_too_late"
    assert fault.fired == AT_ONCE.attempts, "no storm of retries"


def _slow(make_harness: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A site that wants its chunks signed for 1 s, behind a line that takes longer for each."""
    monkeypatch.setattr("smartxfer.local.filesender.signing.SIGNATURE_LIFETIME", 1)
    harness = make_harness(chunk_security="auth", upload_chunk_size=len(DATA))
    harness.fault(CHUNK, "rate 80K", times=None)
    return harness


@pytest.mark.slow
def test_f27_a_chunk_that_takes_longer_than_its_signature(
    make_harness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = _slow(make_harness, monkeypatch)
    started = time.monotonic()
    transfer = harness.client().upload_workflow([harness.file(DATA)], link=True)
    assert time.monotonic() - started > 2.0, "the window and the second that a timestamp may lose"
    assert harness.stored()["a.bin"] == DATA
    assert transfer.results[0].retries <= 1, "once at most, to learn that this site wants signatures"
    assert harness.site.count(CHUNK, status=500) == 0


@pytest.mark.slow
def test_f27_without_the_lead_it_is_too_late(make_harness: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartxfer.filesender.request_signer.CHUNK_TIMESTAMP_LEAD", 0)
    harness = _slow(make_harness, monkeypatch)
    client = harness.client(retry=RetryPolicy(backoff=0, attempts=2))
    with pytest.raises(AuthError, match="delay=") as caught:
        client.upload_workflow([harness.file(DATA)], link=True)
    assert caught.value.code == "auth_remote_too_late"
