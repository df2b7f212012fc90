"""Checks of what callers of the local server's own methods pass: texts, bytes, and what clients return."""

from collections.abc import Mapping
from typing import Any

from smartxfer.errors import UsageError


def require_str(value: Any, what: str) -> str:
    """Return a text that can be stored and can be part of a path.

    :param what: the name of the argument, for the message.
    :raises UsageError: it is not text, is not valid Unicode, or contains NUL.
    """
    if not isinstance(value, str):
        raise UsageError(f"{what} must be text, not {type(value).__name__}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{what} is not valid Unicode: {value!r}") from None
    if "\0" in value:
        raise UsageError(f"{what} contains a NUL character: {value!r}")
    return value


def require_member(value: Any, name: str) -> Any:
    """Return a member of what a client returned, such as the ``id`` of a record; any other value as it is.

    :param value: an object with that attribute, a mapping with that key, or the member itself.
    """
    if isinstance(value, Mapping) and not hasattr(value, name):
        return value.get(name, value)
    return getattr(value, name, value)


def to_bytes(value: Any) -> bytes:
    """Return the bytes to store.

    :raises UsageError: it is not bytes, bytearray or memoryview.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise UsageError(f"data is bytes, not {type(value).__name__}", hint="data=b'...' or text.encode()")


def require_mapping(value: Any, what: str) -> "Mapping[Any, Any]":
    """Return a mapping, an empty one for None.

    :raises UsageError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} is a dictionary, not {type(value).__name__}")
    return value
