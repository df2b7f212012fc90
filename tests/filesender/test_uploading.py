"""The upload workflow against a site: recipients, checks before the upload, chunk sizes, and incomplete uploads."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import BatchError, DecodeError, NetworkError, SizeMismatch, SmartxferError, UsageError
from tests.support.filesender_harness import CHUNK as CHUNKS
from tests.support.minimal_filesender import RawSite

ONCE = RetryPolicy(attempts=1)
BOB = {"recipients": ["bob@example.net"]}


# -- recipients and links ------------------------------------------------------------------------------------------


def test_recipients_really_get_a_mail(harness: Any, make: Any) -> None:
    people = ["bob@example.net", "cy@example.net"]
    args = {"recipients": people, "subject": "Reads", "message": "Here they are."}
    transfer = harness.client().upload_workflow([make("a.bin")], args)
    mails = {mail["to"]: mail for mail in harness.site.mails if mail["kind"] == "transfer_available"}
    assert sorted(mails) == people
    assert {mail["subject"] for mail in mails.values()} == {"Reads"}
    found = {recipient.email: recipient.token for recipient in transfer.recipients}
    assert found == {address: mail["token"] for address, mail in mails.items()}


@pytest.mark.parametrize("options", [{"link": True}, {}], ids=["a link", "no recipients"])
def test_a_link_is_for_the_caller_to_pass_on(harness: Any, make: Any, out: Path, options: Any) -> None:
    path = make("a.bin", 1000)
    transfer = harness.client().upload_workflow([path], **options)
    assert transfer.download_url.startswith(f"{harness.url}/?s=download&token=")
    assert harness.site.mails == []
    with FileSenderClient(harness.url) as anyone:
        anyone.download_files(transfer.download_url, out)
    assert (out / "a.bin").read_bytes() == path.read_bytes()


def test_options_reach_the_site(harness: Any, make: Any) -> None:
    expires = int(time.time()) + 3 * 86400
    args = {**BOB, "expires": expires, "options": {"email_me_copies": True, "hide_sender_email": True}}
    transfer = harness.client().upload_workflow([make("a.bin")], args)
    [held] = harness.site.transfers()
    options = json.loads(held["options"])
    assert (options["email_me_copies"], options["hide_sender_email"]) == (True, True)
    assert options["get_a_link"] is False
    assert abs(held["expires"] - expires) <= 1
    assert transfer.expires.raw == held["expires"]


# -- before anything is created ------------------------------------------------------------------------------

LIMITS = {
    "max_transfer_files": 2, "max_transfer_size": 5000, "max_transfer_file_size": 3000,
    "max_transfer_recipients": 2,
}
A, B, C = "a@example.org", "b@example.org", "c@example.org"
#: What the site would refuse: the files, and arguments beside one recipient.
REFUSED: Dict[str, Tuple[Any, Dict[str, Any]]] = {
    "count": ([("a", b"1"), ("b", b"1"), ("c", b"1")], {}),
    "total": ([("a", bytes(2600)), ("b", bytes(2600))], {}),
    "one file": ([("a", bytes(3001))], {}),
    "twice": ([("a", b"1"), ("a", b"2")], {}),
    "none": ([], {}),
    "recipients": ([("a", b"1")], {"recipients": [A, B, C]}),
    "an address": ([("a", b"1")], {"recipients": [A, "no address"]}),
    "the sender": ([("a", b"1")], {"from": "no address"}),
    "past": ([("a", b"1")], {"expires": 1}),
    "far future": ([("a", b"1")], {"expires": "2199-01-01"}),
    **{
        f"the name {name[:20]!r}": ([(name, b"1")], {})
        for name in (
            "what?.txt", "a+b.txt", "../a.txt", "/a.txt", "folder/", "a//b.txt", "a" * 256, "virus.exe", "a.t_t",
        )
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_site_would_refuse_is_found_before(site_with: Callable[..., Any], case: str) -> None:
    harness = site_with(**LIMITS)
    files, args = REFUSED[case]
    with pytest.raises(UsageError):
        harness.client().upload_workflow(files, {**BOB, **args})
    assert harness.site.count("POST *") == 0
    assert harness.site.transfers() == []


def test_a_file_may_be_called_like_a_folder(harness: Any) -> None:
    """A folder has an entry of its own in the answer, of the same name."""
    harness.client().upload_workflow([("dir", b"5"), ("dir/x", b"66")], BOB)
    assert harness.stored() == {"dir": b"5", "dir/x": b"66"}


# -- chunks -----------------------------------------------------------------------------------------------------


def test_a_chunk_size_above_the_sites_is_found_in_prepare(harness: Any) -> None:
    client = harness.client(chunk_size=harness.chunk + 1)
    for call in (client.prepare, lambda: client.upload_workflow([("a", b"1")], BOB)):
        with pytest.raises(UsageError, match="chunk_size"):
            call()
    assert harness.site.count("POST *") == 0


def test_a_smaller_chunk_size_is_used(harness: Any, make: Any) -> None:
    path = make("a.bin", 10_000)
    client = harness.client(chunk_size=1500)
    client.upload_workflow([path], BOB)
    assert harness.site.count(CHUNKS) == 7
    assert harness.stored() == {"a.bin": path.read_bytes()}


def test_prepare_takes_the_sites_chunk_size(harness: Any) -> None:
    client = harness.client()
    assert client.chunk_size is None
    client.prepare()
    assert client.chunk_size == harness.chunk


@pytest.mark.parametrize(
    ("reported", "script", "chunks"),
    [(None, "", 1), (0, "", 1), (-1, "", 1), (None, "    upload_chunk_size: 2560,\n", 2)],
    ids=["none", "0", "-1", "in the script"],
)
def test_a_site_without_a_chunk_size_gets_the_default(
    site: RawSite, path: Path, reported: Any, script: str, chunks: int
) -> None:
    site.chunk_size = reported
    site.script += script
    site.send(path)
    assert site.count("PUT", r"/rest.php/file/\d+/chunk/\d+") == chunks


def test_a_chunk_size_that_would_take_millions_of_requests_is_refused(site: RawSite) -> None:
    site.chunk_size = 1
    with pytest.raises(DecodeError, match="20000 chunks of 1 bytes"):
        site.send(("a.bin", bytes(20_000)))
    assert site.count("PUT", r"/rest.php/file/\d+/chunk/\d+") == 0


@pytest.mark.parametrize(("chunks", "most"), [(1, 1), (3, 3), (None, 16)])
def test_as_many_chunks_at_a_time_as_said(harness: Any, chunks: Any, most: int) -> None:
    """All of them wait for the last: as many are on their way as were allowed, and no more."""
    fault = harness.fault(CHUNKS, "stall", times=None)
    cancel = threading.Event()
    seen: List[int] = []

    def watch() -> None:
        assert fault.wait(20, times=most)
        seen.append(fault.fired)
        cancel.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    data = bytes((most + 4) * harness.chunk)
    with pytest.raises(SmartxferError):
        harness.client(concurrent_chunks=chunks, timeout=60).upload_workflow([("a.bin", data)], BOB, cancel=cancel)
    watcher.join()
    assert seen == [most]
    assert fault.fired == most


@pytest.mark.parametrize("wrong", ["chunk_size", "concurrent_files", "concurrent_chunks"])
def test_widths_of_nothing_are_refused(harness: Any, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        harness.client(**{wrong: 0})


# -- step by step, and incomplete ---------------------------------------------------------------------------------


def test_step_by_step(harness: Any, make: Any) -> None:
    path = make("a.bin", 3 * harness.chunk)
    client = harness.client()
    announced = [{"name": "a.bin", "size": 3 * harness.chunk}]
    made = client.create_transfer(
        {**BOB, "from": "ann@example.org", "options": {"get_a_link": False}, "files": announced}
    )
    [file] = made.files
    assert client.upload_file(file, path).bytes == 3 * harness.chunk
    client.update_file(file, {"complete": True})
    assert client.update_transfer(made, {"complete": True}).id == made.id
    assert harness.stored() == {"a.bin": path.read_bytes()}
    # A plain dictionary, as the answer shows it, serves as well.
    again = client.create_transfer({"from": "ann@example.org", "files": [{"name": "b", "size": 3}]})
    client.upload_complete(dict(again.files[0]), b"123")
    assert client.update_transfer(again.id, {"complete": True})["id"] == again.id


def test_a_file_of_another_size_than_announced(harness: Any, make: Any) -> None:
    client = harness.client()
    made = client.create_transfer({"from": "ann@example.org", "files": [{"name": "a", "size": 5}]})
    with pytest.raises(SizeMismatch) as caught:
        client.upload_file(made.files[0], make("a.bin", 6))
    assert (caught.value.expected, caught.value.actual) == (5, 6)
    assert harness.site.count(CHUNKS) == 0


def test_a_chunk_that_was_not_acknowledged_completes_nothing(harness: Any, make: Any) -> None:
    paths = [make("a.bin", 4 * harness.chunk), make("b.bin", 10)]
    harness.fault("PUT /rest.php/file/1/chunk/*", "status 502", times=None, after=2)
    with pytest.raises(BatchError) as caught:
        harness.client(retry=ONCE).upload_workflow(paths, BOB)
    assert [result.ok for result in caught.value.results] == [False, True]
    assert harness.site.count("PUT /rest.php/file/1") == harness.site.count("PUT /rest.php/transfer/*") == 0
    assert harness.site.transfers()[0]["status"] == "uploading"
    assert harness.site.mails == []


def test_a_failed_upload_is_dropped_with_one_call(harness: Any, make: Any, caplog: Any) -> None:
    harness.fault(CHUNKS, "reset-before", after=3)
    with pytest.raises(NetworkError) as caught:
        harness.client(retry=ONCE).upload_workflow([make("a.bin", 6 * harness.chunk)], BOB)
    number = caught.value.transfer_id  # type: ignore[attr-defined]
    assert f"transfers.delete({number})" in caplog.text
    client = harness.client()
    client.transfers.delete(number)
    assert harness.site.transfers() == []
    client.transfers.delete(number)  # a deleted transfer is not an error
