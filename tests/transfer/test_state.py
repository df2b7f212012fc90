"""The states of a running transfer."""

from __future__ import annotations

import time

import pytest

from smartxfer.errors import Cancelled, DeadlineExceeded
from smartxfer.transfer.lifecycle import Lifecycle, Phase


def test_it_begins_in_running() -> None:
    life = Lifecycle()
    assert (life.phase, life.abort_error, life.closed, life.aborted.is_set()) == (Phase.RUNNING, None, False, False)
    assert life.close_at == float("inf")
    life.raise_if_aborted()


def test_the_first_reason_counts() -> None:
    life, first = Lifecycle(), Cancelled("first")
    assert life.abort(first) is first
    assert life.abort(DeadlineExceeded("second")) is first
    assert (life.phase, life.aborted.is_set()) == (Phase.ABORTING, True)
    with pytest.raises(Cancelled, match="first"):
        life.raise_if_aborted()


@pytest.mark.parametrize(("reason", "most"), [(Cancelled("x"), 1.5), (DeadlineExceeded("x"), 0.7)])
def test_how_long_threads_are_waited_for(reason: Cancelled, most: float) -> None:
    life = Lifecycle()
    before = time.monotonic()
    life.abort(reason)
    assert before + most <= life.close_at <= time.monotonic() + most


def test_left_is_the_last_state() -> None:
    life = Lifecycle()
    life.close()
    life.raise_if_aborted()  # it has come to its end
    assert life.closed
    life.abort(Cancelled("late"))
    assert life.phase is Phase.CLOSED
    life.close()
    with pytest.raises(Cancelled, match="late"):
        life.raise_if_aborted()
