"""What the vendor's package answers, as JSON can say it.

Whether its structures are dicts, other mappings or objects with attributes is documented nowhere; all are
taken.
"""

import enum
import math
from collections.abc import Iterable, Mapping
from typing import Any, Dict

from smartxfer.local.jsonrpc import RpcError

__all__ = ["plain"]

#: Structures within structures; more is a circle.
DEPTH = 50


def plain(value: Any, depth: int = 0) -> Any:
    """A value of dicts, lists, text, numbers, booleans and None only.

    :raises RpcError: it cannot be said in JSON.
    """
    if depth > DEPTH:
        raise RpcError("InternalError", "the package answered a structure without an end")
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value, depth + 1)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, Iterable) and not hasattr(value, "_asdict"):
        return [plain(inner, depth + 1) for inner in value]
    fields = _fields(value)
    if not fields:
        raise RpcError("InternalError", f"the package answered a {type(value).__name__}: JSON has none")
    return {name: plain(inner, depth + 1) for name, inner in fields.items()}


def _fields(value: Any) -> Dict[str, Any]:
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
