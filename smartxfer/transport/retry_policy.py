"""Retry policy of the clients."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, FrozenSet, Optional

from smartxfer.errors import UsageError
from smartxfer.reprs import fields_repr

if TYPE_CHECKING:
    import urllib3

__all__ = ["RetryPolicy"]

#: Largest exponent of the backoff, because a float ends at 2.0**1023.
_MAX_DOUBLINGS = 60
#: Minimum values of the fields; the others must be greater than 0.
_FIELD_MINIMUMS = {
    "attempts": 1,
    "backoff": 0,
    "backoff_cap": 0,
    "retry_after_cap": 0,
    "limit_budget": 0,
    "stall_speed": 0,
}


@dataclass(frozen=True, repr=False)
class RetryPolicy:
    """Number of attempts, delays and time limits of requests.

    :param attempts: maximum number of consecutive attempts without progress (new bytes restart the count).
    :param backoff: seconds; the delay before attempt *n* is random in [0, backoff * 2**(n-1)].  After a 429
        or 503 it is ``Retry-After`` plus a random part of ``backoff``; if that header is missing or less than
        ``backoff``, the delay is random in [1, 2] * backoff * 2**(n-1).
    :param backoff_cap: maximum of that delay in seconds.
    :param retry_after_cap: maximum accepted ``Retry-After`` in seconds; a longer one raises the error.
    :param statuses: HTTP statuses that are retried.
    :param budget: seconds without progress after which no further attempt is made, and a running attempt is
        aborted.  Sending a request body and receiving a file are progress.
    :param limit_budget: maximum total seconds that one request waits for a rate limit while the server serves
        other requests of the client.
    :param stall_speed: bytes per second below which a connection counts as stalled ...
    :param stall_window: ... if measured over this many seconds.
    """

    attempts: int = 6
    backoff: float = 0.5
    backoff_cap: float = 20.0
    retry_after_cap: float = 120.0
    statuses: FrozenSet[int] = frozenset({408, 429, 500, 502, 503, 504})
    budget: float = 600.0
    limit_budget: float = 1800.0
    stall_speed: int = 1024
    stall_window: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "statuses", frozenset(self.statuses))
        for name in (field.name for field in fields(self) if field.name != "statuses"):
            value, minimum = getattr(self, name), _FIELD_MINIMUMS.get(name)
            if not isinstance(value, (int, float)) or not (
                value > 0 if minimum is None else value >= minimum
            ):
                allowed = "greater than 0" if minimum is None else f"of at least {minimum}"
                raise UsageError(
                    f"RetryPolicy: {name} must be a number {allowed}, not {value!r}",
                    hint=f"pass RetryPolicy({name}=...) with such a number",
                )

    def __repr__(self) -> str:
        return fields_repr(self)

    def to_urllib3(self) -> "urllib3.Retry":
        """Return the policy for direct use of the session; only idempotent methods are retried."""
        from smartxfer.transport.adapter_retry import AdapterRetry

        return AdapterRetry.from_policy(self)

    def compute_delay(
        self, failures: int, random_fraction: float, status: int = 0, retry_after: Optional[float] = None
    ) -> float:
        """Return the seconds to wait before the next attempt.

        :param failures: number of consecutive failures, at least 1.
        :param random_fraction: a random number in [0, 1).
        :param status: of the response; 0 if there was none.
        :param retry_after: seconds of the header ``Retry-After``.
        """
        from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES

        longest = min(self.backoff * 2.0 ** min(failures - 1, _MAX_DOUBLINGS), self.backoff_cap)
        if status not in NOT_PROCESSED_STATUSES:
            return random_fraction * longest
        # With a sliding window, an immediate retry after Retry-After: 0 would be rejected again.
        if retry_after is None or retry_after < self.backoff:
            return longest + random_fraction * longest
        return retry_after + random_fraction * self.backoff
