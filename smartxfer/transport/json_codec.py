"""Encoding and parsing of JSON."""

import json
import math
import re
from typing import Any

from smartxfer.errors import UsageError
from smartxfer.secret_text import as_secret
from smartxfer.transport.json_memory import JsonMemoryBudget

__all__ = ["encode_json", "parse_json"]

#: Maximum digits of an integer; larger numbers exceed any float, and their conversion takes long.
_MAX_DIGITS = 308
_LONG_NUMBER = re.compile(f"[0-9]{{{_MAX_DIGITS + 1}}}")


def encode_json(value: Any, *, ascii_only: bool = False) -> bytes:
    """Return ``value`` as the bytes of a JSON body in UTF-8.

    :param ascii_only: escape all other characters.
    :raises UsageError: the value is not JSON serializable (a date, a set, NaN, a circular list), or contains
        text that is not valid Unicode, such as a file name with undecodable bytes.
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
            hint="rename the file, or pass another name for it: (name, path)",
        ) from None
    # A secret, because the body may contain a password that tracebacks must not show.
    return as_secret(json.dumps(value, separators=(",", ":")).encode("ascii") if ascii_only else body)


def parse_json(text: str) -> Any:
    """Return the decoded value of a JSON text.

    :raises ValueError: the text is not JSON, is nested too deeply, contains a number that is not finite or
        larger than any float, or would need many times its size in memory.
    """
    budget = JsonMemoryBudget(text)
    options: Any = {"parse_int": _parse_int} if _LONG_NUMBER.search(text) else {}
    if budget.measures_objects:
        options["object_hook"] = budget.consume_object
    return json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float, **options)


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _parse_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
