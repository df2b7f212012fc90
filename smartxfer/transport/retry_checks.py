"""Decisions about another try: small functions of what is known about the one that failed.

A client has one list of them, for what its service alone knows; a file has one for its own state, such as an
address that has expired.  :class:`~smartxfer.transport.retry_state.RetryState` asks the file's, the
client's, and those of :data:`COMMON_RETRY_RULES`: the first that does not pass decides.  No check has a
request repeated
that may do its thing twice, nor more often than the policy allows.
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
    """A decision about a request whose try has failed."""

    #: Make it again, after the policy's wait.
    RETRY = "retry"
    #: Make it again without a wait: something was learnt that makes it another request.
    RETRY_IMMEDIATELY = "retry at once"
    #: Raise the error.
    FAIL = "fail"
    #: Have the next check decide.
    NO_DECISION = "pass"


@attrs.frozen
class RetryContext:
    """A try that failed, and what is known about it.

    :param error: how it failed.
    :param attempt: tries in a row without progress, this one included.
    :param idempotent: False when the request could do its thing twice.
    """

    error: CommunicationError
    failures: int = 1
    idempotent: bool = True

    @property
    def http_error(self) -> Optional[HTTPError]:
        """The error of the server's answer; None where there was no answer."""
        return self.error if isinstance(self.error, HTTPError) else None

    @property
    def may_have_been_processed(self) -> bool:
        """True where the server may have got the request, and have acted on it."""
        return self.error.may_have_been_processed


#: Decides about another try, or passes.
RetryRule = Callable[[RetryContext], RetryDecision]


def decide_retry(rules: Sequence[RetryRule], context: RetryContext) -> RetryDecision:
    """Return the decision of the first check that does not pass, else ``FAIL``."""
    for check in rules:
        decision = check(context)
        if decision is not RetryDecision.NO_DECISION:
            return decision
    return RetryDecision.FAIL


def make_no_decision(*known: object) -> RetryDecision:
    """Pass: there is nothing more to know."""
    return RetryDecision.NO_DECISION


def retry_if_transient(context: RetryContext) -> RetryDecision:
    """Retry what the error's class, its status or the service's word for it says may pass."""
    return RetryDecision.RETRY if context.error.retryable else RetryDecision.NO_DECISION


#: What every client does.
COMMON_RETRY_RULES: Tuple[RetryRule, ...] = (retry_if_transient,)
