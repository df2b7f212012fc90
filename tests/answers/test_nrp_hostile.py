"""NRP: each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer import RepositoryClient, RetryPolicy
from smartxfer.errors import DecodeError
from smartxfer.testing import canned
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.testing import test_canned_nrp as table

CALLS = sorted(table.CALLS)


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(harness: AlteredResponses) -> Any:
        sent = harness.directory / "sent"
        sent.mkdir()
        (sent / table.KEY).write_bytes(table.CONTENT)
        options = {"token": "t" * 40, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with RepositoryClient(canned.NRP_URL, **options) as client:
            return table.CALLS[method](client, sent, harness.directory / "out")

    return run


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.filterwarnings("ignore::smartxfer.nrp.DraftWarning")
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, method: str) -> None:
    assert harness.run("nrp", method, make(method), every(61)) == []


def _label(harness: AlteredResponses, method: str, ends: str) -> str:
    """The request of a call that ends so, as the stage names it."""
    _, seen = harness.call("nrp", method, make(method))
    return [label for label in seen if label.endswith(ends)][-1]


#: (the call, the end of the request whose answer is changed, where in it, by what).
REFUSED = [
    ("files.read", f"/files/{table.KEY}", ("key",), "another.bin"),
    ("files.read", f"/files/{table.KEY}", ("size",), -1),
    ("files.read", f"/files/{table.KEY}", ("size",), 10**30),
    ("files.update", f"/files/{table.KEY}", ("key",), "another.bin"),
    ("files.wait_fetch", f"/files/{table.KEY}", ("key",), "another.bin"),
    ("files.download", f"/files/{table.KEY}", ("key",), "another.bin"),
    ("files.list", "/files", ("entries",), {"a": 1}),
    ("files.list", "/files", ("entries",), 5),
    ("files.list", "/files", ("entries", 0), None),
    ("files.list", "/files", ("entries", 0, "key"), 5),
    ("records.read", f"/records/{table.ID}", ("id",), [1]),
    ("records.read", f"/records/{table.ID}", (), []),
    ("records.search", "/records", ("hits",), []),
    ("records.search", "/records", ("hits", "hits"), {}),
    ("records.search", "/records", ("hits", "hits", 0), "text"),
    ("records.search", "/records", ("links",), {"next": 5}),
    ("records.search", "/records", ("aggregations",), [1]),
]


@pytest.mark.parametrize(
    "row", REFUSED, ids=lambda row: f"{row[0]} {'.'.join(map(str, row[2]))} {row[3]!r:.12}"
)
def test_refused(harness: AlteredResponses, row: Any) -> None:
    method, ends, path, value = row
    with pytest.raises(DecodeError):
        harness.call("nrp", method, make(method), Change(_label(harness, method, ends), path, value))
