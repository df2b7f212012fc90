"""Rate limits, with headers in every response.

Source: NRP protocol, sections 3 (every response; rate limits) and 9 (moving window).
"""

import collections
import math
import threading
from typing import Deque, Dict, List, Tuple

from smartxfer.local.nrp.api_responses import ApiError
from smartxfer.local.nrp.site import Site

Headers = List[Tuple[str, str]]
#: Times of the requests that count, oldest first.
Times = Deque[float]


class RateLimits:
    """Moving windows, one for each user and one for all guests.

    A request counts for the length of the window; rejected ones do not count. So one request
    becomes possible whenever the oldest one leaves, and ``Retry-After`` of an error is often 0.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: Dict[str, Times] = {}

    def take(self, site: Site, user: str, now: float) -> Headers:
        """Count a request.

        :param user: name of the user who makes it, empty for a guest.
        :param now: seconds since 1970.
        :return: headers of the response.
        :raises ApiError: 429, too many requests in the window.
        """
        limit = _limit(site, user)
        if not limit:
            return []
        with self._lock:
            times = self._times(site, user, now)
            if len(times) < limit:
                times.append(now)
                return _headers(site, limit, times, now)
            headers = _headers(site, limit, times, now)
        if not site.retry_after_always:
            headers.append(("Retry-After", str(_left(site, times, now))))
        raise ApiError(429, f"{limit} per {_format_seconds(site.rate_window)}", headers=headers)

    def headers(self, site: Site, user: str, now: float) -> Headers:
        """Return the headers of a response to a request that was not counted."""
        limit = _limit(site, user)
        with self._lock:
            return _headers(site, limit, self._times(site, user, now), now) if limit else []

    def reset(self) -> None:
        """Reset the counts."""
        with self._lock:
            self._windows.clear()

    def _times(self, site: Site, user: str, now: float) -> Times:
        times = self._windows.setdefault(user, collections.deque())
        while times and times[0] + site.rate_window <= now:
            times.popleft()
        return times


def _headers(site: Site, limit: int, times: Times, now: float) -> Headers:
    headers = [
        ("X-RateLimit-Limit", str(limit)), ("X-RateLimit-Remaining", str(limit - len(times))),
        ("X-RateLimit-Reset", str(_reset(site, times, now))),
    ]
    if site.retry_after_always:
        headers.append(("Retry-After", str(_left(site, times, now))))
    return headers


def _limit(site: Site, user: str) -> int:
    return site.rate_limit if user else site.rate_limit_guest


def _reset(site: Site, times: Times, now: float) -> int:
    """Return the full second after the oldest request leaves the window, since 1970."""
    return math.floor((times[0] if times else now) + site.rate_window + 1)


def _left(site: Site, times: Times, now: float) -> int:
    """Return the full seconds until then, 0 within the last one."""
    return max(0, int(_reset(site, times, now) - now))


def _format_seconds(seconds: float) -> str:
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} second"
