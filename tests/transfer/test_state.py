"""The states of a running transfer."""

from __future__ import annotations

import time

import pytest

from smartxfer.errors import Cancelled, DeadlineExceeded
from smartxfer.transfer.state import Lifecycle, Phase


def test_it_begins_in_running() -> None:
    life = Lifecycle()
    assert (life.phase, life.reason, life.left, life.stopped.is_set()) == (Phase.RUNNING, None, False, False)
    assert life.leave_at == float("inf")
    life.check()


def test_the_first_reason_counts() -> None:
    life, first = Lifecycle(), Cancelled("first")
    assert life.end(first) is first
    assert life.end(DeadlineExceeded("second")) is first
    assert (life.phase, life.stopped.is_set()) == (Phase.ENDING, True)
    with pytest.raises(Cancelled, match="first"):
        life.check()


@pytest.mark.parametrize(("reason", "most"), [(Cancelled("x"), 1.5), (DeadlineExceeded("x"), 0.7)])
def test_how_long_threads_are_waited_for(reason: Cancelled, most: float) -> None:
    life = Lifecycle()
    before = time.monotonic()
    life.end(reason)
    assert before + most <= life.leave_at <= time.monotonic() + most


def test_left_is_the_last_state() -> None:
    life = Lifecycle()
    life.leave()
    life.check()  # it has come to its end
    assert life.left
    life.end(Cancelled("late"))
    assert life.phase is Phase.LEFT
    life.leave()
    with pytest.raises(Cancelled, match="late"):
        life.check()
