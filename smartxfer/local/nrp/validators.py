"""Validators of values in calls, with the messages of the API.

Source: NRP protocol, section 3 (errors).
"""

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from smartxfer.local.nrp.api_responses import ApiError

#: Largest number that the tables can hold.
_MOST = (1 << 63) - 1


class Errors:
    """Errors by field."""

    def __init__(self) -> None:
        self._errors: List[Dict[str, Any]] = []

    def add(self, field: str, message: Optional[str]) -> None:
        """Add an error message, if it is not None."""
        if message is not None:
            self._errors.append({"field": field, "messages": [message]})

    def raise_if_any(self) -> None:
        """Raise ApiError if there are errors.

        :raises ApiError: 400 with all of them.
        """
        if self._errors:
            raise ApiError(400, "A validation error occurred.", self._errors)


def check_text(value: Any) -> Optional[str]:
    """Return the error message for a text, or None."""
    if value is None:
        return "Field may not be null."
    try:
        if isinstance(value, str):
            value.encode("utf-8")
            return None
    except UnicodeEncodeError:
        pass  # A lone surrogate, which JSON permits.
    return "Not a valid string."


def check_number(value: Any, minimum: Optional[int] = None, maximum: Optional[int] = None) -> Optional[str]:
    """Return the error message for an integer, or None.

    :param minimum: smallest value, or None.
    :param maximum: largest value.
    """
    if value is None:
        return "Field may not be null."
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
        return "Not a valid integer."
    if minimum is not None and value < minimum:
        return f"Must be greater than or equal to {minimum}."
    if maximum is not None and value > maximum:
        return f"Must be less than or equal to {maximum}."
    return None


def check_bool(value: Any) -> Optional[str]:
    """Return the error message for a boolean, or None."""
    return None if isinstance(value, bool) else "Not a valid boolean."


def check_object(value: Any) -> Optional[str]:
    """Return the error message for an object, or None."""
    if value is None:
        return "Field may not be null."
    return None if isinstance(value, dict) else "Not a valid mapping type."


def is_storable(value: Any) -> bool:
    """Return True if the database can store a value; NaN and infinity are not valid JSON."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def add_unknown(errors: Errors, position: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Add an error for unknown members.

    :param position: path of the object, with a dot at its end, or empty.
    """
    for name in values:
        if name not in known:
            errors.add(position + name, "Unknown field.")
