from __future__ import annotations

import contextlib
import email.utils
import logging
from typing import Any, Iterator, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartxfer import errors
from smartxfer.transport import Attempt, RetryPolicy, RetryState
from smartxfer.transport.attempt import current_attempt
from smartxfer.transport.retry_after import parse_retry_after
from tests.support.fake_clock import FakeClock

NOW = 1_700_000_000.0
DECADE = 3650 * 86400.0


def test_the_figures() -> None:
    policy = RetryPolicy()
    assert (policy.attempts, policy.backoff, policy.backoff_cap) == (6, 0.5, 20.0)
    assert (policy.retry_after_cap, policy.budget) == (120.0, 600.0)
    assert (policy.stall_speed, policy.stall_window) == (1024, 60.0)
    assert policy.statuses == {408, 429, 500, 502, 503, 504}
    with pytest.raises(AttributeError):
        policy.attempts = 1  # type: ignore[misc]


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"backoff": -1}, {"budget": 0}, {"stall_window": 0}])
def test_impossible_figures(wrong: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("86400", 86400.0),
        ("soon", None),
        ("-5", None),
        ("1.5", 1.5), ("1.5.2", None), (".5", None),
        ("inf", None), ("nan", None), ("1e999", None), ("-inf", None), ("1e3", None),
        ("9" * 12, DECADE), ("9" * 400, DECADE),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DECADE),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("\xb2", None),  # a digit to str.isdigit(), no number to float()
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        (email.utils.formatdate(NOW + 3, usegmt=True), 3.0),
        (email.utils.formatdate(NOW - 300, usegmt=True), 0.0),
        (email.utils.formatdate(NOW + 3), 3.0),  # "-0000": UTC, wherever we are
    ],
)
def test_retry_after(value: Optional[str], seconds: Optional[float]) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.one_of(st.text(), st.text(alphabet="0123456789 :,+-GMTJanMon"), st.integers().map(str)))
def test_retry_after_never_fails(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 4_000_000_000))
def test_retry_after_reads_every_date(moment: int) -> None:
    value = email.utils.formatdate(moment, usegmt=True)
    assert parse_retry_after(value, NOW) == min(max(0.0, moment - NOW), DECADE)


def fail(tries: RetryState, error: Any, times: int) -> None:
    for _ in range(times):
        tries.wait_or_raise(error)


def test_waits_double_up_to_the_cap(clock: FakeClock) -> None:
    clock.chance = 1.0
    tries = RetryState(RetryPolicy(attempts=9, budget=1e9), clock, "GET x")
    fail(tries, errors.NetworkError("broken"), 8)
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 20, 20]
    with pytest.raises(errors.NetworkError, match="broken"):
        tries.wait_or_raise(errors.NetworkError("broken"))
    assert tries.failure_count == 9


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_is_full(chance: float) -> None:
    clock = FakeClock(chance=chance)
    fail(RetryState(RetryPolicy(), clock, "GET x"), errors.NetworkError("broken"), 5)
    assert clock.waits == [chance * (0.5 * 2**n) for n in range(5)]


def test_new_bytes_start_the_count_again(clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(attempts=2), clock, "GET x")
    for _ in range(10):
        tries.wait_or_raise(errors.NetworkError("broken"))
        tries.reset()
    tries.wait_or_raise(errors.NetworkError("broken"))
    with pytest.raises(errors.NetworkError):
        tries.wait_or_raise(errors.NetworkError("broken"))


def test_the_budget_ends_it(clock: FakeClock) -> None:
    clock.chance = 1.0
    tries = RetryState(RetryPolicy(attempts=100, budget=60), clock, "GET x")
    with pytest.raises(errors.NetworkError):
        fail(tries, errors.NetworkError("broken"), 100)
    assert sum(clock.waits) <= 60
    assert sum(clock.waits) + 20 > 60


@pytest.mark.parametrize("broken", [False, True])
def test_sending_a_body_does_not_use_up_the_budget(clock: FakeClock, broken: bool) -> None:
    """A large file takes long; the try after that has all of the budget, too."""
    tries = RetryState(RetryPolicy(attempts=3, budget=60, backoff=0), clock, "PUT x")
    for _ in range(2):
        limits = tries.time_limits()
        assert limits.remaining() == 60
        limits.pause()
        clock.advance(3600)
        if not broken:
            limits.resume(request_sent=True)
            assert limits.remaining() == 60
        tries.wait_or_raise(errors.NetworkError("broken"))


def test_waiting_for_a_rate_limit_uses_up_the_budget(clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(budget=60), clock, "PUT x")
    limits = tries.time_limits()
    limits.pause()
    clock.advance(100)
    limits.resume()
    with pytest.raises(errors.NetworkError):
        tries.wait_or_raise(errors.NetworkError("broken"))


@pytest.mark.parametrize("kind", [errors.RateLimited, errors.ServerError])
def test_retry_after_is_obeyed_up_to_its_cap(clock: FakeClock, kind: Any) -> None:
    status = 429 if kind is errors.RateLimited else 503
    tries = RetryState(RetryPolicy(), clock, "GET x")
    tries.wait_or_raise(kind("wait", status=status, retry_after=2.0))
    tries.wait_or_raise(kind("wait", status=status, retry_after=120.0))
    assert clock.waits == [2.25, 120.25]
    with pytest.raises(kind) as caught:
        tries.wait_or_raise(kind("wait", status=status, retry_after=86400.0))
    assert "86400 s" in caught.value.hint
    assert caught.value.retry_after == 86400.0
    assert len(clock.waits) == 2


