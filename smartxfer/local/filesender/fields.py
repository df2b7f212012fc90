"""Values of a JSON body as PHP takes them: text, whole numbers, moments.

Source: FileSender protocol, section 6.1.
"""

import re
from typing import Any, Optional

from smartxfer.local.filesender.refusals import ApiError

__all__ = ["expiry", "text", "whole"]


def text(given: Any) -> Optional[str]:
    """Return a text, also of a number; None for anything else."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return str(given)
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
    """Return when something expires, in seconds since 1970; a moment in the past is taken as it is.

    :param given: seconds; anything else, such as a date as text, gives the default.
    :param now: the server's clock.
    :param default_days: days from now where nothing is given.
    :param most_days: days from now that the site allows.
    :raises ApiError: ``bad_expire``: negative, or later than the site allows.
    """
    if given is None or (isinstance(given, str) and not re.fullmatch(r"-?\d{1,19}", given, re.ASCII)):
        return int(now) + default_days * 86400
    moment = whole(given, -1)
    if moment < 0 or moment > int(now) + most_days * 86400:
        raise ApiError("bad_expire")
    return moment
