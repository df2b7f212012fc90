"""When to try again, and how long to wait before it: one frozen policy for every client."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, FrozenSet, Optional

from smartxfer.errors import UsageError
from smartxfer.reprs import fields_repr

if TYPE_CHECKING:
    import urllib3

__all__ = ["RetryPolicy"]

#: Powers of two are counted up to this one; a float ends at 2.0**1023.
_MAX_DOUBLINGS = 60
#: The least number that a field of the policy takes; the others are above 0.
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
            value, least = getattr(self, name), _FIELD_MINIMUMS.get(name)
            if not isinstance(value, (int, float)) or not (value > 0 if least is None else value >= least):
                wanted = "above 0" if least is None else f"{least} or more"
                comma = "" if least is None else ","
                raise UsageError(
                    f"RetryPolicy: {name} is a number{comma} {wanted}, not {value!r}",
                    hint=f"pass RetryPolicy({name}=...) with such a number",
                )

    def __repr__(self) -> str:
        return fields_repr(self)

    def to_urllib3(self) -> "urllib3.Retry":
        """The same policy for someone who uses the session directly: idempotent methods only."""
        from smartxfer.transport.adapter_retry import AdapterRetry

        return AdapterRetry.from_policy(self)

    def compute_delay(
        self, failures: int, random_fraction: float, status: int = 0, retry_after: Optional[float] = None
    ) -> float:
        """Return the seconds to wait before the next try.

        :param failures: failed tries in a row, at least 1.
        :param random_fraction: a random number in [0, 1).
        :param status: of the answer; 0 where there was none.
        :param retry_after: what the answer's ``Retry-After`` says, in seconds.
        """
        from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES

        longest = min(self.backoff * 2.0 ** min(failures - 1, _MAX_DOUBLINGS), self.backoff_cap)
        if status not in NOT_PROCESSED_STATUSES:
            return random_fraction * longest
        if (
            retry_after is None or retry_after < self.backoff
        ):  # 0 means soon: a moving window would refuse again
            return longest + random_fraction * longest
        return retry_after + random_fraction * self.backoff