@pytest.mark.parametrize(
    ("asked", "words"),
    [(1e5, "in 100000 s"), (8.64e6, "in more than 100 days"), (1e300, "3650 days"), (float("inf"), "3650 days")],
)
def test_how_long_a_wait_over_the_cap_is(clock: FakeClock, asked: float, words: str) -> None:
    """Regression: "come back in inf s"."""
    with pytest.raises(errors.RateLimited, match=words) as caught:
        RetryState(RetryPolicy(), clock, "GET x").wait_or_raise(errors.RateLimited("wait", status=429, retry_after=asked))
    assert "inf" not in str(caught.value)
    assert clock.waits == []


def test_tries_without_number_do_not_overflow(clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(attempts=10**9, budget=float("inf")), clock, "GET x")
    for _ in range(1100):
        tries.wait_or_raise(errors.NetworkError("broken"))
    assert max(clock.waits) == 10.0


def test_retry_after_of_another_status_is_not_obeyed(clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(), clock, "GET x")
    tries.wait_or_raise(errors.ServerError("down", status=500, retry_after=100.0))
    assert clock.waits == [0.25]


def test_what_is_not_retryable_is_raised(clock: FakeClock) -> None:
    error = errors.BadRequest("wrong", status=400)
    with pytest.raises(errors.BadRequest) as caught:
        RetryState(RetryPolicy(), clock, "GET x").wait_or_raise(error)
    assert caught.value is error
    assert clock.waits == []


@pytest.mark.parametrize(
    "error",
    [
        errors.NetworkError("reset"), errors.ReadTimeout("late"), errors.ServerError("gateway", status=502),
        errors.ServerError("g", status=504),
    ],
)
def test_a_lost_answer_is_not_repeated_unasked(clock: FakeClock, error: Any) -> None:
    with pytest.raises(errors.OutcomeUnknown, match="may exist"):
        RetryState(RetryPolicy(), clock, "POST x", idempotent=False).wait_or_raise(error)
    assert clock.waits == []


def test_what_the_server_did_not_act_on_is_repeated(clock: FakeClock) -> None:
    tries = RetryState(RetryPolicy(), clock, "POST x", idempotent=False)
    tries.wait_or_raise(errors.ConnectTimeout("no connection"))
    tries.wait_or_raise(errors.RateLimited("later", status=429, retry_after=1.0))
    assert len(clock.waits) == 2


def test_a_plain_server_error_of_a_write_is_raised_as_it_is(clock: FakeClock) -> None:
    with pytest.raises(errors.ServerError):
        RetryState(RetryPolicy(), clock, "POST x", idempotent=False).wait_or_raise(errors.ServerError("down", status=500))


def test_each_retry_is_logged_once(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "smartxfer"):
        fail(RetryState(RetryPolicy(), clock, "GET http://h/x"), errors.NetworkError("broken"), 2)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert lines == [
        "GET http://h/x: broken; waiting 0.2 s before attempt 2 of 6",
        "GET http://h/x: broken; waiting 0.5 s before attempt 3 of 6",
    ]


def test_the_adapters_policy_is_the_same_without_urllib3s_hours() -> None:
    retry = RetryPolicy(attempts=4).to_urllib3()
    assert retry.total == 3
    assert retry.respect_retry_after_header is False
    assert retry.raise_on_status is False
    assert "POST" not in (retry.allowed_methods or ())


def test_the_attempts_of_a_request_in_their_order() -> None:
    """A failed block is left, the abort is checked before the wait, and the retry is announced after it."""
    done: List[str] = []

    @contextlib.contextmanager
    def begin(tries: RetryState) -> Iterator[Attempt]:
        done.append(f"begin {tries.failure_count}")
        try:
            yield Attempt()
        finally:
            done.append("end")

    tries = RetryState(RetryPolicy(attempts=2), FakeClock(), "GET x", sleep=lambda seconds: done.append("wait"))
    attempts = tries.attempts(begin, raise_if_aborted=lambda: done.append("check"), before_retry=lambda: done.append("again"))
    with next(attempts):
        raise errors.ConnectTimeout("no")
    assert tries.has_pending_error
    second = next(attempts)
    assert not tries.has_pending_error
    with second:
        raise errors.ConnectTimeout("again no")
    with pytest.raises(errors.ConnectTimeout, match="again no"):
        next(attempts)
    assert done == ["begin 0", "end", "check", "wait", "again", "begin 1", "end", "check"]


@pytest.mark.parametrize("error", [errors.Cancelled("over"), KeyboardInterrupt()])
def test_what_is_no_failure_of_a_try_leaves_its_block(error: BaseException) -> None:
    tries = RetryState(RetryPolicy(), FakeClock(), "GET x")
    with pytest.raises(type(error)), next(tries.attempts(lambda tries: Attempt().activate())):
        assert current_attempt() is not None
        raise error
    assert current_attempt() is None
    assert not tries.has_pending_error
