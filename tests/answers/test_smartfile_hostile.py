"""SmartFile: each call with arbitrary responses raises a smartxfer error or returns a usable result."""

from __future__ import annotations

from typing import Any

import pytest

from smartxfer import BasicClient, RetryPolicy
from smartxfer.errors import DecodeError
from smartxfer.testing import canned
from tests.support.altered_responses import AlteredResponses, Change, Clock, every
from tests.testing import test_canned_smartfile as table

CALLS = sorted(table.CALLS)


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(harness: AlteredResponses) -> Any:
        sent = harness.directory / "sent"
        sent.mkdir()
        (sent / "report.csv").write_bytes(table.CONTENT)
        options = {"url": canned.SMARTFILE_URL, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with BasicClient("k" * 30, "p" * 30, **options) as client:
            return table.CALLS[method](client, sent, harness.directory / "out")

    return run


@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(harness: AlteredResponses, method: str) -> None:
    assert harness.run("smartfile", method, make(method), every(29)) == []


def _label(harness: AlteredResponses, method: str, begins: str, number: int = 0) -> str:
    """The request of a call that begins so, as the stage names it."""
    _, seen = harness.call("smartfile", method, make(method))
    return [label for label in seen if label.startswith(begins)][number]


#: (the call, the beginning of the request whose answer is changed, where in it, by what).
REFUSED = [
    ("stat", "GET /api/2/path/info", ("path",), "/docs/other.csv"),
    ("stat", "GET /api/2/path/info", ("size",), -1),
    ("stat", "GET /api/2/path/info", ("size",), 10**30),
    ("stat", "GET /api/2/path/info", ("tags",), "abc"),
    ("exists", "GET /api/2/path/info", ("path",), "/docs/other.csv"),
    ("listdir", "GET /api/2/path/info", ("children", 0, "path"), "/etc/passwd"),
    ("listdir", "GET /api/2/path/info", ("children", 0, "path"), "/docs"),
    ("listdir", "GET /api/2/path/info", ("children", 0, "path"), "/docs/a/b"),
    ("listdir", "GET /api/2/path/info", ("children",), {}),
    ("listdir", "GET /api/2/path/info", ("pages",), "many"),
    ("listdir", "GET /api/2/path/info", ("pages",), None),
    ("mkdir", "POST /api/2/path/oper/mkdir", ("path",), "/other"),
    ("copy", "POST /api/2/path/oper/copy", ("uuid",), ""),
    ("copy", "GET /api/2/task", ("uuid",), "another"),
    ("wait", "GET /api/2/task", ("uuid",), "another"),
    ("checksum", "GET /api/2/task", ("result", "result", "checksums"), []),
    ("checksum", "GET /api/2/task", ("result", "result", "checksums"), {table.PATH: None}),
    ("checksum", "GET /api/2/task", ("result", "result", "checksums"), {table.PATH: "no hex"}),
    ("checksum", "GET /api/2/task", ("result", "result", "checksums"), {"/other": "00"}),
    ("links", "GET /api/2/link", ("results",), 5),
    ("links", "GET /api/2/link", ("results",), {"a": 1}),
    ("links", "GET /api/2/link", ("pages",), "many"),
    ("create_link", "POST /api/2/link", (), []),
]


@pytest.mark.parametrize(
    "row", REFUSED, ids=lambda row: f"{row[0]} {'.'.join(map(str, row[2]))} {row[3]!r:.20}"
)
def test_refused(harness: AlteredResponses, row: Any) -> None:
    method, begins, path, value = row
    with pytest.raises(DecodeError):
        harness.call("smartfile", method, make(method), Change(_label(harness, method, begins), path, value))
