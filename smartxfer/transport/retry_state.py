"""The course of one request through its tries.

Every loop in the package that repeats a request takes its attempts from :meth:`RetryState.attempts`.
"""

import contextlib
import logging
from typing import Any, Callable, ContextManager, Iterator, Optional, Protocol, Sequence

from smartxfer._system import Clock
from smartxfer.error_families import GENERIC_ERRORS, ErrorFamily
from smartxfer.error_values import evolve_error
from smartxfer.errors import CommunicationError, HTTPError, NetworkError, OutcomeUnknown
from smartxfer.reprs import short_repr
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES, describe_retry_after
from smartxfer.transport.retry_checks import (
    COMMON_RETRY_RULES,
    RetryContext,
    RetryDecision,
    RetryRule,
    decide_retry,
)
from smartxfer.transport.retry_policy import RetryPolicy
from smartxfer.transport.time_limits import TimeLimits

__all__ = ["RetryState", "ServedRequestCounter"]

log = logging.getLogger("smartxfer.transport")

#: Refusals by a rate limit up to which waits grow, though the limit lets other requests pass.
_MAX_COUNTED_RATE_LIMIT_ERRORS = 4
#: Answers of a gateway that does not know what became of the request.
_GATEWAY_STATUSES = frozenset({502, 504})


class ServedRequestCounter(Protocol):
    """What the tries of one request learn of the client's other requests."""

    def served_count(self, url: str) -> int:
        """Return how many requests the origin of a URL did not refuse so far."""


