"""Makes the tools of these tests importable, and keeps waits short."""

import threading

import pytest

from smartxfer._system import Clock


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries follow each other at once: the programs are those of users, who set no RetryPolicy."""

    def wait(_: Clock, event: threading.Event, seconds: float) -> bool:
        return event.wait(min(seconds, 0.01))

    monkeypatch.setattr(Clock, "sleep", lambda _, seconds: None)
    monkeypatch.setattr(Clock, "wait_for_event", wait)
