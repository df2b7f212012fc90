"""One source that two processes with different state directories send to one key."""

import io
import os
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from smartxfer.errors import BadRequest
from tests.support.nrp_server import NRPServer

DATA = os.urandom(70_000)


@pytest.fixture
def harness() -> Iterator[NRPServer]:
    made = NRPServer()
    yield made
    made.close()


class Reading(io.BytesIO):
    """Bytes whose first read lets another process go first."""

    def __init__(self, data: bytes, first: Callable[[], Any]) -> None:
        super().__init__(data)
        self._first = [first]

    def read(self, size: Any = -1) -> bytes:
        while self._first:
            self._first.pop()()
        return super().read(size)


@pytest.mark.parametrize("transfer_type", ["L", "M"])
def test_the_slower_one_does_not_delete_what_the_faster_one_completed(
    harness: NRPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transfer_type: str
) -> None:
    draft = str(harness.site.create())
    slow, fast = harness.client(), harness.client()

    def overtake() -> None:
        monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "fast"))
        file = fast.files.upload(draft, "k", {}, DATA, transfer_type)
        assert file.status == "completed"
        monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "slow"))

    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "slow"))
    file = slow.files.upload(draft, "k", {}, Reading(DATA, overtake), transfer_type)
    assert file.status == "completed"
    assert harness.site.read(draft, "k") == DATA


def test_a_refusal_does_not_delete_what_another_process_completed(
    harness: NRPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = str(harness.site.create())
    slow, fast = harness.client(), harness.client()
    harness.fault("PUT /api/records/*/draft/files/*/content", "status 400 body=json:refused")

    def overtake() -> None:
        monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "fast"))
        assert fast.files.upload(draft, "k", {}, DATA, "L").status == "completed"

    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "slow"))
    with pytest.raises(BadRequest):
        slow.files.upload(draft, "k", {}, Reading(DATA, overtake), "L")
    assert harness.site.read(draft, "k") == DATA
