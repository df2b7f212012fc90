"""When to try again, and how long to wait before it.

One frozen policy and one small counter; every loop in the package that repeats a request goes through
:meth:`Tries.failed`.
"""

import email.utils
import logging
import re
from datetime import timezone
from typing import Any, Callable, FrozenSet, Iterable, Optional

import attrs
import urllib3

from smartxfer.errors import CommunicationError, HTTPError, NetworkError, OutcomeUnknown
from smartxfer.seams import Clock

__all__ = ["RetryPolicy", "Tries", "parse_retry_after"]

log = logging.getLogger("smartxfer.transport")

#: Answers by which a server (or a gateway before it) says that it did not act on the request.
_REFUSALS = frozenset({429, 503})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?\Z", re.ASCII)
#: Answers of a gateway that does not know what became of the request.
_LOST_BEHIND_GATEWAY = frozenset({502, 504})


def _numbers(statuses: Iterable[int]) -> FrozenSet[int]:
    return frozenset(statuses)


@attrs.frozen
class RetryPolicy:
    """How often, how long and how patiently requests are repeated.

    :param attempts: tries of one request in a row without progress (new bytes start the count again).
    :param backoff: seconds; the wait before try *n* is drawn from [0, backoff * 2**(n-1)].
    :param backoff_cap: longest such wait, in seconds.
    :param retry_after_cap: longest ``Retry-After`` that is obeyed, in seconds; a longer one raises at once.
    :param statuses: answers that are worth another try.
    :param budget: seconds without progress after which no further try is made.
    :param stall_speed: bytes per second below which a transfer counts as stalled ...
    :param stall_window: ... when measured over this many seconds.
    """

    attempts: int = attrs.field(default=6, validator=attrs.validators.ge(1))
    backoff: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    backoff_cap: float = attrs.field(default=20.0, validator=attrs.validators.ge(0))
    retry_after_cap: float = attrs.field(default=120.0, validator=attrs.validators.ge(0))
    statuses: FrozenSet[int] = attrs.field(
        default=frozenset({408, 429, 500, 502, 503, 504}), converter=_numbers
    )
    budget: float = attrs.field(default=600.0, validator=attrs.validators.gt(0))
    stall_speed: int = attrs.field(default=1024, validator=attrs.validators.ge(0))
    stall_window: float = attrs.field(default=60.0, validator=attrs.validators.gt(0))

    def for_adapter(self) -> urllib3.Retry:
        """The same policy for someone who uses the session directly: idempotent methods only."""
        return urllib3.Retry(
            total=self.attempts - 1,
            backoff_factor=self.backoff,
            backoff_max=self.backoff_cap,
            status_forcelist=self.statuses,
            respect_retry_after_header=False,  # urllib3's own cap is hours, or none at all
            raise_on_status=False,
        )


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """Seconds to wait by a ``Retry-After`` header: a number (or a fraction) or a date; None for garbage.

    :param now: the present, in seconds since the epoch.
    """
    if not value:
        return None
    value = value.strip()
    if _SECONDS.match(value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000", or no zone at all: HTTP dates are in UTC
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, moment.timestamp() - now)


class Tries:
    """The course of one request through its tries.

    :param what: the request in words, for the log.
    :param pause: called with seconds before another try.
    :param idempotent: False when a repeat could do the thing twice.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        clock: Clock,
        what: str,
        *,
        pause: Optional[Callable[[float], Any]] = None,
        idempotent: bool = True,
    ) -> None:
        self.policy = policy
        self.count = 0
        self._clock = clock
        self._what = what
        self._pause = pause or clock.sleep
        self._idempotent = idempotent
        self._failures = 0
        self._since = clock.monotonic()

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
        if not self._idempotent and error.acted_on:
            raise self._unrepeatable(error)
        if not error.retryable or self._failures >= self.policy.attempts:
            raise error
        wait = self._wait_before_next(error)
        spent = self._clock.monotonic() - self._since
        if spent + wait > self.policy.budget:
            raise error
        log.log(
            logging.INFO if error.retry_at_once else logging.WARNING,
            "%s; waiting %.1f s before attempt %d of %d",
            error.summary if error.summary.startswith(self._what) else f"{self._what}: {error.summary}",
            wait,
            self._failures + 1,
            self.policy.attempts,
        )
        self._pause(wait)

    def _wait_before_next(self, error: CommunicationError) -> float:
        if error.retry_at_once:
            return 0.0
        asked = getattr(error, "retry_after", None)
        if asked is not None and getattr(error, "status", 0) in _REFUSALS:
            if asked > self.policy.retry_after_cap:
                error.hint = f"the server asks to come back in {asked:.0f} s"
                raise error
            return float(asked)
        longest = self.policy.backoff * (2.0 ** (self._failures - 1))
        return self._clock.random() * min(longest, self.policy.backoff_cap)

    def _unrepeatable(self, error: CommunicationError) -> CommunicationError:
        lost = isinstance(error, NetworkError) or (
            isinstance(error, HTTPError) and error.status in _LOST_BEHIND_GATEWAY
        )
        if not lost:
            return error
        return OutcomeUnknown(
            f"{self._what}: the answer was lost ({error.summary}); what it creates may exist",
            hint="look on the server before repeating it",
        )
