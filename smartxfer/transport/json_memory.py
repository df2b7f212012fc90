"""Memory limit for the values of a JSON text, estimated before and measured during parsing.

An empty list is two characters long, but needs 64 bytes: a text of such values needs thirty times its size in
memory.  The texts of the services need three to six times their size.
"""

import re
import sys
from typing import Any, Dict, Iterator, List, Set, Tuple

__all__ = ["JsonMemoryBudget"]

#: Maximum nesting depth.  The decoder is recursive, and a stack overflow in Python 3.8 can crash the process
#: if a garbage collection hook runs at that moment.
_MAX_DEPTH = 200
#: Allowed bytes of memory per character of a text, and in addition for every text.
_BYTES_PER_CHAR, _FREE_BYTES = 8, 4 << 20
#: A text of this many characters never needs more than ``_FREE_BYTES``.
_SMALL_TEXT = 128 * 1024
#: Maximum bytes of a value: an object of one member with a unique key.
_MAX_VALUE_BYTES = 512
#: Characters of one block: the pieces of a whole response would need more memory than its values.
_BLOCK = 4 * 1024
_BRACKET = re.compile(r"[\[\]{}]")
#: Placeholder for an empty list or object; the character does not occur in valid JSON.
_EMPTY_CONTAINER = "\0"
_WHITESPACE = str.maketrans("", "", " \t\r\n")
#: Bytes of an object with one member.
_ONE_MEMBER_OBJECT_BYTES = sys.getsizeof({"": None})
_LIST_BYTES, _OBJECT_BYTES, _ITEM_BYTES, _TEXT_BYTES, _NUMBER_BYTES, _NON_ASCII_BYTES, _KEY_BYTES = (
    96,
    64,
    9,
    56,
    32,
    20,
    176,
)
#: Number of members above which an object is counted before it is created.
_LARGE_OBJECT = 256


class JsonMemoryBudget:
    """Memory budget for the values of one JSON text.

    :raises ValueError: the values need more, or are nested too deeply; the message does not contain the text.
    """

    def __init__(self, text: str) -> None:
        self._remaining = _BYTES_PER_CHAR * len(text) + _FREE_BYTES
        self._seen_keys: Set[str] = set()
        #: True if objects must be measured while they are created.
        self.measures_objects = False
        brackets = text.count("[") + text.count("{")
        if brackets <= _MAX_DEPTH:
            values = brackets + text.count(",") + text.count(":") + 1
            if len(text) <= _SMALL_TEXT or values * _MAX_VALUE_BYTES + 4 * len(text) <= self._remaining:
                return
        self._estimate(text)
        self.measures_objects = len(text) > _SMALL_TEXT

    def _estimate(self, text: str) -> None:
        """Check the depth, and consume the memory of lists, texts and numbers."""
        lists = objects = filled = commas = values = literals = extra = 0
        brackets = _BracketCounter()
        plain = text.isascii() and "\\u" not in text
        for opened, texts, structure in _iter_blocks(text):
            lists += structure.count("[")
            objects += structure.count("{")
            # An object may end in the next block.
            filled += max(0, structure.count("{") - structure.count("{}") - 1)
            commas += structure.count(",")
            values += opened - structure.count(":")  # keys are counted in consume_object()
            literals += sum(structure.count(word) for word in ("true", "false", "null"))
            extra += sum(map(len, texts)) + (0 if plain else sum(map(_extra_unicode_bytes, texts)))
            brackets.read_block(structure)
            least = (
                lists * _LIST_BYTES
                + objects * _OBJECT_BYTES
                + filled * (_ONE_MEMBER_OBJECT_BYTES - _OBJECT_BYTES)
                + values * _TEXT_BYTES
            )
            if least > self._remaining:
                raise _memory_error()
        others = max(0, commas + 1 - values - literals)
        extra += brackets.large_key_bytes
        self._consume(
            lists * _LIST_BYTES
            + brackets.outside_commas * _ITEM_BYTES
            + values * _TEXT_BYTES
            + others * _NUMBER_BYTES
            + extra
        )

    def _consume(self, size: int) -> None:
        self._remaining -= size
        if self._remaining < 0:
            raise _memory_error()

    def consume_object(self, members: Dict[str, Any]) -> Dict[str, Any]:
        """Consume the memory of an object; keys that occurred before are shared."""
        new = 0
        if len(members) <= _LARGE_OBJECT:
            known = len(self._seen_keys)
            self._seen_keys.update(members)
            new = len(self._seen_keys) - known
        self._consume(sys.getsizeof(members) + _KEY_BYTES * new)
        return members


