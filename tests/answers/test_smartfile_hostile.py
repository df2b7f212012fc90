"""SmartFile: each call with answers that nobody promised: an error of ours, or a result that can be used."""

from __future__ import annotations

from typing import Any

import pytest
import test_canned_smartfile as table
from hostile import Change, Clock, Stage

from smartxfer import BasicClient, RetryPolicy
from smartxfer.errors import DecodeError, SmartxferError
from smartxfer.testing import canned

CALLS = sorted(table.CALLS)


def make(method: str) -> Any:
    """Makes the call with a client of its own."""

    def run(stage: Stage) -> Any:
        sent = stage.directory / "sent"
        sent.mkdir()
        (sent / "report.csv").write_bytes(table.CONTENT)
        options = {"url": canned.SMARTFILE_URL, "retry": RetryPolicy(attempts=1), "clock": Clock()}
        with BasicClient("k" * 30, "p" * 30, **options) as client:
            return table.CALLS[method](client, sent, stage.directory / "out")

    return run


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", CALLS)
def test_an_error_of_ours_or_a_result(stage: Stage, method: str, every: int) -> None:
    assert stage.run("smartfile", method, make(method), every) == []
