"""Reprs of limited length, in one line, for arbitrary values of servers and callers."""

import dataclasses
import os
from typing import Any, Callable, Iterable, Optional, Tuple, TypeVar

__all__ = ["Namespace", "fields_repr", "set_address", "short_repr", "short_value"]

N = TypeVar("N", bound="Namespace")

#: Maximum characters of a repr, and of one value in it.
_MAX_REPR_LENGTH, _MAX_VALUE_LENGTH = 200, 80


def short_repr(name: str, /, *values: Any, **named: Any) -> str:
    """Return ``name(value, key=value)`` in at most 200 characters; the rest is replaced by ``...``.

    >>> short_repr("Job", "/a/b", parts=[1, 2, 3, 4, 5])
    "Job('/a/b', parts=[1, ... 5 in all])"
    """
    parts = [short_value(value) for value in values]
    parts += [f"{key}={short_value(value)}" for key, value in named.items()]
    return _format_repr(name, parts)


def fields_repr(instance: Any) -> str:
    """Return the repr of an attrs or dataclass instance, with the fields that differ from their defaults."""
    return _format_repr(
        type(instance).__name__, (f"{name}={short_value(value)}" for name, value in _changed_fields(instance))
    )


def _changed_fields(instance: Any) -> Iterable[Tuple[str, Any]]:
    if dataclasses.is_dataclass(instance):
        for known in dataclasses.fields(instance):
            if getattr(instance, known.name) != known.default:
                yield known.name, getattr(instance, known.name)
        return
    import attrs

    for field in attrs.fields(type(instance)):
        value = getattr(instance, field.name)
        default = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            default = default.factory() if not default.takes_self else attrs.NOTHING
        if field.repr and value != default:
            yield field.name, value


def _format_repr(name: str, values: Iterable[str]) -> str:
    shown = ""
    for value in values:
        longer = f"{shown}, {value}" if shown else value
        if len(name) + len(longer) + 7 > _MAX_REPR_LENGTH:
            shown = f"{shown}, ..." if shown else "..."
            break
        shown = longer
    return f"{name}({shown})"


def short_value(value: Any, max_length: int = _MAX_VALUE_LENGTH) -> str:
    """Return the repr of one value; of a long list only the first item, of long text only its start."""
    if isinstance(value, (list, tuple)) and len(value) > 3:
        return f"[{short_value(value[0], max_length // 2)}, ... {len(value)} in all]"
    if callable(value):  # its repr would contain a memory address
        return str(getattr(value, "__qualname__", type(value).__name__))
    if isinstance(value, float):
        return f"{value:.4g}"
    text = repr(str(value)) if isinstance(value, os.PathLike) else repr(value)
    return text if len(text) <= max_length else f"{text[:max_length]}..."


class Namespace:
    """A part of a client, such as ``client.files``; its repr shows the client's base URL."""

    _address: Callable[[], Optional[str]] = staticmethod(lambda: None)

    def __repr__(self) -> str:
        address = self._address()
        name = type(self).__name__
        return f"<{name}, address not looked up yet>" if address is None else f"<{name} of {address:.150}>"


def set_address(namespace: N, address: Callable[[], Optional[str]]) -> N:
    """Set the function that returns the client's base URL, or None if it is unknown; return the namespace."""
    namespace._address = address
    return namespace
