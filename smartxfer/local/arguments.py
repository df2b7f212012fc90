"""Checks of what callers of the local server's own methods pass."""

from typing import Any

from smartxfer.errors import UsageError

__all__ = ["text_of"]


def text_of(value: Any, what: str) -> str:
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
