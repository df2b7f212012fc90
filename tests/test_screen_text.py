"""Control characters are escaped wherever text is shown to a person."""

from __future__ import annotations

import pickle
import sys
import unicodedata

import pytest

from smartxfer.errors import LocalError, SmartxferError, UsageError
from smartxfer.terminal_text import escape_unprintable

#: A name that overwrites its line and adds another.
NAME = "a\r\x1b[2K\x9b1mall 7 files verified\n\u202egpj.exe\u2066\u200f\u2028\u200b\U000e0041"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, as it is", "plain text, as it is"),
        ("blåbær på Ærø \u65e5\u672c\u8a9e \U0001f600", "blåbær på Ærø \u65e5\u672c\u8a9e \U0001f600"),
        ("e\u0301 is two characters", "e\u0301 is two characters"),
        ("a\x1b[31mb\x07", "a\\x1b[31mb\\x07"),
        ("a\r\nb\tc\x7f\x85", "a\\r\\nb\\tc\\x7f\\x85"),
        ("\u202a\u202e\u2066\u2069\u200e\u200f\u061c", "\\u202a\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c"),
        ("\u2028\u2029\u200b\ufeff\u00ad\u3164", "\\u2028\\u2029\\u200b\\ufeff\\xad\\u3164"),
        ("\U000e0041\udce9", "\\U000e0041\\udce9"),
        ("a" + " " * 200 + "b", "a [200 blanks] b"),
        ("o" + "\u0300" * 50 + "k", "o" + "\u0300" * 4 + "k"),
        ("x" * 5000, "x" * 2663 + " ... " + "x" * 1332),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert escape_unprintable(text) == shown
    assert escape_unprintable(shown) == shown


def test_every_character_that_is_not_drawn() -> None:
    """Compare with Python's printable characters; private and unassigned characters are left to the terminal."""
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in _DRAWN:
            assert escape_unprintable(letter).isprintable(), hex(code)
            assert escape_unprintable(letter) != letter


#: Signs of Arabic, Kaithi, Egyptian and shorthand that are Cf, and are drawn around digits or signs.
_DRAWN = {chr(code) for code in [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]}
_DRAWN |= {chr(code) for code in range(0x13430, 0x13440)}


def test_lines_of_a_traceback_are_kept() -> None:
    assert escape_unprintable("a\n\x1b[1mb", allowed="\n") == "a\n\\x1b[1mb"


@pytest.mark.parametrize("kind", [SmartxferError, UsageError, LocalError])
def test_an_error_is_one_line_that_a_terminal_shows_as_it_is(kind: type) -> None:
    """Detect an unescaped name in a message; the exact text is in ``args``."""
    error = kind(f"{NAME} failed", hint=f"delete {NAME}")
    for shown in (str(error), error.summary, repr(error)):
        assert shown.isprintable()
        assert "\\x1b" in shown
    assert error.args[0] == f"{NAME} failed"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.args, copy.hint) == (error.args, error.hint)