class _BracketCounter:
    """Counter of commas outside and inside of objects."""

    def __init__(self) -> None:
        #: Number of commas outside of objects, and bytes of the keys of large objects.
        self.outside_commas = self.large_key_bytes = 0
        self._open_is_object: List[bool] = []
        self._open_commas = [0]

    def read_block(self, structure: str) -> None:
        """Process a block without its texts.

        :raises ValueError: nested too deeply.
        """
        structure = structure.replace("{}", _EMPTY_CONTAINER).replace("[]", _EMPTY_CONTAINER)
        at = 0
        for match in _BRACKET.finditer(structure):
            self._count_commas(structure, at, match.start())
            at = match.end()
            bracket = structure[at - 1]
            if bracket in "[{":
                if len(self._open_is_object) == _MAX_DEPTH:
                    raise ValueError("nested too deeply")
                self._open_is_object.append(bracket == "{")
                self._open_commas.append(0)
            elif self._open_is_object:
                members = self._open_commas.pop() + 1
                if self._open_is_object.pop() and members > _LARGE_OBJECT:
                    self.large_key_bytes += members * _KEY_BYTES  # it is created before it can be measured
        self._count_commas(structure, at, len(structure))

    def _count_commas(self, structure: str, start: int, stop: int) -> None:
        """Count the commas between two brackets."""
        if len(self._open_is_object) == _MAX_DEPTH and structure.find(_EMPTY_CONTAINER, start, stop) >= 0:
            raise ValueError("nested too deeply")
        commas = structure.count(",", start, stop)
        self._open_commas[-1] += commas
        if not (self._open_is_object and self._open_is_object[-1]):  # an object is measured with its members
            self.outside_commas += commas


def _iter_blocks(text: str) -> Iterator[Tuple[int, List[str], str]]:
    """Yield blocks of a JSON text: number of texts that begin in it, texts, and the rest without white space.

    Escaped quotation marks and backslashes are left out of the texts.
    """
    inside, at = False, 0
    while at < len(text):
        stop = at + _BLOCK
        block = text[at:stop]
        backslashes = len(block) - len(block.rstrip("\\"))
        if backslashes % 2:  # the escaped character belongs to this block
            block = text[at : stop + 1]
        at += len(block)
        if backslashes or "\\" in block:
            block = block.replace("\\\\", "").replace('\\"', "")
        pieces = block.split('"')
        rest = "".join(pieces[inside::2]).translate(_WHITESPACE)
        yield (len(pieces) - inside) // 2, pieces[not inside :: 2], rest
        inside ^= len(pieces) % 2 == 0


def _extra_unicode_bytes(piece: str) -> int:
    """Return the additional bytes of a text with characters other than ASCII."""
    if piece.isascii() and "\\u" not in piece:
        return 0
    wide = "\\ud" in piece or "\\uD" in piece or (not piece.isascii() and max(piece) > "\uffff")
    length = len(piece) - 5 * piece.count("\\u")
    return _NON_ASCII_BYTES + (3 if wide else 1) * length


def _memory_error() -> ValueError:
    return ValueError(f"its values need more than {_BYTES_PER_CHAR} times the memory of their text")
