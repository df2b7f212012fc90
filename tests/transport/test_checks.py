"""Decisions about another try: who is asked, in which order, and what no check can have done."""

from __future__ import annotations

import logging
from typing import Any, List

import pytest

from smartxfer.errors import (
    BadRequest,
    CommunicationError,
    NetworkError,
    NotFound,
    OutcomeUnknown,
    ServerError,
)
from smartxfer.transport import RetryPolicy, Tries
from smartxfer.transport.checks import COMMON, Check, Decision, RetryContext, decide, pass_on
from tests.support.fake_clock import FakeClock


def answering(decision: Decision, seen: List[RetryContext]) -> Check:
    """Return a check that keeps what it was asked and always gives one answer."""

    def check(context: RetryContext) -> Decision:
        seen.append(context)
        return decision

    return check


@pytest.mark.parametrize("decision", [Decision.RETRY, Decision.RETRY_AT_ONCE, Decision.FAIL])
def test_the_first_that_does_not_pass_decides(decision: Decision) -> None:
    seen: List[RetryContext] = []
    late: List[RetryContext] = []
    checks = [pass_on, answering(decision, seen), answering(Decision.RETRY, late)]
    context = RetryContext(NetworkError("broken"))
    assert decide(checks, context) is decision
    assert seen == [context]
    assert late == []


def test_where_all_pass_it_fails() -> None:
    assert decide([], RetryContext(NetworkError("broken"))) is Decision.FAIL
    assert decide([pass_on, pass_on], RetryContext(NetworkError("broken"))) is Decision.FAIL


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (NetworkError("broken"), Decision.RETRY),
        (ServerError("down", retryable=False), Decision.FAIL),
        (BadRequest("wrong"), Decision.FAIL),
        (BadRequest("late", retryable=True), Decision.RETRY),
    ],
)
def test_what_every_client_does(error: CommunicationError, decision: Decision) -> None:
    assert decide(COMMON, RetryContext(error)) is decision


def test_what_is_known() -> None:
    context = RetryContext(NotFound("gone", status=404), attempt=2, idempotent=False)
    assert context.refusal is context.error
    assert context.acted_on
    context = RetryContext(NetworkError("refused", acted_on=False))
    assert context.refusal is None
    assert not context.acted_on
    assert (context.attempt, context.idempotent) == (1, True)


def tries(clock: FakeClock, *checks: Check, **known: Any) -> Tries:
    return Tries(RetryPolicy(attempts=3), clock, "PUT x", checks=checks, **known)


def test_a_check_is_told_the_number_of_the_try_and_if_a_repeat_is_safe(clock: FakeClock) -> None:
    seen: List[RetryContext] = []
    course = tries(clock, answering(Decision.RETRY, seen), idempotent=False)
    errors = [NetworkError(str(number), acted_on=False) for number in range(3)]
    course.failed(errors[0])
    course.failed(errors[1])
    with pytest.raises(NetworkError):
        course.failed(errors[2])
    assert [context.attempt for context in seen] == [1, 2, 3]
    assert [context.error for context in seen] == errors
    assert not any(context.idempotent for context in seen)


def test_a_refusal_can_be_retried_and_a_broken_line_given_up(clock: FakeClock) -> None:
    tries(clock, answering(Decision.RETRY, [])).failed(BadRequest("wrong", status=400))
    assert len(clock.waits) == 1
    with pytest.raises(NetworkError, match="broken"):
        tries(clock, answering(Decision.FAIL, [])).failed(NetworkError("broken"))
    assert len(clock.waits) == 1


def test_at_once_is_without_a_wait_and_a_warning(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "smartxfer")
    course = tries(clock, answering(Decision.RETRY_AT_ONCE, []))
    course.failed(BadRequest("an address that has expired", status=403, retry_after=50.0))
    assert clock.waits in ([], [0.0])
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "waiting 0.0 s before attempt 2 of 3" in record.getMessage()


def test_no_check_has_more_tries_made_than_the_policy_allows(clock: FakeClock) -> None:
    course = tries(clock, answering(Decision.RETRY_AT_ONCE, []))
    course.failed(NotFound("gone", status=404))
    course.failed(NotFound("gone", status=404))
    with pytest.raises(NotFound):
        course.failed(NotFound("gone", status=404))


@pytest.mark.parametrize("decision", [Decision.RETRY, Decision.RETRY_AT_ONCE])
def test_no_check_has_done_twice_what_must_not_be(clock: FakeClock, decision: Decision) -> None:
    with pytest.raises(OutcomeUnknown):
        tries(clock, answering(decision, []), idempotent=False).failed(NetworkError("lost"))
    assert clock.waits == []
