"""Throttling: the next calls are rejected in one of the two observed formats.

Source: SmartFile protocol, section 4.
"""

import threading
from typing import Optional

from smartxfer.local.faults import compile_match
from smartxfer.local.http_messages import Request
from smartxfer.local.smartfile.api_responses import ApiError, error_detail

_TEXT = "Request was throttled."


class Throttle:
    """Rejection of the next calls.

    :param times: number of calls.
    :param style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
    :param seconds: wait time in the response.
    :param match: method and path pattern of those calls, as faults have it.
    """

    def __init__(self, times: int, style: str, seconds: float, match: str = "* *") -> None:
        #: Number of calls that are still rejected.
        self.remaining = times
        self._style = style
        self._seconds = seconds
        self._pattern = compile_match(match)
        self._lock = threading.Lock()

    def throttled_response(self, request: Request) -> Optional[ApiError]:
        """Return the response to a throttled call, or None."""
        if not self.remaining or not self._pattern.fullmatch(request.method + " " + request.path):
            return None
        with self._lock:
            if not self.remaining:
                return None
            self.remaining -= 1
        if self._style == "429":
            return error_detail(429, _TEXT, ("Retry-After", f"{self._seconds:g}"))
        return error_detail(503, _TEXT, ("X-Throttle", f"throttled; next={self._seconds:g} sec"))
