"""JSON as it is sent."""

import json
from typing import Any

from smartxfer.errors import UsageError

__all__ = ["json_body"]


def json_body(value: Any) -> bytes:
    """``value`` as the bytes of a JSON body, in UTF-8.

    :raises UsageError: a text in it, such as a file name made of other bytes, has no UTF-8.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"not valid Unicode: {text[max(0, error.start - 40) : error.end]!r}",
            hint="rename the file, or give it a name of its own: (name, path)",
        ) from None
