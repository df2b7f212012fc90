"""Types of parameters that accept a transfer, recipient or guest, or its id."""

import datetime as dt
from typing import Any, Union

from smartxfer.errors import UsageError
from smartxfer.filesender.models import Guest, Recipient, Transfer

__all__ = ["ExpiryTime", "GuestId", "RecipientId", "TransferId", "get_id"]

TransferId = Union[int, Transfer]
RecipientId = Union[int, Recipient]
GuestId = Union[int, Guest]
ExpiryTime = Union[int, dt.datetime, None]


def get_id(value: Any) -> int:
    """Return the id of an object, or the value itself if it is an id.

    :raises UsageError: it is neither.
    """
    try:
        return int(getattr(value, "id", value))
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"{value!r} is not an id",
            hint="pass a number, or an object with an id: transfer, file, recipient or guest",
        ) from None
