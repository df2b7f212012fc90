"""Retry state of one request.

Every loop in the package that repeats a request gets its attempts from :meth:`RetryState.attempts`.
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

#: Number of rate limit errors up to which the delay grows, although other requests of the client succeed.
_MAX_COUNTED_RATE_LIMIT_ERRORS = 4
#: Statuses of a gateway that does not know whether the server processed the request.
_GATEWAY_STATUSES = frozenset({502, 504})


class ServedRequestCounter(Protocol):
    """Counter of the client's requests that were served."""

    def served_count(self, url: str) -> int:
        """Return how many requests the origin of a URL has served so far."""


class RetryState:
    """Attempts, failures and waits of one request.

    :param description: of the request, for the log.
    :param sleep: called with the seconds to wait before another attempt.
    :param idempotent: False if a repeated request could have its effect twice.
    :param rate_limits: rate limits that the client has observed.  Attempts that a rate limit rejects while
        other requests of the client are served are not counted, but their waits are limited.
    :param error_family: the errors of the service.
    :param rules: retry rules that take precedence over the common ones.
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
        error_family: ErrorFamily = GENERIC_ERRORS,
        rules: Sequence[RetryRule] = (),
    ) -> None:
        self.policy = policy
        self._error_family = error_family
        self._rules = (*rules, *COMMON_RETRY_RULES)
        self.failure_count = 0
        self._clock = clock
        self._description = description
        self._sleep = sleep or clock.sleep
        self._idempotent = idempotent
        self._rate_limits = rate_limits
        #: Number of served requests when the origin last rejected this one.
        self._served_before = -1
        #: Seconds spent waiting for a rate limit.
        self._rate_limit_seconds = 0.0
        self._consecutive_failures = 0
        #: All rate limit errors, even if other requests were served in between.
        self._rate_limit_errors = 0
        self._progress_time = clock.monotonic()
        #: Time limits of the latest attempt, if it has not failed yet.
        self._time_limits: Optional[TimeLimits] = None
        #: Error of the latest attempt, until it is handled.
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
        """Yield one attempt after the other.  The ``with`` block of an attempt swallows its error.

        .. code-block:: python

            attempts = retry_state.attempts(start_attempt)
            while True:
                with next(attempts):
                    return send()

        :param start_attempt: begins an attempt within the limits of :meth:`time_limits`.
        :param raise_if_aborted: called after a failed attempt; raises if the call is ending.
        :param before_retry: called before another attempt, after the wait.
        :raises CommunicationError: no further attempt is allowed.
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
        """True if the latest attempt failed and the next one has not been requested."""
        return self._pending_error is not None

    def time_limits(self) -> TimeLimits:
        """Return the time limits of the next attempt: the rest of the time budget, and the stall rule."""
        policy = self.policy
        ends_at = self._progress_time + policy.budget
        limits = TimeLimits(self._clock, policy.budget, ends_at, policy.stall_speed, policy.stall_window)
        limits.attempt = self._consecutive_failures + 1
        self._time_limits = limits
        return limits

    def reset(self) -> None:
        """Restart the failure count and the time budget, because new bytes arrived."""
        self._consecutive_failures = 0
        self._progress_time = self._clock.monotonic()

    def wait_or_raise(self, error: CommunicationError) -> None:
        """Wait before another attempt, or raise ``error`` if no further attempt is allowed.

        :raises OutcomeUnknown: the response was lost, and the request must not be repeated.
        """
        self.failure_count += 1
        self._consecutive_failures += 1
        if self._time_limits is not None:  # time spent sending a body counts as progress
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
        immediately = decision is RetryDecision.RETRY_IMMEDIATELY
        wait = 0.0 if immediately else self._compute_delay(error)
        spent = self._clock.monotonic() - self._progress_time
        if spent + wait > self.policy.budget:
            raise error
        if _is_rate_limit_error(error):
            self._rate_limit_seconds += wait
            if self._rate_limit_seconds > self.policy.limit_budget:
                raise error
        log.log(
            logging.INFO if immediately else logging.WARNING,
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
        retry_after: Optional[float] = getattr(error, "retry_after", None)
        status: int = getattr(error, "status", 0)
        if (
            retry_after is not None
            and status in NOT_PROCESSED_STATUSES
            and not retry_after <= self.policy.retry_after_cap
        ):
            raise evolve_error(error, hint=describe_retry_after(retry_after))
        failures = self._consecutive_failures
        if _is_rate_limit_error(error):
            # The delay grows even if other requests are served, because each rejection also delays those.
            failures = max(failures, min(self._rate_limit_errors, _MAX_COUNTED_RATE_LIMIT_ERRORS))
        return self.policy.compute_delay(failures, self._clock.random(), status, retry_after)

    def _reset_if_others_served(self, error: CommunicationError) -> None:
        """Restart the failure count if other requests were served since the last rate limit error."""
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
        return self._error_family.class_for(OutcomeUnknown)(
            f"{self._description}: the response was lost ({error.summary}); the object may exist",
            hint="check on the server whether the object exists before you repeat the call",
        )


def _is_rate_limit_error(error: CommunicationError) -> bool:
    return getattr(error, "status", 0) in NOT_PROCESSED_STATUSES and not error.may_have_been_processed
