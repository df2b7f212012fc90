"""Values of a JSON body as PHP takes them: text, whole numbers, moments.

Source: FileSender protocol, section 6.1.
"""

import calendar
import re
import time
from typing import Any, Optional

from smartxfer.local.filesender.refusals import Refusal

__all__ = ["expiry", "text", "whole"]


def text(given: Any) -> Optional[str]:
    """A text, None for anything else."""
    return given if isinstance(given, str) else None


def whole(given: Any, default: int) -> int:
    """A whole number, also one written as text or with a zero fraction; else ``default``."""
    if isinstance(given, int):
        return int(given)
    if isinstance(given, str) and re.fullmatch(r"-?\d{1,19}", given, re.ASCII):
        return int(given)
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return default


def expiry(given: Any, now: float, default_days: int, most_days: int) -> int:
    """When something expires, in seconds since 1970; a moment in the past is taken as it is.

    :param given: seconds, or ``YYYY-MM-DD``, or None for the default.
    :param now: the server's clock.
    :param default_days: days from now where nothing is given.
    :param most_days: days from now that the site allows.
    :raises Refusal: ``bad_expire``: not a time, or later than the site allows.
    """
    if given is None or given == "":
        return int(now) + default_days * 86400
    if isinstance(given, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", given):
        try:
            moment = calendar.timegm(time.strptime(given, "%Y-%m-%d"))
        except (ValueError, OverflowError):
            raise Refusal("bad_expire") from None
    else:
        moment = whole(given, -1)
    if moment < 0 or moment > int(now) + most_days * 86400:
        raise Refusal("bad_expire")
    return moment
