"""The rate limits of servers, as all threads of a client see them.

A refusal of one thread's request (429, or 503 with ``Retry-After``) is a pause for every other request of the
client to that origin. Otherwise each thread would use up its own tries at a limit that is already known.
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
    """When each origin takes requests again, and how many it has taken."""

    def __init__(self, policy: RetryPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._blocked_until: Dict[Origin, float] = {}
        self._served_counts: Dict[Origin, int] = {}

    def record_error(self, error: HTTPError) -> HTTPError:
        """Pause requests to the origin of an error that says that they come too soon; return the error."""
        asked = error.retry_after
        if asked is None and error.status == 429:
            asked = 0.0
        if error.retryable and error.status in NOT_PROCESSED_STATUSES and asked is not None and error.url:
            self.block(error.url, asked)
        return error

    def block(self, url: str, seconds: float) -> None:
        """Pause requests to the origin of a URL; a wait over the cap is left to the server's own refusal.

        A wait of 0 means soon, not at once: a moving window would refuse the request again.
        """
        if self._policy.attempts == 1 or not seconds <= self._policy.retry_after_cap:
            return
        origin = Origin.parse(url)
        ends = self._clock.monotonic() + max(seconds, self._policy.backoff)
        with self._lock:
            self._blocked_until[origin] = max(self._blocked_until.get(origin, 0.0), ends)

    def record_response(self, url: str, status: int) -> None:
        """Count an answer that is no refusal: the origin serves others of the client's requests."""
        if status not in NOT_PROCESSED_STATUSES:
            origin = Origin.parse(url)
            with self._lock:
                self._served_counts[origin] = self._served_counts.get(origin, 0) + 1

    def served_count(self, url: str) -> int:
        """Return how many requests the origin of a URL did not refuse so far."""
        with self._lock:
            return self._served_counts.get(Origin.parse(url), 0)

    def wait(self, url: str) -> None:
        """Wait until the origin of a URL takes requests again, no longer than the current attempt lasts.

        The wait is bounded: after ``retry_after_cap`` seconds the request is sent, and refused by itself.

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
            # Threads that wait for the same moment do not come back together.
            seconds = ends - now + self._clock.random() * self._policy.backoff
            log.info("the rate limit of %s is used up; waiting %.1f s", origin, seconds)
            attempts.sleep_in_attempt(self._clock, seconds)
            now = self._clock.monotonic()
