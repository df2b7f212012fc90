"""Checks of what callers of the local server's own methods pass: texts, bytes, and what clients return."""

from collections.abc import Mapping
from typing import Any

from smartxfer.errors import UsageError


def require_str(value: Any, name: str) -> str:
    """Return a text that can be stored and can be part of a path.

    :param name: of the argument, for the message.
    :raises UsageError: it is not text, is not valid Unicode, or contains NUL.
    """
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {type(value).__name__}", hint=f"pass {name} as text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            f"{name} is not valid Unicode: {value!r}", hint="pass text without lone surrogates"
        ) from None
    if "\0" in value:
        raise UsageError(f"{name} contains a NUL character: {value!r}", hint="pass text without \\0")
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
    raise UsageError(
        f"data must be bytes, not {type(value).__name__}", hint="pass data=b'...' or text.encode()"
    )


def require_mapping(value: Any, name: str) -> "Mapping[Any, Any]":
    """Return a mapping, an empty one for None.

    :raises UsageError: it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(
            f"{name} must be a dictionary, not {type(value).__name__}", hint=f"pass {name}={{'key': value}}"
        )
    return value
