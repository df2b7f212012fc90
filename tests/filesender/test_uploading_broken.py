"""Interrupted uploads, and the state that they leave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from smartxfer import RetryPolicy
from smartxfer.errors import (
    BatchError,
    IntegrityError,
    NetworkError,
    OutcomeUnknown,
    SmartxferError,
    SourceChanged,
    Truncated,
)

ONCE = RetryPolicy(attempts=1)
BOB = {"recipients": ["bob@example.net"]}
CREATE = "POST /rest.php/transfer"
CHUNKS = "PUT /rest.php/file/*/chunk/*"


# -- never complete, unless it is --------------------------------------------------------------------------------


def test_a_chunk_that_was_not_acknowledged_completes_nothing(harness: Any, make: Any) -> None:
    paths = [make("a.bin", 4 * harness.chunk), make("b.bin", 10)]
    harness.fault("PUT /rest.php/file/1/chunk/*", "status 502", times=None, after=2)
    with pytest.raises(BatchError) as caught:
        harness.client(retry=ONCE).upload_workflow(paths, BOB)
    assert [result.ok for result in caught.value.results] == [False, True]
    assert harness.site.count("PUT /rest.php/file/1") == 0
    assert harness.site.count("PUT /rest.php/transfer/*") == 0
    assert harness.site.transfers()[0]["status"] == "uploading"
    assert harness.site.mails == []


def test_a_chunk_that_was_written_in_part_is_not_acknowledged(harness: Any, make: Any, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text('{"offset":0,"written":17}')
    harness.fault(CHUNKS, f"status 200 body=file:{answer}", times=2)
    path = make("a.bin", 1000)
    with pytest.raises(Truncated, match="17 of 1000"):
        harness.client(retry=RetryPolicy(attempts=2, backoff=0)).upload_workflow([path], BOB)
    assert harness.site.count("PUT /rest.php/transfer/*") == 0
    harness.client().upload_workflow([path], BOB)
    assert harness.stored() == {"a.bin": path.read_bytes()}


def test_a_size_that_the_site_disputes_is_an_error_and_is_sent_again(harness: Any, make: Any) -> None:
    path = make("a.bin", 3 * harness.chunk)
    harness.fault("PUT /rest.php/file/1", "status 500 body=json:file_integrity_check_failed")
    with pytest.raises(IntegrityError, match="the server has not stored"):
        harness.client().upload_workflow([path], BOB)
    harness.client().upload_workflow([path], BOB)
    assert harness.site.count(CHUNKS) == 6
    assert harness.site.count(CREATE) == 1
    assert harness.stored() == {"a.bin": path.read_bytes()}


@pytest.mark.parametrize("how", ["appended", "replaced", "removed"])
def test_a_file_that_changes_discards_the_transfer(harness: Any, make: Any, how: str) -> None:
    path = make("a.bin", 4 * harness.chunk)

    def change(event: Any) -> None:
        if not 0 < event.done < event.total:
            return
        if how == "appended":
            with path.open("ab") as file:
                file.write(b"more")
        elif how == "replaced":
            other = path.with_name("other")
            other.write_bytes(os.urandom(4 * harness.chunk))
            os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
            other.replace(path)
        elif path.exists():
            path.unlink()

    with pytest.raises(SourceChanged):
        harness.client().upload_workflow([path], BOB, progress=change)
    assert harness.site.count("DELETE /rest.php/transfer/*", status=200) == 1
    assert harness.site.transfers() == []
    assert harness.site.mails == []


def test_a_lost_answer_to_the_creation_is_never_repeated(harness: Any, make: Any) -> None:
    harness.fault(CREATE, "lose-answer")
    with pytest.raises(OutcomeUnknown, match="may"):
        harness.client().upload_workflow([make("a.bin")], BOB)
    assert harness.site.count(CREATE) == 1
    assert harness.site.count(CHUNKS) == 0


def test_a_lost_answer_to_the_completion_tells_people_once(harness: Any, make: Any) -> None:
    harness.fault("PUT /rest.php/transfer/*", "lose-answer")
    harness.client().upload_workflow([make("a.bin")], BOB)
    assert harness.site.count("PUT /rest.php/transfer/*") == 2
    assert [mail["to"] for mail in harness.site.mails] == ["bob@example.net"]


# -- continuing, restarting, giving up ---------------------------------------------------------------------------


def half_way(harness: Any, path: Path, args: Any = BOB, **options: Any) -> SmartxferError:
    harness.fault(CHUNKS, "reset-before", after=3)
    with pytest.raises(NetworkError) as caught:
        harness.client(retry=ONCE, concurrent_chunks=1).upload_workflow([path], args, **options)
    return caught.value


def test_the_next_call_continues(harness: Any, make: Any) -> None:
    path = make("a.bin", 6 * harness.chunk)
    half_way(harness, path)
    [result] = harness.client().upload_workflow([path], BOB).results
    assert result.resumed == 3 * harness.chunk
    assert len(harness.site.transfers()) == 1


def test_resume_false_drops_the_earlier_one(harness: Any, make: Any) -> None:
    path = make("a.bin", 6 * harness.chunk)
    half_way(harness, path)
    [result] = harness.client().upload_workflow([path], BOB, resume=False).results
    assert result.resumed == 0
    assert [transfer["status"] for transfer in harness.site.transfers()] == ["available"]


@pytest.mark.parametrize(
    "other",
    [
        {"recipients": ["cy@example.net"]},
        {**BOB, "subject": "Another"},
        {**BOB, "options": {"email_me_copies": True}},
    ],
)
def test_another_request_is_not_continued(harness: Any, make: Any, other: Any) -> None:
    path = make("a.bin", 6 * harness.chunk)
    half_way(harness, path)
    [result] = harness.client().upload_workflow([path], other).results
    assert result.resumed == 0
    assert len(harness.site.transfers()) == 2


def test_a_deleted_transfer_is_restarted(harness: Any, make: Any) -> None:
    path = make("a.bin", 6 * harness.chunk)
    error: Any = half_way(harness, path)
    harness.client().transfers.delete(error.transfer_id)
    [result] = harness.client().upload_workflow([path], BOB).results
    assert result.resumed == 0
    assert harness.stored() == {"a.bin": path.read_bytes()}


def test_a_failed_upload_is_dropped_with_one_call(
    harness: Any, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    error: Any = half_way(harness, make("a.bin", 6 * harness.chunk))
    assert f"transfers.delete({error.transfer_id})" in caplog.text
    client = harness.client()
    client.transfers.delete(error.transfer_id)
    assert harness.site.transfers() == []
    client.transfers.delete(error.transfer_id)  # a deleted transfer is not an error


def test_no_secret_of_the_account_is_in_the_journal(harness: Any, make: Any) -> None:
    half_way(harness, make("a.bin", 6 * harness.chunk))
    journals = [path for path in Path(os.environ["SMARTXFER_STATE_DIR"]).rglob("*.json") if path.is_file()]
    assert len(journals) == 1
    assert harness.site.api_key not in journals[0].read_text("utf-8")
    assert journals[0].stat().st_mode & 0o777 == 0o600
    harness.client().upload_workflow([make("b.bin")], BOB)
    assert journals[0].exists()
