"""Throttling on request: the next calls are turned away in either of the two observed manners.

Source: SmartFile protocol, section 4.
"""

import threading
from typing import Optional

from smartxfer.local.faults import compile_match
from smartxfer.local.http_messages import Request
from smartxfer.local.smartfile.answers import ApiError, detail

_TEXT = "Request was throttled."


class Throttle:
    """How many of the next calls are turned away, and how.

    :param times: how many.
    :param style: ``"503"`` with ``X-Throttle``, or ``"429"`` with ``Retry-After``.
    :param seconds: what the client is told to wait.
    :param match: method and path pattern of those calls, as faults have it.
    """

    def __init__(self, times: int, style: str, seconds: float, match: str = "* *") -> None:
        #: Calls that are still to be turned away.
        self.left = times
        self._style = style
        self._seconds = seconds
        self._pattern = compile_match(match)
        self._lock = threading.Lock()

    def refusal(self, request: Request) -> Optional[ApiError]:
        """What to say instead of an answer; None where the call may go on."""
        if not self.left or not self._pattern.fullmatch(request.method + " " + request.path):
            return None
        with self._lock:
            if not self.left:
                return None
            self.left -= 1
        if self._style == "429":
            return detail(429, _TEXT, ("Retry-After", f"{self._seconds:g}"))
        return detail(503, _TEXT, ("X-Throttle", f"throttled; next={self._seconds:g} sec"))
