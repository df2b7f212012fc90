"""How many requests are left, told with every answer.

Source: NRP protocol, section 3 (every response; rate limits).
"""

import math
import threading
from typing import Dict, List, Tuple

import attrs

from smartxfer.local.nrp.answers import Refusal
from smartxfer.local.nrp.site import Site

__all__ = ["Limits"]

Headers = List[Tuple[str, str]]


@attrs.define
class _Window:
    until: float
    used: int = 0


class Limits:
    """Windows of fixed length, one for each user and one for all guests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: Dict[str, _Window] = {}

    def take(self, site: Site, user: str, now: float) -> Headers:
        """Count a request.

        :param user: name of the user who makes it, empty for a guest.
        :param now: seconds since 1970.
        :return: the headers of its answer.
        :raises Refusal: 429, there were too many in this window.
        """
        with self._lock:
            window = self._window(site, user, now)
            window.used += 1
            headers = self._headers(site, user, window, now)
            limit = _limit(site, user)
            if limit and window.used > limit:
                if not site.retry_after_always:
                    headers.append(("Retry-After", str(_left(window, now))))
                raise Refusal(429, f"{limit} per {_told(site.rate_window)}", headers=headers)
            return headers

    def headers(self, site: Site, user: str, now: float) -> Headers:
        """The headers of an answer to a request that was not counted."""
        with self._lock:
            return self._headers(site, user, self._window(site, user, now), now)

    def begin_anew(self) -> None:
        """Forget what was counted."""
        with self._lock:
            self._windows.clear()

    def _window(self, site: Site, user: str, now: float) -> _Window:
        window = self._windows.get(user)
        if window is None or now >= window.until:
            window = self._windows[user] = _Window(now + site.rate_window)
        return window

    def _headers(self, site: Site, user: str, window: _Window, now: float) -> Headers:
        limit = _limit(site, user)
        if not limit:
            return []
        headers = [
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", str(max(0, limit - window.used))),
            ("X-RateLimit-Reset", str(math.ceil(window.until))),
        ]
        if site.retry_after_always:
            headers.append(("Retry-After", str(_left(window, now))))
        return headers


def _limit(site: Site, user: str) -> int:
    return site.rate_limit if user else site.rate_limit_guest


def _left(window: _Window, now: float) -> int:
    """Whole seconds to the end of a window; waiting them is enough."""
    return max(1, math.ceil(window.until - now))


def _told(seconds: float) -> str:
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} second"
