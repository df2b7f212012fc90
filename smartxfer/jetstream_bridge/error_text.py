"""What an exception of the package says, fit to be passed on."""

import json
from typing import Iterable, List

__all__ = ["format_error"]

#: Characters that are passed on.
MAX_LENGTH = 500
_TRACEBACK_HEADER = "Traceback (most recent call last)"


def format_error(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The text of an exception, in one line: without a stack trace, and without secrets.

    :param secrets: passwords and tokens; they are struck out however they are written.
    """
    text = str(error)
    written = {form for secret in secrets for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])}
    for form in sorted(written - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    lines: List[str] = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith(_TRACEBACK_HEADER) for line in lines):
        lines = lines[-1:]
    return (" ".join(lines) or type(error).__name__)[:MAX_LENGTH]
