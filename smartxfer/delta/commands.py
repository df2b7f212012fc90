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

#: Numbers of bytes of the position and of the length after an op code.
_OPERAND_WIDTHS = {
    **{op: (0, 1 << (op - _LAST_SHORT - 1)) for op in range(_LAST_SHORT + 1, _LAST_LITERAL + 1)},
    **{
        op: (1 << ((op - _LAST_LITERAL - 1) >> 2), 1 << ((op - _LAST_LITERAL - 1) & 3))
        for op in range(_LAST_LITERAL + 1, _LAST_COPY + 1)
    },
}


class Copy(NamedTuple):
    """Command that copies ``length`` bytes of the old file from ``position``."""

    position: int
    length: int


def encode_literal(length: int) -> bytes:
    """Return the command that precedes ``length`` literal bytes in the delta."""
    if length <= _LAST_SHORT:
        return bytes([length])
    power = max(0, (length.bit_length() - 1).bit_length() - 3)
    return bytes([_LAST_SHORT + 1 + power]) + struct.pack(_STRUCT_CODES[power], length)


class _DeltaReader:
    """Buffered reader of a delta."""

    def __init__(self, readinto: ReadInto) -> None:
        self._readinto = readinto
        self._buffer = memoryview(bytearray(_BUFFER_SIZE))
        self._position = 0
        self._end = 0

    def read_some(self, max_bytes: int) -> memoryview:
        """Return up to ``max_bytes`` bytes, none at the end.  The view is valid until the next call."""
        if self._position == self._end:
            self._position, self._end = 0, self._readinto(self._buffer)
        piece = self._buffer[self._position : min(self._end, self._position + max_bytes)]
        self._position += len(piece)
        return piece

    def read_exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes, a small number."""
        piece = self.read_some(count)
        if len(piece) == count:
            return bytes(piece)
        data = bytes(piece)
        while len(data) < count:
            piece = self.read_some(count - len(data))
            if not piece:
                raise DeltaError("truncated delta")
            data += piece
        return data

    def read_command(self) -> Tuple[int, int, int]:
        """Return op code, position and length of the next command.

        :raises DeltaError: the op code is unknown, or the delta is truncated.
        """
        at = self._position
        # A delta may contain millions of commands.  If the buffer contains all of one, nothing is copied.
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
            raise DeltaError(f"unknown command {op} in the delta")
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
    """Yield the commands of a delta, each validated.

    :param readinto: fills a buffer with the next bytes of the delta; returns 0 at its end.
    :param basis_size: size of the old file in bytes.
    :param size: expected size of the new file in bytes; None for any.
    :return: iterator of :class:`Copy` commands and literal bytes; a literal is valid until the next item.
    :raises DeltaError: the delta is invalid or truncated, has an unknown command or data after its end,
        refers to bytes outside the old file, or describes a file of another size.
    """
    incoming = _DeltaReader(readinto)
    start = bytes(incoming.read_some(1))
    start += incoming.read_exactly(len(DELTA_MAGIC) - 1) if start else b""
    if start != DELTA_MAGIC:
        raise DeltaError(
            f"not a delta: it begins with {start.hex()}" if start else "not a delta: it is empty"
        )
    new_size = 0
    while True:
        op, position, length = incoming.read_command()
        if not op:
            break
        new_size += length
        if not length:
            raise DeltaError(f"command {op} of the delta has length 0")
        if size is not None and new_size > size:
            raise DeltaError(f"the delta produces more than the expected {size} bytes")
        if op > _LAST_LITERAL:
            if position + length > basis_size:
                raise DeltaError(
                    f"the delta copies bytes {position} to {position + length}, "
                    f"but the old file has {basis_size}"
                )
            yield Copy(position, length)
            continue
        while length:
            piece = incoming.read_some(length)
            if not piece:
                raise DeltaError("truncated delta")
            length -= len(piece)
            yield piece
    if incoming.read_some(1):
        raise DeltaError("the delta has data after its end command")
    if size is not None and new_size != size:
        raise DeltaError(f"the delta produces {new_size} bytes, not the expected {size}")


def merge_copies(commands: Iterable[Union[Copy, memoryview]]) -> Iterator[Union[Copy, memoryview]]:
    """Yield the commands, with adjacent copies merged into one."""
    pending_copy: Optional[Copy] = None
    for command in commands:
        if pending_copy is not None:
            if isinstance(command, Copy) and command.position == pending_copy.position + pending_copy.length:
                pending_copy = Copy(pending_copy.position, pending_copy.length + command.length)
                continue
            yield pending_copy
            pending_copy = None
        if isinstance(command, Copy):
            pending_copy = command
        else:
            yield command
    if pending_copy is not None:
        yield pending_copy
