"""The tries of a request that somebody makes by ``client.session``, without the loops of this package."""

from typing import Any, FrozenSet, Optional, Protocol

import urllib3
from urllib3.exceptions import MaxRetryError, ResponseError

from smartxfer._system import SYSTEM_CLOCK
from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES, describe_retry_after, parse_retry_after

__all__ = ["AdapterRetry"]


class BackoffPolicy(Protocol):
    """The policy, as far as the adapter needs it."""

    @property
    def attempts(self) -> int:
        """Tries of one request in a row."""

    @property
    def statuses(self) -> FrozenSet[int]:
        """Answers that are worth another try."""

    @property
    def retry_after_cap(self) -> float:
        """Longest ``Retry-After`` that is obeyed, in seconds."""

    def compute_delay(
        self, failures: int, random_fraction: float, status: int = 0, retry_after: Optional[float] = None
    ) -> float:
        """Return the seconds to wait before the next try."""


class AdapterRetry(urllib3.Retry):
    """The tries that urllib3 counts, with the waits of the policy.

    urllib3 itself repeats at once the first time, and waits for hours where ``Retry-After`` says so.
    """

    policy: BackoffPolicy

    @classmethod
    def from_policy(cls, policy: BackoffPolicy) -> "AdapterRetry":
        """Return the tries that a policy allows: of idempotent methods only."""
        made = cls(
            total=policy.attempts - 1,
            status_forcelist=policy.statuses,
            respect_retry_after_header=False,  # sleep() does
            raise_on_status=False,
        )
        made.policy = policy
        return made

    def new(self, **changes: Any) -> "AdapterRetry":
        """Return the tries that are left."""
        made = super().new(**changes)
        made.policy = self.policy
        return made

    def increment(self, *args: Any, **kwargs: Any) -> "AdapterRetry":
        """Count a try; there is no further one where the server asks for a wait over the cap.

        :raises MaxRetryError: no try is left.
        """
        asked = _get_retry_after(kwargs.get("response"))
        if asked is not None and asked > self.policy.retry_after_cap:
            raise MaxRetryError(kwargs["_pool"], "", ResponseError(describe_retry_after(asked)))
        return super().increment(*args, **kwargs)

    def sleep(self, response: Any = None) -> None:
        """Wait before the next try."""
        status = 0 if response is None else response.status
        chance = SYSTEM_CLOCK.random()
        SYSTEM_CLOCK.sleep(
            self.policy.compute_delay(len(self.history), chance, status, _get_retry_after(response))
        )


def _get_retry_after(response: Any) -> Optional[float]:
    """Return the seconds that urllib3's response asks to wait, where it refuses to serve so soon."""
    if response is None or response.status not in NOT_PROCESSED_STATUSES:
        return None
    return parse_retry_after(response.headers.get("Retry-After"), SYSTEM_CLOCK.time())
