"""The commands of a delta.

Source: SmartFile protocol, section 9.
"""

import struct
from typing import Callable, Iterator, NamedTuple, Optional, Tuple, Union

from smartxfer.errors import DeltaError

__all__ = ["DELTA_MAGIC", "END", "Copy", "literal", "read_commands"]

DELTA_MAGIC = b"rs\x026"
END = b"\x00"

_BUFFER = 256 * 1024
_LAST_SHORT = 64
_LAST_LITERAL = 68
_LAST_COPY = 84
#: Codes of ``struct`` for 1, 2, 4 and 8 bytes.
_CODES = (">B", ">H", ">I", ">Q")

ReadInto = Callable[[memoryview], int]


class Copy(NamedTuple):
    """So many bytes of the old file, from a place in it."""

    position: int
    length: int


def literal(length: int) -> bytes:
    """The command before ``length`` bytes that stand in the delta itself."""
    if length <= _LAST_SHORT:
        return bytes([length])
    power = max(0, (length.bit_length() - 1).bit_length() - 3)
    return bytes([_LAST_SHORT + 1 + power]) + struct.pack(_CODES[power], length)


class _Incoming:
    """A delta on its way, through one buffer."""

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto
        self._buffer = memoryview(bytearray(_BUFFER))
        self._at = 0
        self._stop = 0

    def some(self, most: int) -> memoryview:
        """The next bytes, up to ``most``; none at the end.  They hold until the next call."""
        if self._at == self._stop:
            self._at, self._stop = 0, self._readinto(self._buffer)
        piece = self._buffer[self._at : min(self._stop, self._at + most)]
        self._at += len(piece)
        return piece

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes: a few."""
        piece = self.some(count)
        if len(piece) == count:
            return bytes(piece)
        found = bytes(piece)
        while len(found) < count:
            piece = self.some(count - len(found))
            if not piece:
                raise DeltaError("the delta is cut short")
            found += piece
        return found

    def number(self, power: int) -> int:
        """The next unsigned number, of 1, 2, 4 or 8 bytes."""
        return int.from_bytes(self.exactly(1 << power), "big")


def _parse(incoming: _Incoming) -> Tuple[int, int, int]:
    """The next command: op, position, length."""
    [op] = incoming.exactly(1)
    if op <= _LAST_SHORT:
        return op, 0, op
    if op <= _LAST_LITERAL:
        return op, 0, incoming.number(op - _LAST_SHORT - 1)
    if op <= _LAST_COPY:
        widths = op - _LAST_LITERAL - 1
        return op, incoming.number(widths >> 2), incoming.number(widths & 3)
    raise DeltaError(f"the delta has an unknown command: {op}")


def read_commands(
    readinto: ReadInto, basis_size: int, size: Optional[int] = None
) -> Iterator[Union[Copy, memoryview]]:
    """What a delta says, command by command, each checked before it is given out.

    :param readinto: fills a buffer with the next bytes of the delta; 0 at its end.
    :param basis_size: bytes of the old file; no copy reaches past it.
    :param size: bytes that the new file must have; None for any.
    :return: a :class:`Copy`, or a piece of literal bytes that holds until the next one is asked for.
    :raises DeltaError: no delta, an unknown command, one that points outside, no end, bytes after the end,
        or another size of the new file.
    """
    incoming = _Incoming(readinto)
    start = bytes(incoming.some(1))
    start += incoming.exactly(len(DELTA_MAGIC) - 1) if start else b""
    if start != DELTA_MAGIC:
        raise DeltaError(f"no delta: it begins with {start.hex()}" if start else "no delta: it is empty")
    made = 0
    while True:
        op, position, length = _parse(incoming)
        if not op:
            break
        made += length
        if not length:
            raise DeltaError(f"the delta has a command of no length: {op}")
        if size is not None and made > size:
            raise DeltaError(f"the delta makes more than the {size} bytes of the new file")
        if op > _LAST_LITERAL:
            if position + length > basis_size:
                raise DeltaError(
                    f"the delta copies bytes {position} to {position + length} of a file of {basis_size}"
                )
            yield Copy(position, length)
            continue
        while length:
            piece = incoming.some(length)
            if not piece:
                raise DeltaError("the delta is cut short")
            length -= len(piece)
            yield piece
    if incoming.some(1):
        raise DeltaError("the delta goes on after its end")
    if size is not None and made != size:
        raise DeltaError(f"the delta makes {made} bytes, not the {size} of the new file")
