"""What the values of a JSON text need in memory, estimated before and while they are made.

An empty list takes two characters and 64 bytes; a text of such values needs thirty times its own size.  What
services send needs three to six times.
"""

import re
import sys
from typing import Any, Dict, List, Set

__all__ = ["Budget"]

#: Deepest nesting that is read.  The decoder recurses, and a Python 3.8 that runs out of stack in there
#: can end the whole process, when a garbage collection hook happens to run just then.
_DEEPEST = 200
#: Bytes of memory for each character of a text, and for any text however small.
_MOST, _FREE = 8, 4 << 20
#: A text of this many characters needs no more than what is free, whatever it says.
_SMALL = 128 * 1024
#: Most bytes of a value, by what separates values: an object of one member with a key of its own.
_DEAREST = 512
#: An escape is taken together with what it escapes.  No part of it repeats: a regular expression remembers
#: each step of a repeated group, which is more than the text.
_TOKEN = re.compile(r'"|\\.|[\[\]{},:]', re.DOTALL)
_LIST, _OBJECT, _ITEM, _TEXT, _NUMBER, _WIDE, _KEY = 96, 64, 9, 56, 32, 20, 176
#: Members of an object that is taken into account before it is made.
_LARGE = 256


class Budget:
    """The memory that the values of one text may take.

    :raises ValueError: they need more, or are nested too deeply; the message says so without the text.
    """

    def __init__(self, text: str) -> None:
        self._left = _MOST * len(text) + _FREE
        self._keys: Set[str] = set()
        #: Whether objects are to be measured while they are made.
        self.measures = False
        brackets = text.count("[") + text.count("{")
        if brackets <= _DEEPEST:
            values = brackets + text.count(",") + text.count(":") + 1
            if len(text) <= _SMALL or values * _DEAREST + 4 * len(text) <= self._left:
                return
        self._look(text)
        self.measures = len(text) > _SMALL

    def _look(self, text: str) -> None:
        """Check the depth, and take what all but the objects needs: lists, texts, numbers."""
        lists = objects = commas = items = texts = members = extra = opened = large = 0
        open_: List[bool] = []
        counts = [0]  # commas, in what is open
        plain = text.isascii() and "\\u" not in text
        inside = False
        for found in _TOKEN.finditer(text):
            token = found.group()
            if token == '"':  # noqa: S105 - of JSON
                inside = not inside
                if inside:
                    opened = found.end()
                    texts += 1
                else:
                    extra += found.start() - opened
                    extra += 0 if plain else _widened(text[opened : found.start()])
            elif inside or token[0] == "\\":
                continue
            elif token == ",":  # noqa: S105
                commas += 1
                items += not (open_ and open_[-1])  # an object is measured with its members
                counts[-1] += 1
            elif token == ":":  # noqa: S105
                members += 1
            elif token in "[{":  # noqa: S105
                if len(open_) == _DEEPEST:
                    raise ValueError("nested too deeply")
                open_.append(token == "{")  # noqa: S105
                counts.append(0)
                lists += not open_[-1]
                objects += open_[-1]
            elif open_:
                count = counts.pop() + 1
                if open_.pop() and count > _LARGE:
                    large += count * _KEY  # it is made before it can be measured
            if lists * _LIST + objects * _OBJECT + items * _ITEM + (texts - members) * _TEXT > self._left:
                raise _too_much()
        texts -= members  # keys are counted where objects are made
        literals = text.count("true") + text.count("false") + text.count("null")
        others = max(0, commas + 1 - texts - literals)
        extra += large
        self._take(lists * _LIST + items * _ITEM + texts * _TEXT + others * _NUMBER + extra)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _too_much()

    def made(self, found: Dict[str, Any]) -> Dict[str, Any]:
        """Take what an object needs; keys that were seen before are shared."""
        new = 0
        if len(found) <= _LARGE:
            known = len(self._keys)
            self._keys.update(found)
            new = len(self._keys) - known
        self._take(sys.getsizeof(found) + _KEY * new)
        return found


def _widened(piece: str) -> int:
    """Return the bytes that a text with other than ASCII characters needs more than one without."""
    if piece.isascii() and "\\u" not in piece:
        return 0
    wide = "\\ud" in piece or "\\uD" in piece or (not piece.isascii() and max(piece) > "\uffff")
    length = len(piece) - 5 * piece.count("\\u")
    return _WIDE + (3 if wide else 1) * length


def _too_much() -> ValueError:
    return ValueError(f"its values need more than {_MOST} times the memory of their text")
