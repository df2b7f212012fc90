"""DEBUG log lines: one for each request and one for its response."""

import logging
from typing import Any

import requests

from smartxfer._system import Clock
from smartxfer.errors import SmartxferError
from smartxfer.terminal_text import escape_unprintable
from smartxfer.transport import attempt as attempts
from smartxfer.transport.origin import strip_query

__all__ = ["RequestLogger", "log"]

log = logging.getLogger("smartxfer.transport")

#: Maximum characters of a method and URL.
_MAX_LENGTH = 500


class RequestLogger:
    """Logger of the two lines of one request; only used if ``log`` is enabled for DEBUG.

    The first line is written here, the second one by :meth:`log_response` or :meth:`log_failure`.

    :param url: shown without user, password, query and fragment.
    :param body: of the request, or None.
    :param attempts_allowed: number of attempts of the retry policy.
    """

    def __init__(self, method: str, url: str, body: Any, clock: Clock, attempts_allowed: int) -> None:
        limits = getattr(attempts.current_attempt(), "time_limits", None)
        self._description = escape_unprintable(
            f"{method} {strip_query(url)}", _MAX_LENGTH
        )  # the server may have chosen it
        self._attempt = f"attempt {1 if limits is None else limits.attempt} of {attempts_allowed}"
        self._clock = clock
        size = 0 if body is None else requests.utils.super_len(body)
        self._started_at = clock.monotonic()
        log.debug("request: %s, %d bytes, %s", self._description, size, self._attempt)

    def log_response(self, response: requests.Response) -> None:
        """Write the second line: status, ``Content-Length``, milliseconds until the headers were received."""
        size = response.headers.get("Content-Length", "?")
        log.debug(
            "response: %s, %d, %.20s bytes, %d ms, %s",
            self._description,
            response.status_code,
            size,
            self._elapsed_milliseconds(),
            self._attempt,
        )

    def log_failure(self, error: SmartxferError) -> None:
        """Write the second line if there was no response."""
        kind, spent = type(error).__name__, self._elapsed_milliseconds()
        log.debug("no response: %s, %s, %d ms, %s", self._description, kind, spent, self._attempt)

    def _elapsed_milliseconds(self) -> int:
        return round((self._clock.monotonic() - self._started_at) * 1000)
