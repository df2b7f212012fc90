"""Clients whose servers answer with something else than they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.support.altered_responses import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Canned answers, one value of which is replaced."""
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "state"))
    return Stage(tmp_path)
