"""JSON as it is sent and as it is read."""

import json
import math
import re
from typing import Any

from smartxfer.errors import UsageError
from smartxfer.secret_text import as_secret

__all__ = ["json_body", "parse_json"]

#: Deepest nesting that is read.  The decoder recurses, and a Python 3.8 that runs out of stack in there
#: can end the whole process, when a garbage collection hook happens to run just then.
_DEEPEST = 200
#: Most digits of a whole number; no float is as large, and converting more takes long.
_MOST_DIGITS = 308
_LONG_NUMBER = re.compile(f"[0-9]{{{_MOST_DIGITS + 1}}}")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def json_body(value: Any, *, ascii_only: bool = False) -> bytes:
    """``value`` as the bytes of a JSON body, in UTF-8.

    :param ascii_only: write other characters as escapes.
    :raises UsageError: JSON has no such value (a date, a set, NaN, a list that contains itself), or a text in
        it, such as a file name made of other bytes, has no UTF-8.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"not JSON serializable: {error}", hint="convert it to text, a number, a list or a dictionary"
        ) from None
    try:
        body = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"not valid Unicode: {text[max(0, error.start - 40) : error.end]!r}",
            hint="rename the file, or give it a name of its own: (name, path)",
        ) from None
    # Not shown in a traceback: a body may have a password.
    return as_secret(json.dumps(value, separators=(",", ":")).encode("ascii") if ascii_only else body)


def parse_json(text: str) -> Any:
    """The value that ``text`` stands for.

    :raises ValueError: not JSON, nested deeper than any service does it, or with a number that is not finite
        or larger than any float.
    """
    if text.count("[") + text.count("{") > _DEEPEST:
        depth = 0
        for token in _STRING_OR_BRACKET.finditer(text):
            first = token.group()[0]
            if first != '"':
                depth += 1 if first in "[{" else -1
                if depth > _DEEPEST:
                    raise ValueError("nested too deeply")
    options: Any = {"parse_int": _whole} if _LONG_NUMBER.search(text) else {}
    return json.loads(text, parse_constant=_refused, parse_float=_finite, **options)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
