"""Text from servers and file names, made safe to show to a person.

A terminal obeys control characters, and bidirectional marks reorder what stands around them: a name could
print a line of its own, such as ``all 7 files verified``.
"""

import re
import unicodedata
from typing import Match

__all__ = ["visible"]

#: Control characters, format characters (bidirectional marks, zero-width and tag characters), line and
#: paragraph separators, lone surrogates, and letters that are drawn as nothing.
_HIDDEN = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
#: Blanks that would push what follows to another line of the terminal.
_BLANKS = "[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]{17,}"
#: Most marks on one letter; no script needs more, and they are drawn over the lines above.
_MOST_MARKS = 4
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, longest: int = 4000, keep: str = "") -> str:
    r"""Return text with everything written out that a terminal would obey or not show.

    Applied twice it changes nothing more.

    >>> visible("a\x1b[2Kb\u202ec")
    'a\\x1b[2Kb\\u202ec'

    :param longest: most characters; of longer text the middle is left out.
    :param keep: characters that are shown as they are, such as ``"\n"`` for a traceback.
    """
    if len(text) > longest:
        text = _shortened(text, longest)
    if not (text.isascii() and text.isprintable()):
        text = re.sub(
            _HIDDEN, lambda found: found.group() if found.group() in keep else _written(found), text
        )
        if not text.isascii():
            text = _without_mark_floods(text)
    text = re.sub(_BLANKS, lambda found: f" [{len(found.group())} blanks] ", text)
    return text if len(text) <= longest else _shortened(text, longest)


def _written(found: "Match[str]") -> str:
    code = ord(found.group())
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return _SHORT.get(found.group()) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _without_mark_floods(text: str) -> str:
    """Return text with at most a few combining marks in a row."""
    kept, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)


def _shortened(text: str, longest: int) -> str:
    head = (longest - 5) * 2 // 3
    tail = max(0, longest - 5 - head)
    return f"{text[:head]} ... {text[len(text) - tail :]}"
