"""The commands of a delta.

Source: SmartFile protocol, section 9.
"""

import struct
from typing import Iterable, Iterator, NamedTuple, Optional, Tuple, Union

from smartxfer.delta.backend import ReadInto
from smartxfer.errors import DeltaError

__all__ = ["DELTA_END", "DELTA_MAGIC", "Copy", "encode_literal", "merge_copies", "read_commands"]

DELTA_MAGIC = b"rs\x026"
DELTA_END = b"\x00"

_BUFFER_SIZE = 256 * 1024
_LAST_SHORT = 64
_LAST_LITERAL = 68
_LAST_COPY = 84
#: Codes of ``struct`` for 1, 2, 4 and 8 bytes.
_STRUCT_CODES = (">B", ">H", ">I", ">Q")

#: Bytes of position and length behind an op.
_OPERAND_WIDTHS = {
    **{op: (0, 1 << (op - _LAST_SHORT - 1)) for op in range(_LAST_SHORT + 1, _LAST_LITERAL + 1)},
    **{
        op: (1 << ((op - _LAST_LITERAL - 1) >> 2), 1 << ((op - _LAST_LITERAL - 1) & 3))
        for op in range(_LAST_LITERAL + 1, _LAST_COPY + 1)
    },
}


class Copy(NamedTuple):
    """So many bytes of the old file, from a place in it."""

    position: int
    length: int


def encode_literal(length: int) -> bytes:
    """The command before ``length`` bytes that stand in the delta itself."""
    if length <= _LAST_SHORT:
        return bytes([length])
    power = max(0, (length.bit_length() - 1).bit_length() - 3)
    return bytes([_LAST_SHORT + 1 + power]) + struct.pack(_STRUCT_CODES[power], length)


class _DeltaReader:
    """A delta on its way, through one buffer."""

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto
        self._buffer = memoryview(bytearray(_BUFFER_SIZE))
        self._position = 0
        self._end = 0

    def read_some(self, max_bytes: int) -> memoryview:
        """The next bytes, up to ``max_bytes``; none at the end.  They hold until the next call."""
        if self._position == self._end:
            self._position, self._end = 0, self._readinto(self._buffer)
        piece = self._buffer[self._position : min(self._end, self._position + max_bytes)]
        self._position += len(piece)
        return piece

    def read_exactly(self, count: int) -> bytes:
        """The next ``count`` bytes: a few."""
        piece = self.read_some(count)
        if len(piece) == count:
            return bytes(piece)
        found = bytes(piece)
        while len(found) < count:
            piece = self.read_some(count - len(found))
            if not piece:
                raise DeltaError("the delta is cut short")
            found += piece
        return found

    def read_command(self) -> Tuple[int, int, int]:
        """The next command: op, position, length.

        :raises DeltaError: an op that is none, or the delta is cut short.
        """
        at = self._position
        # A delta may hold millions of commands: where one lies whole in the buffer, it is read in place.
        if at < self._end:
            op = self._buffer[at]
            at += 1
        else:
            [op] = self.read_exactly(1)
            at = self._position
        self._position = at
        if op <= _LAST_SHORT:
            return op, 0, op
        if op > _LAST_COPY:
            raise DeltaError(f"the delta has an unknown command: {op}")
        first, second = _OPERAND_WIDTHS[op]
        middle, end = at + first, at + first + second
        if end <= self._end:
            self._position = end
            numbers = self._buffer[at:middle], self._buffer[middle:end]
        else:
            numbers = memoryview(self.read_exactly(first)), memoryview(self.read_exactly(second))
        return op, int.from_bytes(numbers[0], "big"), int.from_bytes(numbers[1], "big")


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
    incoming = _DeltaReader(readinto)
    start = bytes(incoming.read_some(1))
    start += incoming.read_exactly(len(DELTA_MAGIC) - 1) if start else b""
    if start != DELTA_MAGIC:
        raise DeltaError(f"no delta: it begins with {start.hex()}" if start else "no delta: it is empty")
    made = 0
    while True:
        op, position, length = incoming.read_command()
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
            piece = incoming.read_some(length)
            if not piece:
                raise DeltaError("the delta is cut short")
            length -= len(piece)
            yield piece
    if incoming.read_some(1):
        raise DeltaError("the delta goes on after its end")
    if size is not None and made != size:
        raise DeltaError(f"the delta makes {made} bytes, not the {size} of the new file")


def merge_copies(commands: Iterable[Union[Copy, memoryview]]) -> Iterator[Union[Copy, memoryview]]:
    """The same commands, with copies that go on where the one before ended made one."""
    waiting: Optional[Copy] = None
    for command in commands:
        if waiting is not None:
            if isinstance(command, Copy) and command.position == waiting.position + waiting.length:
                waiting = Copy(waiting.position, waiting.length + command.length)
                continue
            yield waiting
            waiting = None
        if isinstance(command, Copy):
            waiting = command
        else:
            yield command
    if waiting is not None:
        yield waiting