class RetryState:
    """The course of one request through its tries.

    :param description: the request in words, for the log.
    :param sleep: called with seconds before another try.
    :param idempotent: False when a repeat could do the thing twice.
    :param rate_limits: the client's view of rate limits. Tries that a limit refuses, while it lets other
        requests of the client pass, are not counted, only timed.
    :param rules: decisions about another try, which are asked before those that every client makes.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        description: str,
        *,
        sleep: Optional[Callable[[float], Any]] = None,
        idempotent: bool = True,
        rate_limits: Optional[ServedRequestCounter] = None,
        errors: ErrorFamily = GENERIC_ERRORS,
        rules: Sequence[RetryRule] = (),
    ) -> None:
        self.policy = policy
        self._errors = errors
        self._rules = (*rules, *COMMON_RETRY_RULES)
        self.failure_count = 0
        self._clock = clock
        self._description = description
        self._sleep = sleep or clock.sleep
        self._idempotent = idempotent
        self._rate_limits = rate_limits
        #: Requests that the origin had served when it last refused this one.
        self._served_before = -1
        #: Seconds that were spent waiting at a rate limit.
        self._rate_limit_seconds = 0.0
        self._consecutive_failures = 0
        #: Refusals by a rate limit, whatever it let pass meanwhile.
        self._rate_limit_errors = 0
        self._progress_time = clock.monotonic()
        #: Of the latest try, which has not failed yet.
        self._time_limits: Optional[TimeLimits] = None
        #: How the latest try failed, until that is heeded.
        self._pending_error: Optional[CommunicationError] = None

    def __repr__(self) -> str:
        return short_repr("RetryState", self._description, failed=self.failure_count)

    def attempts(
        self,
        start_attempt: "Callable[[RetryState], ContextManager[Attempt]]",
        *,
        raise_if_aborted: Callable[[], object] = lambda: None,
        before_retry: Callable[[], object] = lambda: None,
    ) -> Iterator[ContextManager[Attempt]]:
        """Yield one attempt after the other; the block of one that fails is left without its error.

        .. code-block:: python

            attempts = tries.attempts(begin)
            while True:
                with next(attempts):
                    return step()

        :param start_attempt: begins an attempt, within the time limits of the next try.
        :param raise_if_aborted: called after a try that failed; raises when the call is over.
        :param before_retry: called before another try, after the wait.
        :raises CommunicationError: there is no further try.
        """
        while True:
            yield self._run_attempt(start_attempt)
            error, self._pending_error = self._pending_error, None
            if error is not None:
                raise_if_aborted()
                self.wait_or_raise(error)
                before_retry()

    @contextlib.contextmanager
    def _run_attempt(
        self, start_attempt: "Callable[[RetryState], ContextManager[Attempt]]"
    ) -> Iterator[Attempt]:
        try:
            with start_attempt(self) as attempt:
                yield attempt
        except CommunicationError as error:
            self._pending_error = error

    @property
    def has_pending_error(self) -> bool:
        """True where the latest attempt failed, and another one has not been asked for."""
        return self._pending_error is not None

    def time_limits(self) -> TimeLimits:
        """Return the time limits of the next try: what is left of the budget, and the stall rule."""
        policy = self.policy
        ends_at = self._progress_time + policy.budget
        made = TimeLimits(self._clock, policy.budget, ends_at, policy.stall_speed, policy.stall_window)
        made.attempt = self._consecutive_failures + 1
        self._time_limits = made
        return made

    def reset(self) -> None:
        """New bytes arrived: the count and the budget start again."""
        self._consecutive_failures = 0
        self._progress_time = self._clock.monotonic()

    def wait_or_raise(self, error: CommunicationError) -> None:
        """Wait before another try, or raise ``error`` (or what it means) when there is none.

        :raises OutcomeUnknown: the request must not be repeated and its answer was lost.
        """
        self.failure_count += 1
        self._consecutive_failures += 1
        if self._time_limits is not None:  # sending a body is progress, however long it took
            self._progress_time += self._time_limits.total_send_seconds()
            self._time_limits = None
        self._reset_if_others_served(error)
        decision = decide_retry(
            self._rules, RetryContext(error, self._consecutive_failures, self._idempotent)
        )
        if not self._idempotent and error.may_have_been_processed:
            raise self._as_outcome_unknown(error)
        if decision is RetryDecision.FAIL or self._consecutive_failures >= self.policy.attempts:
            raise error
        at_once = decision is RetryDecision.RETRY_IMMEDIATELY
        wait = 0.0 if at_once else self._compute_delay(error)
        spent = self._clock.monotonic() - self._progress_time
        if spent + wait > self.policy.budget:
            raise error
        if _is_rate_limit_error(error):
            self._rate_limit_seconds += wait
            if self._rate_limit_seconds > self.policy.limit_budget:
                raise error
        log.log(
            logging.INFO if at_once else logging.WARNING,
            "%s; waiting %.1f s before attempt %d of %d",
            error.summary
            if error.summary.startswith(self._description)
            else f"{self._description}: {error.summary}",
            wait,
            self._consecutive_failures + 1,
            self.policy.attempts,
        )
        self._sleep(wait)

    def _compute_delay(self, error: CommunicationError) -> float:
        asked: Optional[float] = getattr(error, "retry_after", None)
        status: int = getattr(error, "status", 0)
        if (
            asked is not None
            and status in NOT_PROCESSED_STATUSES
            and not asked <= self.policy.retry_after_cap
        ):
            raise evolve_error(error, hint=describe_retry_after(asked))
        failures = self._consecutive_failures
        if _is_rate_limit_error(error):
            # Refused for good while others are served: each refusal is a pause for them.
            failures = max(failures, min(self._rate_limit_errors, _MAX_COUNTED_RATE_LIMIT_ERRORS))
        return self.policy.compute_delay(failures, self._clock.random(), status, asked)

    def _reset_if_others_served(self, error: CommunicationError) -> None:
        """Start the count again where a rate limit let other requests pass since it last refused this one."""
        if self._rate_limits is None or not _is_rate_limit_error(error):
            return
        self._rate_limit_errors += 1
        url: str = getattr(error, "url", "")
        served = self._rate_limits.served_count(url) if url else -1
        if served > self._served_before >= 0:
            self.reset()
            self._consecutive_failures = 1
        self._served_before = served

    def _as_outcome_unknown(self, error: CommunicationError) -> CommunicationError:
        lost = isinstance(error, NetworkError) or (
            isinstance(error, HTTPError) and error.status in _GATEWAY_STATUSES
        )
        if not lost:
            return error
        return self._errors.class_for(OutcomeUnknown)(
            f"{self._description}: the answer was lost ({error.summary}); what it creates may exist",
            hint="look on the server before repeating it",
        )


def _is_rate_limit_error(error: CommunicationError) -> bool:
    """Return whether an error says that requests come too often."""
    return getattr(error, "status", 0) in NOT_PROCESSED_STATUSES and not error.may_have_been_processed
