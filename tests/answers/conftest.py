"""Clients whose servers answer with something else than they promise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

# importlib mode leaves sys.path alone; the tables of calls are those of the canned answers.
sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "testing"))

from hostile import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Canned answers, one value of which is replaced."""
    monkeypatch.setenv("SMARTXFER_STATE_DIR", str(tmp_path / "state"))
    return Stage(tmp_path)
