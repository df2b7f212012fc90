"""Parsing of ``Retry-After``; :mod:`.retry_policy` and :mod:`.rate_limits` compute the delays from it."""

import email.utils
import re
from datetime import timezone
from typing import Optional

__all__ = ["NOT_PROCESSED_STATUSES", "describe_retry_after", "parse_retry_after"]

#: Statuses that mean that the server, or a gateway in front of it, did not process the request.
NOT_PROCESSED_STATUSES = frozenset({429, 503})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?\Z", re.ASCII)
#: Upper limit of a parsed delay in seconds (ten years), because some servers send numbers beyond any date.
_MAX_SECONDS = 315_360_000.0


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """Return the seconds of a ``Retry-After`` header, which is a number or a date; None if it is invalid.

    A date in the past returns 0, a delay of more than ten years is limited to ten years.

    :param now: the current time, in seconds since the epoch.
    """
    if not value:
        return None
    value = value.strip()
    if _SECONDS.match(value):
        return min(float(value), _MAX_SECONDS)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000", or no zone at all: HTTP dates are in UTC
            moment = moment.replace(tzinfo=timezone.utc)
        left = moment.timestamp() - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(0.0, left), _MAX_SECONDS)


def describe_retry_after(seconds: float) -> str:
    """Return a hint with the delay that the server requests."""
    if seconds < 1_000_000:
        return f"run again in {seconds:.0f} s: the server requests this delay"
    days = min(seconds, _MAX_SECONDS) / 86400
    return f"run again in more than {days:.0f} days: the server requests this delay"
