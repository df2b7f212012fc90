"""One DEBUG line for each request and one for what came of it."""

import logging
from typing import Any

import requests

from smartxfer.errors import SmartxferError
from smartxfer.screen_text import visible
from smartxfer.seams import Clock
from smartxfer.transport import attempt as attempts
from smartxfer.transport.origin import without_query

__all__ = ["RequestLines", "log"]

log = logging.getLogger("smartxfer.transport")

#: Most characters of a method and URL.
_LONGEST = 500


class RequestLines:
    """The two lines of one request; make it only where ``log`` is enabled for DEBUG.

    The first is written here, the second by :meth:`answered` or :meth:`failed`.

    :param url: shown without user, password, query and fragment.
    :param body: of the request, or None.
    :param attempts_allowed: by the retry policy.
    """

    def __init__(self, method: str, url: str, body: Any, clock: Clock, attempts_allowed: int) -> None:
        limits = getattr(attempts.current(), "time_limits", None)
        self._what = visible(f"{method} {without_query(url)}", _LONGEST)  # the server may have chosen it
        self._attempt = f"attempt {1 if limits is None else limits.attempt} of {attempts_allowed}"
        self._clock = clock
        size = 0 if body is None else requests.utils.super_len(body)
        self._began = clock.monotonic()
        log.debug("request: %s, %d bytes, %s", self._what, size, self._attempt)

    def answered(self, response: requests.Response) -> None:
        """Write the second line: status, announced bytes, milliseconds until the headers came."""
        size = response.headers.get("Content-Length", "?")
        log.debug(
            "response: %s, %d, %.20s bytes, %d ms, %s",
            self._what,
            response.status_code,
            size,
            self._milliseconds(),
            self._attempt,
        )

    def failed(self, error: SmartxferError) -> None:
        """Write the second line where no response came."""
        kind, spent = type(error).__name__, self._milliseconds()
        log.debug("no response: %s, %s, %d ms, %s", self._what, kind, spent, self._attempt)

    def _milliseconds(self) -> int:
        return round((self._clock.monotonic() - self._began) * 1000)
