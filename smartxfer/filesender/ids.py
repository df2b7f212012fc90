"""Ids of transfers, recipients and guests, or the structures that have them."""

import datetime as dt
from typing import Any, Union

from smartxfer.errors import UsageError
from smartxfer.filesender.models import Guest, Recipient, Transfer

__all__ = ["GuestId", "Moment", "RecipientId", "TransferId", "id_of"]

TransferId = Union[int, Transfer]
RecipientId = Union[int, Recipient]
GuestId = Union[int, Guest]
Moment = Union[int, dt.datetime, None]


def id_of(thing: Any) -> int:
    """An id, or that of the structure it was found in.

    :raises UsageError: neither.
    """
    try:
        return int(getattr(thing, "id", thing))
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{thing!r} is no id") from None
