"""Clients of servers whose responses differ from the documented ones."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.support.altered_responses import AlteredResponses


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlteredResponses]:
    """Canned answers, one value of which is replaced."""
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "state"))
    return AlteredResponses(tmp_path)
