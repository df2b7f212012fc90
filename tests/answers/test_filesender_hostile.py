"""FileSender: each call with answers that nobody promised: an error of ours, or a result that can be used."""

from __future__ import annotations

from typing import Any

import pytest
import test_canned as table
from hostile import Change, Clock, Stage

from smartxfer import FileSenderClient, RetryPolicy, UserAuth
from smartxfer.errors import DecodeError, SmartxferError
from smartxfer.testing import canned

CALLS = sorted(table.CALLS)
CONTENT = canned.load("prepare", mock=__import__("responses").RequestsMock()).facts["content"]


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(stage: Stage) -> Any:
        report = stage.directory / "report.csv"
        report.write_bytes(CONTENT)
        auth = UserAuth("ann@example.org", table.KEY)
        options = {"auth": auth, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with FileSenderClient(canned.BASE_URL, **options) as client:
            return table.CALLS[method](client, report, stage.directory / "out")

    return run


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(stage: Stage, method: str, every: int) -> None:
    assert stage.run("filesender", method, make(method), every) == []
