"""FileSender: each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import DecodeError
from smartxfer.testing import canned
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.testing import test_canned as table

CALLS = sorted(table.CALLS)
CONTENT = canned.load("prepare", mock=responses.RequestsMock()).facts["content"]


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(harness: AlteredResponses) -> Any:
        report = harness.directory / "report.csv"
        report.write_bytes(CONTENT)
        auth = UserAuth("ann@example.org", table.KEY)
        options = {"auth": auth, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with FileSenderClient(canned.BASE_URL, **options) as client:
            return table.CALLS[method](client, report, harness.directory / "out")

    return run


@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, method: str) -> None:
    assert harness.run("filesender", method, make(method), every(19)) == []


#: (the call, the request whose answer is changed, where in it, by what).
REFUSED = [
    ("transfers.get", "GET /rest.php/transfer/42", ("id",), 43),
    ("transfers.get", "GET /rest.php/transfer/42", ("id",), True),
    ("transfers.get", "GET /rest.php/transfer/42", ("files",), "text"),
    ("transfers.get", "GET /rest.php/transfer/42", ("files", 0, "size"), -1),
    ("transfers.get", "GET /rest.php/transfer/42", ("files", 0, "size"), 1 << 63),
    ("update_transfer", "PUT /rest.php/transfer/42", ("id",), 43),
    ("create_transfer", "POST /rest.php/transfer", (), []),
    ("create_transfer", "POST /rest.php/transfer", ("id",), "4_2"),
    ("create_guest", "POST /rest.php/guest", ("id",), None),
    ("get_server_info", "GET /rest.php/info", ("upload_chunk_size",), "5e6"),
    ("get_server_info", "GET /rest.php/info", ("upload_chunk_size",), "@infinite@"),
    ("get_server_info", "GET /rest.php/info", ("upload_chunk_size",), "@NaN@"),
    ("get_server_info", "GET /rest.php/info", ("upload_chunk_size",), "@long@"),
    ("upload_file", "PUT /rest.php/file/107/chunk/0", ("written",), "@infinite@"),
]


@pytest.mark.parametrize(
    "row", REFUSED, ids=lambda row: f"{row[0]} {'.'.join(map(str, row[2]))} {row[3]!r:.12}"
)
def test_refused(harness: AlteredResponses, row: Any) -> None:
    method, label, path, value = row
    with pytest.raises(DecodeError, match=label.split(" ")[1]):
        harness.call("filesender", method, make(method), Change(label, path, value))
