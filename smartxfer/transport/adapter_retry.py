"""Retries of requests that the caller makes directly with ``client.session``."""

from typing import Any, FrozenSet, Optional, Protocol

import urllib3
from urllib3.exceptions import MaxRetryError, ResponseError

from smartxfer._system import SYSTEM_CLOCK
from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES, describe_retry_after, parse_retry_after

__all__ = ["AdapterRetry"]


class BackoffPolicy(Protocol):
    """The attributes of a retry policy that the adapter needs."""

    @property
    def attempts(self) -> int:
        """Maximum number of attempts of one request."""

    @property
    def statuses(self) -> FrozenSet[int]:
        """Statuses that are retried."""

    @property
    def retry_after_cap(self) -> float:
        """Maximum accepted ``Retry-After`` in seconds."""

    def compute_delay(
        self, failures: int, random_fraction: float, status: int = 0, retry_after: Optional[float] = None
    ) -> float:
        """Return the seconds to wait before the next attempt."""


class AdapterRetry(urllib3.Retry):
    """Retry object of urllib3 with the delays of the policy.

    urllib3 itself makes the first retry without a delay, and accepts a ``Retry-After`` of hours.
    """

    policy: BackoffPolicy

    @classmethod
    def from_policy(cls, policy: BackoffPolicy) -> "AdapterRetry":
        """Return the retries of a policy, for idempotent methods only."""
        retry = cls(
            total=policy.attempts - 1,
            status_forcelist=policy.statuses,
            respect_retry_after_header=False,  # sleep() does
            raise_on_status=False,
        )
        retry.policy = policy
        return retry

    def new(self, **changes: Any) -> "AdapterRetry":
        """Return a copy with changed counts."""
        retry = super().new(**changes)
        retry.policy = self.policy
        return retry

    def increment(self, *args: Any, **kwargs: Any) -> "AdapterRetry":
        """Count an attempt.

        :raises MaxRetryError: no attempt is left, or ``Retry-After`` is longer than the policy accepts.
        """
        retry_after = _get_retry_after(kwargs.get("response"))
        if retry_after is not None and retry_after > self.policy.retry_after_cap:
            raise MaxRetryError(kwargs["_pool"], "", ResponseError(describe_retry_after(retry_after)))
        return super().increment(*args, **kwargs)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next attempt."""
        status = 0 if response is None else response.status
        fraction = SYSTEM_CLOCK.random()
        SYSTEM_CLOCK.sleep(
            self.policy.compute_delay(len(self.history), fraction, status, _get_retry_after(response))
        )


def _get_retry_after(response: Any) -> Optional[float]:
    """Return the ``Retry-After`` of a 429 or 503 response of urllib3 in seconds, else None."""
    if response is None or response.status not in NOT_PROCESSED_STATUSES:
        return None
    return parse_retry_after(response.headers.get("Retry-After"), SYSTEM_CLOCK.time())
