"""Decisions about another try: small functions of what is known about the one that failed.

A client has one list of them, for what its service alone knows; a file has one for its own state, such as an
address that has expired.  :class:`~smartxfer.transport.tries.Tries` asks the file's, the client's, and
those of :data:`COMMON`: the first that does not pass decides.  No check has a request repeated that may do
its thing twice, nor more often than the policy allows.
"""

import enum
from typing import Callable, Optional, Sequence, Tuple

import attrs

from smartxfer.errors import CommunicationError, HTTPError

__all__ = ["COMMON", "Check", "Decision", "RetryContext", "decide", "pass_on"]


class Decision(enum.Enum):
    """A decision about a request whose try has failed."""

    #: Make it again, after the policy's wait.
    RETRY = "retry"
    #: Make it again without a wait: something was learnt that makes it another request.
    RETRY_AT_ONCE = "retry at once"
    #: Raise the error.
    FAIL = "fail"
    #: Have the next check decide.
    PASS = "pass"  # noqa: S105 - not a password


@attrs.frozen
class RetryContext:
    """A try that failed, and what is known about it.

    :param error: how it failed.
    :param attempt: tries in a row without progress, this one included.
    :param idempotent: False when the request could do its thing twice.
    """

    error: CommunicationError
    attempt: int = 1
    idempotent: bool = True

    @property
    def refusal(self) -> Optional[HTTPError]:
        """The error of the server's answer; None where there was no answer."""
        return self.error if isinstance(self.error, HTTPError) else None

    @property
    def acted_on(self) -> bool:
        """True where the server may have got the request, and have acted on it."""
        return self.error.acted_on


#: Decides about another try, or passes.
Check = Callable[[RetryContext], Decision]


def decide(checks: Sequence[Check], context: RetryContext) -> Decision:
    """Return the decision of the first check that does not pass, else ``FAIL``."""
    for check in checks:
        decision = check(context)
        if decision is not Decision.PASS:
            return decision
    return Decision.FAIL


def pass_on(*known: object) -> Decision:
    """Pass: there is nothing more to know."""
    return Decision.PASS


def is_transient(context: RetryContext) -> Decision:
    """Retry what the error's class, its status or the service's word for it says may pass."""
    return Decision.RETRY if context.error.retryable else Decision.PASS


#: What every client does.
COMMON: Tuple[Check, ...] = (is_transient,)
