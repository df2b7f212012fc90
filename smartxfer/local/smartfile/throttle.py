"""Throttling on request: the next calls are turned away in either of the two observed manners.

Source: SmartFile protocol, section 4.
"""

import threading
from typing import Optional

from smartxfer.local.exchange import Exchange
from smartxfer.local.faults import compile_match
from smartxfer.local.smartfile.answers import Refusal

__all__ = ["Throttle"]

_BODY = {"detail": "Request was throttled."}


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

    def refusal(self, exchange: Exchange) -> Optional[Refusal]:
        """What to say instead of an answer; None where the call may go on."""
        if not self.left or not self._pattern.fullmatch(exchange.method + " " + exchange.path):
            return None
        with self._lock:
            if not self.left:
                return None
            self.left -= 1
        if self._style == "429":
            return Refusal(429, _BODY, {"Retry-After": f"{self._seconds:g}"})
        return Refusal(503, _BODY, {"X-Throttle": f"throttled; next={self._seconds:g} sec"})
