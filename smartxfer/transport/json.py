"""JSON as it is sent."""

import json
from typing import Any

__all__ = ["json_body"]


def json_body(value: Any) -> bytes:
    """``value`` as the bytes of a JSON body, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
