"""Conversion of the results of the vendor's package to JSON values.

Its types are not documented, so dicts, other mappings and objects with attributes are supported.
"""

import enum
import math
from collections.abc import Iterable, Mapping
from typing import Any, Dict

from smartxfer.local.jsonrpc import RpcError

__all__ = ["to_json_value"]

#: Maximum nesting; deeper results are assumed to contain themselves.
MAX_DEPTH = 50


def to_json_value(value: Any, depth: int = 0) -> Any:
    """Convert a value to dicts, lists, text, numbers, booleans and None.

    :raises RpcError: it cannot be converted.
    """
    if depth > MAX_DEPTH:
        raise RpcError("InternalError", "the package returned a result that is nested too deeply")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, enum.Enum):
        return to_json_value(value.value, depth + 1)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(key): to_json_value(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, Iterable) and not hasattr(value, "_asdict"):
        return [to_json_value(inner, depth + 1) for inner in value]
    fields = _get_public_attributes(value)
    if not fields:
        raise RpcError(
            "InternalError", f"the package returned a {type(value).__name__}, which is not JSON serializable"
        )
    return {name: to_json_value(inner, depth + 1) for name, inner in fields.items()}


def _get_public_attributes(value: Any) -> Dict[str, Any]:
    """Return the public attributes of an object, without properties, which might send requests."""
    if hasattr(value, "_asdict"):  # a named tuple
        return dict(value._asdict())
    attributes = dict(getattr(value, "__dict__", {}))
    for base in type(value).__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, name):
                attributes[name] = getattr(value, name)
    return {
        name: inner for name, inner in attributes.items() if not (name.startswith("_") or callable(inner))
    }
