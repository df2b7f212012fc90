"""Formatting of the vendor package's exceptions for error responses."""

import json
from typing import Iterable, List

__all__ = ["format_error"]

#: Maximum number of characters of an error text.
MAX_LENGTH = 500
_TRACEBACK_HEADER = "Traceback (most recent call last)"


def format_error(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the text of an exception in one line, without a stack trace and secrets.

    :param secrets: passwords and tokens, which are masked, also if they are escaped.
    """
    text = str(error)
    masked = {form for secret in secrets for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])}
    for form in sorted(masked - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    lines: List[str] = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith(_TRACEBACK_HEADER) for line in lines):
        lines = lines[-1:]
    return (" ".join(lines) or type(error).__name__)[:MAX_LENGTH]
