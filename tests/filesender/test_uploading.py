"""The upload workflow against a site: recipients, checks before the upload, and incomplete uploads."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from smartxfer import FileSenderClient, RetryPolicy
from smartxfer.errors import SizeMismatch, SmartxferError, UsageError
from smartxfer.filesender.request_body import build_transfer_body
from smartxfer.transfer.local_files import collect_files

ONCE = RetryPolicy(attempts=1)
BOB = {"recipients": ["bob@example.net"]}
CREATE = "POST /rest.php/transfer"
CHUNKS = "PUT /rest.php/file/*/chunk/*"


# -- recipients and links ------------------------------------------------------------------------------------------


def test_recipients_really_get_a_mail(harness: Any, make: Any) -> None:
    people = ["bob@example.net", "cy@example.net"]
    args = {"recipients": people, "subject": "Reads", "message": "Here they are."}
    transfer = harness.client().upload_workflow([make("a.bin")], args)
    mails = {mail["to"]: mail for mail in harness.site.mails if mail["kind"] == "transfer_available"}
    assert sorted(mails) == people
    assert {mail["subject"] for mail in mails.values()} == {"Reads"}
    assert {recipient.email: recipient.token for recipient in transfer.recipients} == {
        address: mail["token"] for address, mail in mails.items()
    }


def test_a_link_is_for_the_caller_to_pass_on(harness: Any, make: Any, tmp_path: Path) -> None:
    path = make("a.bin", 1000)
    transfer = harness.client().upload_workflow([path], link=True)
    assert transfer.download_url.startswith(f"{harness.url}/?s=download&token=")
    assert harness.site.mails == []
    with FileSenderClient(harness.url) as anyone:
        anyone.download_files(transfer.download_url, tmp_path / "out")
    assert (tmp_path / "out" / "a.bin").read_bytes() == path.read_bytes()


def test_an_upload_without_recipients_makes_a_link(harness: Any, make: Any) -> None:
    assert harness.client().upload_workflow([make("a.bin")]).download_url


def body(args: Any = None, link: bool = False, sender: Any = "ann@example.org") -> Dict[str, Any]:
    return build_transfer_body(collect_files([("a.txt", b"12")]), args or {}, sender, link)


@pytest.mark.parametrize(
    ("args", "link", "wanted"),
    [
        ({}, False, True),
        ({}, True, True),
        (BOB, False, False),
        ({**BOB, "options": {"email_me_copies": True}}, False, False),
        ({"options": ["email_me_copies"]}, True, True),
        ({"options": {"get_a_link": True}}, False, True),
    ],
)
def test_a_link_is_always_asked_for_or_declined(args: Any, link: bool, wanted: bool) -> None:
    options = body(args, link)["options"]
    assert options["get_a_link"] is wanted
    assert options["email_download_complete"] is True


@pytest.mark.parametrize(("args", "link"), [(BOB, True), ({**BOB, "options": {"get_a_link": True}}, False)])
def test_a_link_and_recipients_exclude_each_other(args: Any, link: bool) -> None:
    with pytest.raises(UsageError, match="recipients"):
        body(args, link)


def test_one_recipient_may_be_given_as_text() -> None:
    assert body({"recipients": "bob@example.net"})["recipients"] == ["bob@example.net"]


def test_neither_link_nor_recipients_is_rejected() -> None:
    args: Dict[str, Any] = {"options": {"get_a_link": False}}
    with pytest.raises(UsageError, match="recipients"):
        body(args)
    args["options"]["add_me_to_recipients"] = True
    assert body(args)["options"]["get_a_link"] is False


def test_what_is_announced() -> None:
    made = body({**BOB, "subject": None, "expires": 1_800_000_000})
    assert made["from"] == "ann@example.org"
    assert "subject" not in made
    assert made["expires"] == 1_800_000_000
    assert made["files"] == [{"name": "a.txt", "size": 2, "mime_type": "text/plain", "cid": "file_0_2_0_0"}]
    assert "from" not in body(BOB, sender=None)
    assert body({**BOB, "from": "cy@example.org"})["from"] == "cy@example.org"


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


@pytest.mark.parametrize(
    ("files", "args"),
    [
        ([("a", b"1"), ("b", b"1"), ("c", b"1")], BOB),
        ([("a", bytes(2600)), ("b", bytes(2600))], BOB),
        ([("a", bytes(3001))], BOB),
        ([("a", b"1")], {"recipients": [A, B, C]}),
        ([("a", b"1")], {"recipients": [A, "no address"]}),
        ([("a", b"1")], {**BOB, "from": "no address"}),
        ([("what?.txt", b"1")], BOB),
        ([("a+b.txt", b"1")], BOB),
        ([("../a.txt", b"1")], BOB),
        ([("/a.txt", b"1")], BOB),
        ([("folder/", b"1")], BOB),
        ([("a//b.txt", b"1")], BOB),
        ([("a" * 256, b"1")], BOB),
        ([("virus.exe", b"1")], BOB),
        ([("a.t_t", b"1")], BOB),
        ([("a", b"1")], {**BOB, "expires": 1}),
        ([("a", b"1")], {**BOB, "expires": "2199-01-01"}),
        ([("a", b"1"), ("a", b"2")], BOB),
        ([], BOB),
    ],
    ids=[
        *["count", "total", "one file", "recipients", "an address", "the sender", "?", "+", ".."],
        *[
            "absolute", "a folder", "an empty part", "long", "banned", "not whitelisted", "past",
            "far future", "twice", "none",
        ],
    ],
)
def test_what_the_site_would_refuse_is_found_before(
    site_with: Callable[..., Any], files: Any, args: Any
) -> None:
    harness = site_with(**LIMITS)
    with pytest.raises(UsageError):
        harness.client().upload_workflow(files, args)
    assert harness.site.count("POST *") == 0
    assert harness.site.transfers() == []


def test_a_chunk_size_above_the_sites_is_found_in_prepare(harness: Any) -> None:
    client = harness.client(chunk_size=harness.chunk + 1)
    with pytest.raises(UsageError, match="chunk_size"):
        client.prepare()
    with pytest.raises(UsageError, match="chunk_size"):
        client.upload_workflow([("a", b"1")], BOB)
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


# -- directories ----------------------------------------------------------------------------------------------


def test_a_directory_keeps_its_names(harness: Any, make: Any, tmp_path: Path) -> None:
    for name in ("run/a.txt", "run/deep/b.txt", "run/deep/er/c.txt"):
        make(name)
    make("run/empty.txt", 0)
    make("alone.txt")
    folder = tmp_path / "sources"
    harness.client().upload_workflow([folder / "run", folder / "alone.txt"], BOB)
    stored = harness.stored()
    assert sorted(stored) == [
        "alone.txt", "run/a.txt", "run/deep/b.txt", "run/deep/er/c.txt", "run/empty.txt",
    ]
    assert all(data == (folder / name).read_bytes() for name, data in stored.items())


def test_links_are_skipped_and_said(
    harness: Any, make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("run/a.txt")
    folder = tmp_path / "sources" / "run"
    (folder / "link.txt").symlink_to(make("elsewhere.txt"))
    (folder / "nowhere").symlink_to(folder / "missing")
    (folder / "loop").symlink_to(folder)
    harness.client().upload_workflow([folder], BOB)
    assert list(harness.stored()) == ["run/a.txt"]
    assert caplog.text.count("is skipped") == 3


def test_links_are_followed_when_asked_for(
    harness: Any, make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make("run/a.txt")
    target = make("elsewhere.txt")
    folder = tmp_path / "sources" / "run"
    (folder / "link.txt").symlink_to(target)
    (folder / "loop").symlink_to(folder)
    harness.client().upload_workflow([folder], BOB, follow_symlinks=True)
    assert sorted(harness.stored()) == ["run/a.txt", "run/link.txt"]
    assert harness.stored()["run/link.txt"] == target.read_bytes()
    assert "leads to a parent directory" in caplog.text


def test_an_empty_directory_is_nothing_to_send(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no files"):
        harness.client().upload_workflow([tmp_path / "empty"], BOB)
    assert harness.site.count("POST *") == 0


def test_a_file_may_be_called_like_a_folder(harness: Any) -> None:
    """A folder has an entry of its own in the answer, of the same name."""
    harness.client().upload_workflow([("dir", b"5"), ("dir/x", b"66")], BOB)
    assert harness.stored() == {"dir": b"5", "dir/x": b"66"}


# -- widths, and the small calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("chunks", "most"), [(1, 1), (3, 3), (None, 16)])
def test_as_many_chunks_at_a_time_as_said(harness: Any, chunks: Any, most: int) -> None:
    """All of them wait for the last: as many are on their way as were allowed, and no more."""
    parts = most + 4
    fault = harness.fault(CHUNKS, "stall", times=None)
    cancel = threading.Event()
    seen: List[int] = []

    def watch() -> None:
        assert fault.wait(20, times=most)
        seen.append(fault.fired)
        cancel.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(SmartxferError):
        harness.client(concurrent_chunks=chunks).upload_workflow(
            [("a.bin", bytes(parts * harness.chunk))], BOB, cancel=cancel
        )
    watcher.join()
    assert seen == [most]
    assert fault.fired == most


@pytest.mark.parametrize("wrong", ["chunk_size", "concurrent_files", "concurrent_chunks"])
def test_widths_of_nothing_are_refused(harness: Any, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        harness.client(**{wrong: 0})


def test_step_by_step(harness: Any, make: Any) -> None:
    path = make("a.bin", 3 * harness.chunk)
    client = harness.client()
    made = client.create_transfer(
        {
            "from": "ann@example.org",
            "recipients": ["bob@example.net"],
            "options": {"get_a_link": False},
            "files": [{"name": "a.bin", "size": 3 * harness.chunk}],
        }
    )
    [file] = made.files
    assert client.upload_file(file, path).bytes == 3 * harness.chunk
    client.update_file(file, {"complete": True})
    done = client.update_transfer(made, {"complete": True})
    assert done.id == made.id
    assert harness.stored() == {"a.bin": path.read_bytes()}
    # A plain dictionary, as the answer shows it, serves as well.
    again = client.create_transfer(
        {"from": "ann@example.org", "files": [{"name": "b", "size": 3}], "options": {"get_a_link": True}}
    )
    client.upload_complete(dict(again.files[0]), b"123")
    assert client.update_transfer(again.id, {"complete": True})["id"] == again.id


def test_a_file_of_another_size_than_announced(harness: Any, make: Any) -> None:
    client = harness.client()
    made = client.create_transfer({"from": "ann@example.org", "files": [{"name": "a", "size": 5}]})
    with pytest.raises(SizeMismatch) as caught:
        client.upload_file(made.files[0], make("a.bin", 6))
    assert (caught.value.expected, caught.value.actual) == (5, 6)
    assert harness.site.count(CHUNKS) == 0
