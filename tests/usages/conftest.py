"""Makes the tools of these tests importable, and keeps waits short."""

import sys
import threading
from pathlib import Path

import pytest

# importlib mode leaves sys.path alone; the names are told apart from those of other directories.
sys.path.insert(0, str(Path(__file__).parent))

from smartxfer.seams import Clock


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries follow each other at once: the programs are those of users, who set no RetryPolicy."""

    def wait(_: Clock, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.01))

    monkeypatch.setattr(Clock, "sleep", lambda _, seconds: None)
    monkeypatch.setattr(Clock, "wait", wait)
