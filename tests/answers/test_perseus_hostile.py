"""Perseus: each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer import PerseusClient, RetryPolicy
from smartxfer.errors import DecodeError, NotFound
from smartxfer.testing import canned
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.testing import test_canned_perseus as table

CALLS = sorted(table.CALLS)


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(harness: AlteredResponses) -> Any:
        (harness.directory / table.NAME).write_bytes(table.CONTENT)
        (harness.directory / "new.txt").write_bytes(b"new")
        options = {"api_key": "k" * 40, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with PerseusClient(canned.PERSEUS_URL, **options) as client:
            return table.CALLS[method](client, harness.directory)

    return run


@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, method: str) -> None:
    assert harness.run("perseus", method, make(method), every(7)) == []


CREATE, FIND = "POST /api/v0/file", "POST /api/v0/file/find"
#: (the call, the request whose answer is changed, where in it, by what).
REFUSED = [
    ("file.create_file", CREATE, ("file", "id"), ""),
    ("file.create_file", CREATE, ("file", "id"), 5),
    ("file.create_file", CREATE, ("file",), []),
    ("file.create_file", CREATE, ("file", "sourceHash"), "0" * 64),
    ("file.create_file", CREATE, ("uploadUrl",), ["http://127.0.0.1/"]),
    ("file.create_file", CREATE, ("uploadUrl",), 5),
    ("file.find_files", FIND, ("files",), {}),
    ("file.find_files", FIND, ("files",), None),
    ("file.find_files", FIND, ("files", 0), "f1"),
    ("file.find_files", FIND, ("files", 0, "sourceHash"), "0" * 64),
    ("file.exists", FIND, ("files", 0, "sourceHash"), "0" * 64),
    ("file.sync_dir", FIND, ("files", 0, "sourceHash"), "0" * 64),
]


@pytest.mark.parametrize(
    "row", REFUSED, ids=lambda row: f"{row[0]} {'.'.join(map(str, row[2]))} {row[3]!r:.12}"
)
def test_refused(harness: AlteredResponses, row: Any) -> None:
    method, label, path, value = row
    with pytest.raises(DecodeError, match=label.split(" ")[1]):
        harness.call("perseus", method, make(method), Change(label, path, value))


def test_a_record_of_another_id_is_not_the_one_that_was_asked_for(harness: AlteredResponses) -> None:
    change = Change(FIND, ("files", 0, "id"), "another")
    assert harness.call("perseus", "file.find_file", make("file.find_file"), change)[0] is None
    with pytest.raises(NotFound):
        harness.call("perseus", "file.wait_for_file_upload", make("file.wait_for_file_upload"), change)
