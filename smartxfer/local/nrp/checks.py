"""What is wrong with values of a call, in the words of the API.

Source: NRP protocol, section 3 (errors).
"""

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from smartxfer.local.nrp.answers import ApiError

#: Largest number that the tables can hold.
_MOST = (1 << 63) - 1


class Errors:
    """What is wrong, field by field."""

    def __init__(self) -> None:
        self._found: List[Dict[str, Any]] = []

    def add(self, field: str, message: Optional[str]) -> None:
        """Note a complaint; None is none."""
        if message is not None:
            self._found.append({"field": field, "messages": [message]})

    def check(self) -> None:
        """Go on only if there is no complaint.

        :raises ApiError: 400 with all of them.
        """
        if self._found:
            raise ApiError(400, "A validation error occurred.", self._found)


def text(value: Any) -> Optional[str]:
    """Complaint about what should be text."""
    if value is None:
        return "Field may not be null."
    try:
        if isinstance(value, str):
            value.encode("utf-8")
            return None
    except UnicodeEncodeError:
        pass  # Half of a pair, which JSON lets through.
    return "Not a valid string."


def number(value: Any, least: Optional[int] = None, most: Optional[int] = None) -> Optional[str]:
    """Complaint about what should be a whole number.

    :param least: the least that is allowed; None: any.
    :param most: the most.
    """
    if value is None:
        return "Field may not be null."
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
        return "Not a valid integer."
    if least is not None and value < least:
        return f"Must be greater than or equal to {least}."
    if most is not None and value > most:
        return f"Must be less than or equal to {most}."
    return None


def truth(value: Any) -> Optional[str]:
    """Complaint about what should be true or false."""
    return None if isinstance(value, bool) else "Not a valid boolean."


def object_of(value: Any) -> Optional[str]:
    """Complaint about what should be an object."""
    if value is None:
        return "Field may not be null."
    return None if isinstance(value, dict) else "Not a valid mapping type."


def storable(value: Any) -> bool:
    """Tell whether the database takes a value: JSON proper has neither NaN nor infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def unknown(errors: Errors, at: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
    """Complain about members that nobody knows.

    :param at: path of the object, with a dot at its end, or empty.
    """
    for name in values:
        if name not in known:
            errors.add(at + name, "Unknown field.")
