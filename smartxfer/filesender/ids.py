"""Ids of transfers, recipients and guests, or the structures that have them."""

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
    """An id, or that of the structure it was found in.

    :raises UsageError: neither.
    """
    try:
        return int(getattr(value, "id", value))
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"{value!r} is not an id",
            hint="pass a number, or an object with an id: transfer, file, recipient or guest",
        ) from None
