"""Escaping of text from servers and of file names, for safe display on a terminal.

A terminal interprets control characters, and bidirectional marks reorder the text around them: a name could
print a line of its own, such as ``all 7 files verified``.
"""

import re
import unicodedata
from typing import Match

__all__ = ["escape_unprintable"]

#: Control characters, format characters (bidirectional marks, zero-width and tag characters), line and
#: paragraph separators, lone surrogates, and invisible letters.
_UNPRINTABLE = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
#: Long runs of spaces, which would move the following text to another line of the terminal.
_LONG_BLANKS = "[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]{17,}"
#: Maximum combining marks on one letter; no script needs more, and they are drawn over the lines above.
_MAX_COMBINING_MARKS = 4
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_unprintable(text: str, max_length: int = 4000, allowed: str = "") -> str:
    r"""Return text with escapes for all characters that a terminal would interpret or not show.

    The function is idempotent.

    >>> escape_unprintable("a\x1b[2Kb\u202ec")
    'a\\x1b[2Kb\\u202ec'

    :param max_length: maximum characters; the middle of longer text is left out.
    :param allowed: characters that are not escaped, such as ``"\n"`` for a traceback.
    """
    if len(text) > max_length:
        text = _truncate_middle(text, max_length)
    if not (text.isascii() and text.isprintable()):
        text = re.sub(
            _UNPRINTABLE,
            lambda match: match[0] if match[0] in allowed else _escape_char(match),
            text,
        )
        if not text.isascii():
            text = _limit_combining_marks(text)
    text = re.sub(_LONG_BLANKS, lambda match: f" [{len(match[0])} blanks] ", text)
    return text if len(text) <= max_length else _truncate_middle(text, max_length)


def _escape_char(match: "Match[str]") -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return _SHORT_ESCAPES.get(match[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _limit_combining_marks(text: str) -> str:
    """Return text with at most a few combining marks in a row."""
    result, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= _MAX_COMBINING_MARKS:
            result.append(letter)
    return "".join(result)


def _truncate_middle(text: str, max_length: int) -> str:
    head = (max_length - 5) * 2 // 3
    tail = max(0, max_length - 5 - head)
    return f"{text[:head]} ... {text[len(text) - tail :]}"
