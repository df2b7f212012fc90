"""Decisions about another attempt: the checks, their order, and results that a check cannot have."""

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
from smartxfer.transport import RetryPolicy, RetryState
from smartxfer.transport.retry_checks import (
    COMMON_RETRY_RULES,
    RetryContext,
    RetryDecision,
    RetryRule,
    decide_retry,
    make_no_decision,
)
from tests.support.fake_clock import FakeClock


def answering(decision: RetryDecision, seen: List[RetryContext]) -> RetryRule:
    """Return a check that keeps what it was asked and always gives one answer."""

    def check(context: RetryContext) -> RetryDecision:
        seen.append(context)
        return decision

    return check


@pytest.mark.parametrize("decision", [RetryDecision.RETRY, RetryDecision.RETRY_IMMEDIATELY, RetryDecision.FAIL])
def test_the_first_that_does_not_pass_decides(decision: RetryDecision) -> None:
    seen: List[RetryContext] = []
    late: List[RetryContext] = []
    checks = [make_no_decision, answering(decision, seen), answering(RetryDecision.RETRY, late)]
    context = RetryContext(NetworkError("broken"))
    assert decide_retry(checks, context) is decision
    assert seen == [context]
    assert late == []


def test_where_all_pass_it_fails() -> None:
    assert decide_retry([], RetryContext(NetworkError("broken"))) is RetryDecision.FAIL
    assert decide_retry([make_no_decision, make_no_decision], RetryContext(NetworkError("broken"))) is RetryDecision.FAIL


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (NetworkError("broken"), RetryDecision.RETRY),
        (ServerError("down", retryable=False), RetryDecision.FAIL), (BadRequest("wrong"), RetryDecision.FAIL),
        (BadRequest("late", retryable=True), RetryDecision.RETRY),
    ],
)
def test_what_every_client_does(error: CommunicationError, decision: RetryDecision) -> None:
    assert decide_retry(COMMON_RETRY_RULES, RetryContext(error)) is decision


def test_what_is_known() -> None:
    context = RetryContext(NotFound("gone", status=404), failures=2, idempotent=False)
    assert context.http_error is context.error
    assert context.may_have_been_processed
    context = RetryContext(NetworkError("refused", may_have_been_processed=False))
    assert context.http_error is None
    assert not context.may_have_been_processed
    assert (context.failures, context.idempotent) == (1, True)


def tries(clock: FakeClock, *checks: RetryRule, **known: Any) -> RetryState:
    return RetryState(RetryPolicy(attempts=3), clock, "PUT x", rules=checks, **known)


def test_a_check_receives_the_attempt_number_and_whether_a_repeat_is_safe(clock: FakeClock) -> None:
    seen: List[RetryContext] = []
    course = tries(clock, answering(RetryDecision.RETRY, seen), idempotent=False)
    errors = [NetworkError(str(number), may_have_been_processed=False) for number in range(3)]
    course.wait_or_raise(errors[0])
    course.wait_or_raise(errors[1])
    with pytest.raises(NetworkError):
        course.wait_or_raise(errors[2])
    assert [context.failures for context in seen] == [1, 2, 3]
    assert [context.error for context in seen] == errors
    assert not any(context.idempotent for context in seen)


def test_a_refusal_can_be_retried_and_a_broken_line_given_up(clock: FakeClock) -> None:
    tries(clock, answering(RetryDecision.RETRY, [])).wait_or_raise(BadRequest("wrong", status=400))
    assert len(clock.waits) == 1
    with pytest.raises(NetworkError, match="broken"):
        tries(clock, answering(RetryDecision.FAIL, [])).wait_or_raise(NetworkError("broken"))
    assert len(clock.waits) == 1


def test_at_once_is_without_a_wait_and_a_warning(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "smartxfer")
    course = tries(clock, answering(RetryDecision.RETRY_IMMEDIATELY, []))
    course.wait_or_raise(BadRequest("an address that has expired", status=403, retry_after=50.0))
    assert clock.waits in ([], [0.0])
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "waiting 0.0 s before attempt 2 of 3" in record.getMessage()


def test_no_check_has_more_tries_made_than_the_policy_allows(clock: FakeClock) -> None:
    course = tries(clock, answering(RetryDecision.RETRY_IMMEDIATELY, []))
    course.wait_or_raise(NotFound("gone", status=404))
    course.wait_or_raise(NotFound("gone", status=404))
    with pytest.raises(NotFound):
        course.wait_or_raise(NotFound("gone", status=404))


@pytest.mark.parametrize("decision", [RetryDecision.RETRY, RetryDecision.RETRY_IMMEDIATELY])
def test_no_check_has_done_twice_what_must_not_be(clock: FakeClock, decision: RetryDecision) -> None:
    with pytest.raises(OutcomeUnknown):
        tries(clock, answering(decision, []), idempotent=False).wait_or_raise(NetworkError("lost"))
    assert clock.waits == []
