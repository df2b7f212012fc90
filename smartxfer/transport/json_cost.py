"""What the values of a JSON text need in memory, estimated before and while they are made.

An empty list takes two characters and 64 bytes; a text of such values needs thirty times its own size.  What
services send needs three to six times.
"""

import re
import sys
from typing import Any, Dict, Iterator, List, Set, Tuple

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
#: Characters looked at together: the pieces of a whole answer would need more memory than its values.
_BLOCK = 4 * 1024
_BRACKET = re.compile(r"[\[\]{}]")
#: In place of an empty list or object; it is not in valid JSON.
_EMPTY = "\0"
_SPACE = str.maketrans("", "", " \t\r\n")
#: What an object of one member needs.
_FILLED = sys.getsizeof({"": None})
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
        lists = objects = filled = commas = values = literals = extra = 0
        brackets = _Brackets()
        plain = text.isascii() and "\\u" not in text
        for opened, texts, structure in _blocks(text):
            lists += structure.count("[")
            objects += structure.count("{")
            # One may end in the next block.
            filled += max(0, structure.count("{") - structure.count("{}") - 1)
            commas += structure.count(",")
            values += opened - structure.count(":")  # keys are counted where objects are made
            literals += sum(structure.count(word) for word in ("true", "false", "null"))
            extra += sum(map(len, texts)) + (0 if plain else sum(map(_widened, texts)))
            brackets.add(structure)
            least = lists * _LIST + objects * _OBJECT + filled * (_FILLED - _OBJECT) + values * _TEXT
            if least > self._left:
                raise _too_much()
        others = max(0, commas + 1 - values - literals)
        extra += brackets.large
        self._take(lists * _LIST + brackets.items * _ITEM + values * _TEXT + others * _NUMBER + extra)

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


class _Brackets:
    """Counts of commas by the brackets that are open around them."""

    def __init__(self) -> None:
        #: Commas outside objects; bytes that the keys of large objects need.
        self.items = self.large = 0
        self._objects: List[bool] = []
        self._commas = [0]

    def add(self, structure: str) -> None:
        """Read a block without its texts.

        :raises ValueError: nested too deeply.
        """
        structure = structure.replace("{}", _EMPTY).replace("[]", _EMPTY)
        at = 0
        for found in _BRACKET.finditer(structure):
            self._read(structure, at, found.start())
            at = found.end()
            bracket = structure[at - 1]
            if bracket in "[{":
                if len(self._objects) == _DEEPEST:
                    raise ValueError("nested too deeply")
                self._objects.append(bracket == "{")
                self._commas.append(0)
            elif self._objects:
                members = self._commas.pop() + 1
                if self._objects.pop() and members > _LARGE:
                    self.large += members * _KEY  # it is made before it can be measured
        self._read(structure, at, len(structure))

    def _read(self, structure: str, start: int, stop: int) -> None:
        """Count the commas between two brackets."""
        if len(self._objects) == _DEEPEST and structure.find(_EMPTY, start, stop) >= 0:
            raise ValueError("nested too deeply")
        commas = structure.count(",", start, stop)
        self._commas[-1] += commas
        if not (self._objects and self._objects[-1]):  # an object is measured with its members
            self.items += commas


def _blocks(text: str) -> Iterator[Tuple[int, List[str], str]]:
    """Yield blocks of a JSON text: the number of texts that begin there, texts, the rest without white space.

    An escaped quotation mark, or backslash, is left out of its text.
    """
    inside, at = False, 0
    while at < len(text):
        stop = at + _BLOCK
        block = text[at:stop]
        backslashes = len(block) - len(block.rstrip("\\"))
        if backslashes % 2:  # what it escapes belongs to this block
            block = text[at : stop + 1]
        at += len(block)
        if backslashes or "\\" in block:
            block = block.replace("\\\\", "").replace('\\"', "")
        pieces = block.split('"')
        rest = "".join(pieces[inside::2]).translate(_SPACE)
        yield (len(pieces) - inside) // 2, pieces[not inside :: 2], rest
        inside ^= len(pieces) % 2 == 0


def _widened(piece: str) -> int:
    """Return the bytes that a text with other than ASCII characters needs more than one without."""
    if piece.isascii() and "\\u" not in piece:
        return 0
    wide = "\\ud" in piece or "\\uD" in piece or (not piece.isascii() and max(piece) > "\uffff")
    length = len(piece) - 5 * piece.count("\\u")
    return _WIDE + (3 if wide else 1) * length


def _too_much() -> ValueError:
    return ValueError(f"its values need more than {_MOST} times the memory of their text")
