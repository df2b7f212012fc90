"""Polling until an operation is done: intervals and number of requests."""

from __future__ import annotations

from typing import List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer.transport.polling import PollIntervals, poll
from tests.support.fake_clock import FakeClock


def polled(clock: FakeClock, done_at: float, seconds: float, pauses: PollIntervals) -> List[float]:
    """Poll until a moment of the clock; return the moments of all looks."""
    looks: List[float] = []
    began = clock.monotonic()

    def look() -> float:
        looks.append(clock.monotonic() - began)
        return looks[-1]

    poll(look, lambda now: now >= done_at, timeout=seconds, intervals=pauses, clock=clock, sleep=clock.sleep)
    return looks


def test_pauses_grow_to_the_longest(clock: FakeClock) -> None:
    assert polled(clock, 20.0, 100.0, PollIntervals(initial=1.0, maximum=4.0)) == [0, 1, 3, 7, 11, 15, 19, 23]


def test_the_last_look_is_at_the_end_of_the_time(clock: FakeClock) -> None:
    assert polled(clock, 100.0, 5.0, PollIntervals(initial=2.0)) == [0, 2, 5]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_one_look_is_taken_however_short_the_time(clock: FakeClock, seconds: float) -> None:
    assert polled(clock, 1.0, seconds, PollIntervals(initial=1.0)) == [0]


@given(st.floats(0.01, 10), st.floats(1, 3), st.floats(0, 0.9), st.floats(0.1, 100), st.floats(0, 120))
def test_it_ends_in_time(first: float, growth: float, spread: float, seconds: float, done_at: float) -> None:
    pauses = PollIntervals(initial=first, maximum=10.0, growth=growth, jitter=spread)
    looks = polled(FakeClock(), done_at, seconds, pauses)
    assert looks[-1] <= seconds + 1e-6
    assert looks[-1] >= done_at or looks[-1] == pytest.approx(seconds)
    assert not [now for now in looks[:-1] if now >= done_at]
