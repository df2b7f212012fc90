"""Retry rules: functions that decide from a failed attempt whether to make another one.

A client has rules that are specific to its service, and a file has rules for its own state, such as an
expired URL.  :class:`~smartxfer.transport.retry_state.RetryState` calls the rules of the file, of the client,
and of :data:`COMMON_RETRY_RULES`; the first that returns a decision wins.  No rule can repeat a request that
is not idempotent, or more often than the policy allows.
"""

import enum
from typing import Callable, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import CommunicationError, HTTPError

__all__ = [
    "COMMON_RETRY_RULES",
    "RetryContext",
    "RetryDecision",
    "RetryRule",
    "decide_retry",
    "make_no_decision",
]


class RetryDecision(enum.Enum):
    """A decision about a request after a failed attempt."""

    #: Send it again after the delay of the policy.
    RETRY = "retry"
    #: Send it again without a delay, because the new request will differ.
    RETRY_IMMEDIATELY = "retry at once"
    #: Raise the error.
    FAIL = "fail"
    #: Let the next rule decide.
    NO_DECISION = "pass"


@attrs.frozen
class RetryContext:
    """A failed attempt.

    :param error: the error of the attempt.
    :param failures: number of consecutive failures without progress, including this one.
    :param idempotent: False if a repeated request could have its effect twice.
    """

    error: CommunicationError
    failures: int = 1
    idempotent: bool = True

    @property
    def http_error(self) -> Optional[HTTPError]:
        """The error response of the server; None if there was no response."""
        return self.error if isinstance(self.error, HTTPError) else None

    @property
    def may_have_been_processed(self) -> bool:
        """True if the server may have processed the request."""
        return self.error.may_have_been_processed


#: Returns a decision, or ``NO_DECISION``.
RetryRule = Callable[[RetryContext], RetryDecision]


def decide_retry(rules: Sequence[RetryRule], context: RetryContext) -> RetryDecision:
    """Return the decision of the first rule that makes one, else ``FAIL``."""
    for rule in rules:
        decision = rule(context)
        if decision is not RetryDecision.NO_DECISION:
            return decision
    return RetryDecision.FAIL


def make_no_decision(*known: object) -> RetryDecision:
    """Return ``NO_DECISION``; used where no specific rule exists."""
    return RetryDecision.NO_DECISION


def retry_if_transient(context: RetryContext) -> RetryDecision:
    """Retry errors that are marked as retryable."""
    return RetryDecision.RETRY if context.error.retryable else RetryDecision.NO_DECISION


#: Rules of every client.
COMMON_RETRY_RULES: Tuple[RetryRule, ...] = (retry_if_transient,)
