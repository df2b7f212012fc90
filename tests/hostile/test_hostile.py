"""Each service with hostile servers: time and memory of a call, its error, and the files that it leaves."""

from __future__ import annotations

import os

import pytest

from tests.support.hostile.runs import list_problems, run
from tests.support.hostile.services import SERVICES


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.timeout(300 if os.environ.get("SMARTXFER_TEST_EVERY") != "1" else 3600)
def test_each_call_ends_in_time_and_in_little_memory_with_a_typed_error(service: str) -> None:
    found = run(service, every=os.environ.get("SMARTXFER_TEST_EVERY") == "1")
    assert len(found) > 100
    assert list_problems(found) == []
