"""Repeated calls after an interrupted upload: when they continue it, and when they must not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict

import pytest

from smartxfer import UserAuth
from smartxfer.errors import ClientError
from tests.support.filesender_harness import CHUNK_SIZE, noise

DATA = noise(4 * CHUNK_SIZE)
TO_BOB: Dict[str, Any] = {"recipients": ["bob@example.net"]}


def _broken(harness: Any, path: Path, args: Dict[str, Any]) -> None:
    """An upload whose last chunk is refused."""
    harness.fault(f"PUT /rest.php/file/*/chunk/{3 * CHUNK_SIZE}", "status 400")
    with pytest.raises(ClientError):
        harness.client(concurrent_chunks=1).upload_workflow([path], args)


def _rewrite(harness: Any, path: Path) -> None:
    """Same name, same size, other bytes."""
    found = path.stat()
    path.write_bytes(noise(len(DATA), seed=2))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def _drop(harness: Any, path: Path) -> None:
    """The server drops the transfer: what it acknowledged of it is gone too."""
    harness.client().transfers.delete(harness.site.transfers()[-1]["id"])


#: What happens between two runs, options of the second one, how much it resumes, and the transfers that there are then.
BETWEEN: Dict[str, Any] = {
    "f22: nothing": (lambda harness, path: None, {}, 3 * CHUNK_SIZE, 1),
    "f22: a restart is asked for": (lambda harness, path: None, {"resume": False}, 0, 1),
    "f22: the transfer is lost": (_drop, {}, 0, 1),
    "f38: the file is rewritten": (_rewrite, {}, 0, 2),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_f22_f38_the_same_request(harness: Any, case: str) -> None:
    """Detect a second transfer, or one that continues with what is gone or has changed."""
    between, options, resumed, transfers = BETWEEN[case]
    path = harness.file(DATA)
    _broken(harness, path, TO_BOB)
    between(harness, path)
    transfer = harness.client().upload_workflow([path], TO_BOB, **options)
    assert transfer.results[0].resumed == resumed
    assert (len(harness.site.transfers()), harness.stored()["a.bin"]) == (transfers, path.read_bytes())


@pytest.mark.parametrize(
    "other",
    [
        {"recipients": ["eve@example.net"]},
        {"recipients": ["bob@example.net", "eve@example.net"]},
        {**TO_BOB, "subject": "another"},
        {**TO_BOB, "options": {"email_download_complete": False}},
        {},
    ],
)
def test_f22_another_request_does_not(harness: Any, other: Dict[str, Any]) -> None:
    path = harness.file(DATA)
    _broken(harness, path, TO_BOB)
    transfer = harness.client().upload_workflow([path], other)
    assert transfer.results[0].resumed == 0
    assert len(harness.site.transfers()) == 2
    notified = {mail["to"] for mail in harness.site.mails if mail["kind"] == "transfer_available"}
    assert notified == set(other.get("recipients", []))
    assert harness.stored()["a.bin"] == DATA


def test_f22_another_account_does_not(make_harness: Any) -> None:
    harness = make_harness(users={"ann@example.org": "a" * 64, "cid@example.org": "c" * 64})
    path = harness.file(DATA)
    args = {**TO_BOB, "from": "ann@example.org"}
    _broken(harness, path, args)
    client = harness.client(auth=UserAuth("cid@example.org", "c" * 64))
    assert client.upload_workflow([path], args).results[0].resumed == 0
    assert len({transfer["userid"] for transfer in harness.site.transfers()}) == 2
    continued = harness.client().upload_workflow([path], args)
    assert continued.results[0].resumed == 3 * CHUNK_SIZE, "the first account's journal was used by another account"


def test_f22_smaller_chunks_the_second_time(harness: Any) -> None:
    """The acknowledged chunks have the earlier size."""
    path = harness.file(DATA)
    _broken(harness, path, TO_BOB)
    client = harness.client(chunk_size=CHUNK_SIZE // 3)
    transfer = client.upload_workflow([path], TO_BOB)
    assert transfer.results[0].resumed == 3 * CHUNK_SIZE
    assert harness.stored()["a.bin"] == DATA


def test_f22_the_server_lost_bytes_that_it_acknowledged(harness: Any) -> None:
    """The server reports it when the file is completed; the next run sends everything."""
    path = harness.file(DATA)
    _broken(harness, path, TO_BOB)
    [file] = harness.site.transfers()[-1]["files"]
    os.truncate(harness.site.stored(file["id"]), 10)
    harness.fault("PUT /rest.php/file/*", "status 500 body=json:file_integrity_check_failed", after=1)
    client = harness.client()
    with pytest.raises(Exception, match="run again"):
        client.upload_workflow([path], TO_BOB)
    transfer = client.upload_workflow([path], TO_BOB)
    assert transfer.results[0].resumed == 0
    assert harness.stored()["a.bin"] == DATA
