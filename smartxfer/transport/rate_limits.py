"""Rate limits of servers, shared by all threads of a client.

If a server rejects a request with 429, or 503 with ``Retry-After``, all other requests of the client to that
origin wait.  Otherwise each thread would use up its attempts at a limit that is already known.
"""

import logging
import threading
from typing import Dict

from smartxfer._system import Clock
from smartxfer.errors import HTTPError
from smartxfer.transport import attempt as attempts
from smartxfer.transport.origin import Origin
from smartxfer.transport.retry_after import NOT_PROCESSED_STATUSES
from smartxfer.transport.retry_policy import RetryPolicy

__all__ = ["RateLimits"]

log = logging.getLogger("smartxfer.transport")


class RateLimits:
    """Time when each origin accepts requests again, and number of requests that it served."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._blocked_until: Dict[Origin, float] = {}
        self._served_counts: Dict[Origin, int] = {}

    def record_error(self, error: HTTPError) -> HTTPError:
        """Block the origin of a rate limit error; return the error."""
        delay = error.retry_after
        if delay is None and error.status == 429:
            delay = 0.0
        if error.retryable and error.status in NOT_PROCESSED_STATUSES and delay is not None and error.url:
            self.block(error.url, delay)
        return error

    def block(self, url: str, seconds: float) -> None:
        """Delay requests to the origin of a URL, unless the delay is longer than the policy accepts.

        A delay of 0 is increased, because with a sliding window the server would reject the request again.
        """
        if self._policy.attempts == 1 or not seconds <= self._policy.retry_after_cap:
            return
        origin = Origin.parse(url)
        ends = self._clock.monotonic() + max(seconds, self._policy.backoff)
        with self._lock:
            self._blocked_until[origin] = max(self._blocked_until.get(origin, 0.0), ends)

    def record_response(self, url: str, status: int) -> None:
        """Count a response that is not a rate limit error."""
        if status not in NOT_PROCESSED_STATUSES:
            origin = Origin.parse(url)
            with self._lock:
                self._served_counts[origin] = self._served_counts.get(origin, 0) + 1

    def served_count(self, url: str) -> int:
        """Return how many requests the origin of a URL has served so far."""
        with self._lock:
            return self._served_counts.get(Origin.parse(url), 0)

    def wait(self, url: str) -> None:
        """Wait until the origin of a URL accepts requests again, or the current attempt is aborted.

        After at most ``retry_after_cap`` seconds the request is sent anyway.

        :raises Cancelled: the call was cancelled.
        :raises DeadlineExceeded: its deadline passed.
        """
        if not self._blocked_until:
            return
        origin, now = Origin.parse(url), self._clock.monotonic()
        last = now + self._policy.retry_after_cap
        while True:
            with self._lock:
                ends = min(self._blocked_until.get(origin, 0.0), last)
            if ends <= now:
                return
            # Jitter, so that waiting threads do not send their requests at the same time.
            seconds = ends - now + self._clock.random() * self._policy.backoff
            log.info("the rate limit of %s is exhausted; waiting %.1f s", origin, seconds)
            attempts.sleep_in_attempt(self._clock, seconds)
            now = self._clock.monotonic()
