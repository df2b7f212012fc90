"""The wait that a server asks for by ``Retry-After``."""

import email.utils
import re
from datetime import timezone
from typing import Optional

__all__ = ["NOT_PROCESSED_STATUSES", "describe_retry_after", "parse_retry_after"]

#: Answers by which a server (or a gateway before it) says that it did not act on the request.
NOT_PROCESSED_STATUSES = frozenset({429, 503})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?\Z", re.ASCII)
#: Longest wait that is read from an answer, in seconds: ten years. Some servers send numbers beyond any date.
_MAX_SECONDS = 315_360_000.0


def parse_retry_after(value: Optional[str], now: float) -> Optional[float]:
    """Seconds to wait by a ``Retry-After`` header: a number (or a fraction) or a date; None for garbage.

    A moment in the past is 0, one beyond ten years is ten years.

    :param now: the present, in seconds since the epoch.
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
    """Return what a server asks, in words."""
    if seconds < 1_000_000:
        return f"the server asks to come back in {seconds:.0f} s"
    return f"the server asks to come back in more than {min(seconds, _MAX_SECONDS) / 86400:.0f} days"
