"""Journals of uploads that hold other values than a run writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from smartxfer.errors import NetworkError
from smartxfer.transfer.journal import state_directory
from tests.support.nrp_server import NRPServer

STEP = 5 << 20


@pytest.fixture
def harness() -> Iterator[NRPServer]:
    made = NRPServer()
    yield made
    made.close()


@pytest.mark.parametrize(
    "values",
    [
        {"parts": 5},
        {"parts": [1, 2]},
        {"parts": {"one": ["x"]}},
        {"parts": {"-1": ["0" * 32], "0": []}},
        {"parts": {"0": 5, "1": [5], "2": [None], "9" * 5000: ["0" * 32]}},
        {"parts": {"0": ["Z" * 32]}},
        {"about": 5, "created": 7},
        {"created": ["x"]},
    ],
    ids=lambda values: json.dumps(values)[:40],
)
def test_a_damaged_journal_costs_a_repeat_only(harness: NRPServer, tmp_path: Path, values: Any) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(2 * STEP + 1000))
    draft = str(harness.site.create())
    options: Any = {"transfer_type": "multipart", "part_size": STEP}
    fault = harness.fault("PUT /api/records/*/content/*", "reset-before", times=6, after=1)
    with pytest.raises(NetworkError):
        harness.client(max_workers=1).files.upload(draft, "k", {}, path, **options)
    assert fault.fired == 6
    (journal,) = (state_directory() / "journals").glob("*.json")
    found = json.loads(journal.read_text())
    found["state"].update(values)
    journal.write_text(json.dumps(found))
    file = harness.client().files.upload(draft, "k", {}, path, **options)
    assert file.status == "completed"
    assert harness.site.read(draft, "k") == path.read_bytes()
