"""When to try again, and how long to wait before it.

One frozen policy and one small counter; every loop in the package that repeats a request takes its attempts
from :meth:`Tries.attempts`.
"""

import contextlib
import email.utils
import logging
import re
from datetime import timezone
from typing import Any, Callable, ContextManager, FrozenSet, Iterable, Iterator, Optional, Protocol, Sequence

import attrs
import urllib3
from urllib3.exceptions import MaxRetryError, ResponseError

from smartxfer.error_families import GENERIC, ErrorFamily
from smartxfer.error_values import evolve
from smartxfer.errors import CommunicationError, HTTPError, NetworkError, OutcomeUnknown, UsageError
from smartxfer.reprs import attrs_repr, short_repr
from smartxfer.seams import SYSTEM_CLOCK, Clock
from smartxfer.transport.attempt import Attempt
from smartxfer.transport.checks import COMMON, Check, Decision, RetryContext, decide
from smartxfer.transport.time_limits import TimeLimits

__all__ = ["REFUSALS", "RetryPolicy", "Tries", "parse_retry_after"]

log = logging.getLogger("smartxfer.transport")

#: Answers by which a server (or a gateway before it) says that it did not act on the request.
REFUSALS = frozenset({429, 503})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?\Z", re.ASCII)
#: Longest wait that is read from an answer, in seconds: ten years. Some servers send numbers beyond any date.
_LONGEST = 315_360_000.0
#: Powers of two are counted up to this one; a float ends at 2.0**1023.
_MOST_DOUBLINGS = 60
#: Refusals by a rate limit up to which waits grow, though the limit lets other requests pass.
_MOST_REFUSALS = 4
#: Answers of a gateway that does not know what became of the request.
_LOST_BEHIND_GATEWAY = frozenset({502, 504})


def _at_least(least: int) -> Callable[..., None]:
    """Return a validator of a number that is not less."""

    def check(policy: Any, field: Any, value: Any) -> None:
        if not isinstance(value, (int, float)) or not value >= least:
            raise UsageError(f"RetryPolicy: {field.name} is a number, {least} or more, not {value!r}")

    return check


def _above_0(policy: Any, field: Any, value: Any) -> None:
    if not isinstance(value, (int, float)) or not value > 0:
        raise UsageError(f"RetryPolicy: {field.name} is a number above 0, not {value!r}")


class _AdapterRetry(urllib3.Retry):
    """The tries of a request by someone who uses the session directly.

    urllib3 itself repeats at once the first time, and waits for hours where ``Retry-After`` says so.
    """

    policy: "RetryPolicy"

    def new(self, **changed: Any) -> "_AdapterRetry":
        """Return the tries that are left."""
        made = super().new(**changed)
        made.policy = self.policy
        return made

    def increment(self, *args: Any, **known: Any) -> "_AdapterRetry":
        """Count a try; there is no further one where the server asks for a wait over the cap.

        :raises MaxRetryError: no try is left.
        """
        asked = _asked(known.get("response"))
        if asked is not None and asked > self.policy.retry_after_cap:
            raise MaxRetryError(known["_pool"], "", ResponseError(_come_back(asked)))
        return super().increment(*args, **known)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next try."""
        status = 0 if response is None else response.status
        chance = SYSTEM_CLOCK.random()
        SYSTEM_CLOCK.sleep(self.policy.wait(len(self.history), chance, status, _asked(response)))


def _numbers(statuses: Iterable[int]) -> FrozenSet[int]:
    return frozenset(statuses)


@attrs.frozen(repr=False)
class RetryPolicy:
    """How often, how long and how patiently requests are repeated.

    :param attempts: tries of one request in a row without progress (new bytes start the count again).
    :param backoff: seconds; the wait before try *n* is drawn from [0, backoff * 2**(n-1)]. After a refusal
        to serve so soon (429, 503) it is ``Retry-After`` and a random part of ``backoff``; where that is
        missing or less than ``backoff``, it is drawn from [1, 2] * backoff * 2**(n-1).
    :param backoff_cap: longest such wait, in seconds.
    :param retry_after_cap: longest ``Retry-After`` that is obeyed, in seconds; a longer one raises at once.
    :param statuses: answers that are worth another try.
    :param budget: seconds without progress after which no further try is made, and a running one is ended.
        Sending a request body, and receiving a file, are progress.
    :param limit_budget: most seconds that one request waits at a server's rate limit in all, while the server
        serves other requests of the client.
    :param stall_speed: bytes per second below which a connection counts as stalled ...
    :param stall_window: ... when measured over this many seconds.
    """

    attempts: int = attrs.field(default=6, validator=_at_least(1))
    backoff: float = attrs.field(default=0.5, validator=_at_least(0))
    backoff_cap: float = attrs.field(default=20.0, validator=_at_least(0))
    retry_after_cap: float = attrs.field(default=120.0, validator=_at_least(0))
    statuses: FrozenSet[int] = attrs.field(
        default=frozenset({408, 429, 500, 502, 503, 504}), converter=_numbers
    )
    budget: float = attrs.field(default=600.0, validator=_above_0)
    limit_budget: float = attrs.field(default=1800.0, validator=_at_least(0))
    stall_speed: int = attrs.field(default=1024, validator=_at_least(0))
    stall_window: float = attrs.field(default=60.0, validator=_above_0)

    def __repr__(self) -> str:
        return attrs_repr(self)

    def for_adapter(self) -> urllib3.Retry:
        """The same policy for someone who uses the session directly: idempotent methods only."""
        made = _AdapterRetry(
            total=self.attempts - 1,
            status_forcelist=self.statuses,
            respect_retry_after_header=False,  # sleep() does
            raise_on_status=False,
        )
        made.policy = self
        return made

    def wait(self, failures: int, chance: float, status: int = 0, asked: Optional[float] = None) -> float:
        """Return the seconds to wait before the next try.

        :param failures: failed tries in a row, at least 1.
        :param chance: a random number in [0, 1).
        :param status: of the answer; 0 where there was none.
        :param asked: what the answer's ``Retry-After`` says, in seconds.
        """
        longest = min(self.backoff * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), self.backoff_cap)
        if status not in REFUSALS:
            return chance * longest
        if asked is None or asked < self.backoff:  # 0 means soon: a moving window would refuse again
            return longest + chance * longest
        return asked + chance * self.backoff


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """Seconds to wait by a ``Retry-After`` header: a number (or a fraction) or a date; None for garbage.

    A moment in the past is 0, one beyond ten years is ten years.

    :param now: the present, in seconds since the epoch.
    """
    if not value:
        return None
    value = value.strip()
    if _SECONDS.match(value):
        return min(float(value), _LONGEST)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000", or no zone at all: HTTP dates are in UTC
            moment = moment.replace(tzinfo=timezone.utc)
        left = moment.timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(0.0, left), _LONGEST)


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
            raise evolve(error, hint=_come_back(asked))
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


def _asked(response: Any) -> Optional[float]:
    """Return the seconds that urllib3's response asks to wait, where it refuses to serve so soon."""
    if response is None or response.status not in REFUSALS:
        return None
    return parse_retry_after(response.headers.get("Retry-After"), SYSTEM_CLOCK.wall())


def _is_limit(error: CommunicationError) -> bool:
    """Return whether an error says that requests come too often."""
    return getattr(error, "status", 0) in REFUSALS and not error.acted_on


def _come_back(seconds: float) -> str:
    if seconds < 1_000_000:
        return f"the server asks to come back in {seconds:.0f} s"
    return f"the server asks to come back in more than {min(seconds, _LONGEST) / 86400:.0f} days"
