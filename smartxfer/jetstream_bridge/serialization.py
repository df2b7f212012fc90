"""What the vendor's package answers, as JSON can say it.

Whether its structures are dicts, other mappings or objects with attributes is documented nowhere; all are
taken.
"""

import enum
import math
from collections.abc import Iterable, Mapping
from typing import Any, Dict

from smartxfer.local.jsonrpc import RpcError

__all__ = ["to_json_value"]

#: Structures within structures; more is a circle.
MAX_DEPTH = 50


def to_json_value(value: Any, depth: int = 0) -> Any:
    """A value of dicts, lists, text, numbers, booleans and None only.

    :raises RpcError: it cannot be said in JSON.
    """
    if depth > MAX_DEPTH:
        raise RpcError("InternalError", "the package answered a structure without an end")
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
        raise RpcError("InternalError", f"the package answered a {type(value).__name__}: JSON has none")
    return {name: to_json_value(inner, depth + 1) for name, inner in fields.items()}


def _get_public_attributes(value: Any) -> Dict[str, Any]:
    """The public attributes of an object; none of its properties, which might ask the server."""
    if hasattr(value, "_asdict"):  # a named tuple
        return dict(value._asdict())
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    return {name: inner for name, inner in found.items() if not (name.startswith("_") or callable(inner))}
