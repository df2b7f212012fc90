"""The course of one request through its tries.

Every loop in the package that repeats a request takes its attempts from :meth:`Tries.attempts`.
"""

import contextlib
import logging
from typing import Any, Callable, ContextManager, Iterator, Optional, Protocol, Sequence

from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.error_values import evolve
from smartxfer.errors import CommunicationError, HTTPError, NetworkError, OutcomeUnknown
from smartxfer.reprs import short_repr
from smartxfer.seams import Clock
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.checks import COMMON, Check, Decision, RetryContext, decide
from smartxfer.transport.retry import RetryPolicy
from smartxfer.transport.retry_after import REFUSALS, come_back
from smartxfer.transport.time_limits import TimeLimits

__all__ = ["Served", "Tries"]

log = logging.getLogger("smartxfer.transport")

#: Refusals by a rate limit up to which waits grow, though the limit lets other requests pass.
_MOST_REFUSALS = 4
#: Answers of a gateway that does not know what became of the request.
_LOST_BEHIND_GATEWAY = frozenset({502, 504})


class Served(Protocol):
    """What the tries of one request learn of the client's other requests."""

    def served(self, url: str) -> int:
        """Return how many requests the origin of a URL did not refuse so far."""


class Tries:
    """The course of one request through its tries.

    :param what: the request in words, for the log.
    :param pause: called with seconds before another try.
    :param idempotent: False when a repeat could do the thing twice.
    :param limits: the client's view of rate limits. Tries that a limit refuses, while it lets other requests
        of the client pass, are not counted, only timed.
    :param checks: decisions about another try, which are asked before those that every client makes.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        what: str,
        *,
        pause: Optional[Callable[[float], Any]] = None,
        idempotent: bool = True,
        limits: Optional[Served] = None,
        errors: ErrorFamily = GENERIC,
        checks: Sequence[Check] = (),
    ) -> None:
        self.policy = policy
        self._errors = errors
        self._checks = (*checks, *COMMON)
        self.count = 0
        self._clock = clock
        self._what = what
        self._pause = pause or clock.sleep
        self._idempotent = idempotent
        self._limits = limits
        #: Requests that the origin had served when it last refused this one.
        self._served = -1
        #: Seconds that were spent waiting at a rate limit.
        self._limited = 0.0
        self._failures = 0
        #: Refusals by a rate limit, whatever it let pass meanwhile.
        self._refusals = 0
        self._since = clock.monotonic()
        #: Of the latest try, which has not failed yet.
        self._time_limits: Optional[TimeLimits] = None
        #: How the latest try failed, until that is heeded.
        self._failure: Optional[CommunicationError] = None

    def __repr__(self) -> str:
        return short_repr("Tries", self._what, failed=self.count)

    def attempts(
        self,
        begin: "Callable[[Tries], ContextManager[Attempt]]",
        *,
        check: Callable[[], object] = lambda: None,
        again: Callable[[], object] = lambda: None,
    ) -> Iterator[ContextManager[Attempt]]:
        """Yield one attempt after the other; the block of one that fails is left without its error.

        .. code-block:: python

            attempts = tries.attempts(begin)
            while True:
                with next(attempts):
                    return step()

        :param begin: begins an attempt, within the time limits of the next try.
        :param check: called after a try that failed; raises when the call is over.
        :param again: called before another try, after the wait.
        :raises CommunicationError: there is no further try.
        """
        while True:
            yield self._attempt(begin)
            error, self._failure = self._failure, None
            if error is not None:
                check()
                self.failed(error)
                again()

    @contextlib.contextmanager
    def _attempt(self, begin: "Callable[[Tries], ContextManager[Attempt]]") -> Iterator[Attempt]:
        try:
            with begin(self) as attempt:
                yield attempt
        except CommunicationError as error:
            self._failure = error

    @property
    def failing(self) -> bool:
        """True where the latest attempt failed, and another one has not been asked for."""
        return self._failure is not None

    def time_limits(self) -> TimeLimits:
        """Return the time limits of the next try: what is left of the budget, and the stall rule."""
        policy = self.policy
        ends_at = self._since + policy.budget
        made = TimeLimits(self._clock, policy.budget, ends_at, policy.stall_speed, policy.stall_window)
        made.attempt = self._failures + 1
        self._time_limits = made
        return made

    def progressed(self) -> None:
        """New bytes arrived: the count and the budget start again."""
        self._failures = 0
        self._since = self._clock.monotonic()

    def failed(self, error: CommunicationError) -> None:
        """Wait before another try, or raise ``error`` (or what it means) when there is none.

        :raises OutcomeUnknown: the request must not be repeated and its answer was lost.
        """
        self.count += 1
        self._failures += 1
        if self._time_limits is not None:  # sending a body is progress, however long it took
            self._since += self._time_limits.sending()
            self._time_limits = None
        self._heed_others(error)
        decision = decide(self._checks, RetryContext(error, self._failures, self._idempotent))
        if not self._idempotent and error.acted_on:
            raise self._unrepeatable(error)
        if decision is Decision.FAIL or self._failures >= self.policy.attempts:
            raise error
        at_once = decision is Decision.RETRY_AT_ONCE
        wait = 0.0 if at_once else self._wait_before_next(error)
        spent = self._clock.monotonic() - self._since
        if spent + wait > self.policy.budget:
            raise error
        if _is_limit(error):
            self._limited += wait
            if self._limited > self.policy.limit_budget:
                raise error
        log.log(
            logging.INFO if at_once else logging.WARNING,
            "%s; waiting %.1f s before attempt %d of %d",
            error.summary if error.summary.startswith(self._what) else f"{self._what}: {error.summary}",
            wait,
            self._failures + 1,
            self.policy.attempts,
        )
        self._pause(wait)

    def _wait_before_next(self, error: CommunicationError) -> float:
        asked: Optional[float] = getattr(error, "retry_after", None)
        status: int = getattr(error, "status", 0)
        if asked is not None and status in REFUSALS and not asked <= self.policy.retry_after_cap:
            raise evolve(error, hint=come_back(asked))
        failures = self._failures
        if _is_limit(error):
            # Refused for good while others are served: each refusal is a pause for them.
            failures = max(failures, min(self._refusals, _MOST_REFUSALS))
        return self.policy.wait(failures, self._clock.random(), status, asked)

    def _heed_others(self, error: CommunicationError) -> None:
        """Start the count again where a rate limit let other requests pass since it last refused this one."""
        if self._limits is None or not _is_limit(error):
            return
        self._refusals += 1
        url: str = getattr(error, "url", "")
        served = self._limits.served(url) if url else -1
        if served > self._served >= 0:
            self.progressed()
            self._failures = 1
        self._served = served

    def _unrepeatable(self, error: CommunicationError) -> CommunicationError:
        lost = isinstance(error, NetworkError) or (
            isinstance(error, HTTPError) and error.status in _LOST_BEHIND_GATEWAY
        )
        if not lost:
            return error
        return self._errors.kind(OutcomeUnknown)(
            f"{self._what}: the answer was lost ({error.summary}); what it creates may exist",
            hint="look on the server before repeating it",
        )


def _is_limit(error: CommunicationError) -> bool:
    """Return whether an error says that requests come too often."""
    return getattr(error, "status", 0) in REFUSALS and not error.acted_on
