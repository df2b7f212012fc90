"""Signatures that are made to stand still: many blocks of one weak sum.

librsync looks through all blocks of a weak sum one by one, in a call that nothing interrupts; a few hundred
kilobytes of such sums keep it busy for an hour.
"""

from collections import Counter
from struct import iter_unpack
from typing import Iterator, List

from smartxfer.delta.backend import ReadInto
from smartxfer.delta.headers import Signature
from smartxfer.errors import DeltaError

__all__ = ["check_sums"]

_AT_ONCE = 65536
#: Fewer blocks than this are looked through in no time.
_FEW = 4096
#: Different blocks of one weak sum, in 65,536.  Files of two letters in blocks of 64 bytes have about 20.
_MOST = 256


def check_sums(header: Signature, readinto: ReadInto) -> None:
    """Refuse a signature in which very many different blocks have the same weak sum.

    :param readinto: gives the blocks.
    :raises DeltaError: it is such a signature.
    """
    if header.blocks <= _FEW:
        return
    width = 4 + header.strong_length
    for sums in _stretches(readinto, width):
        weak = _weak(sums, width)
        often = {value for value, count in Counter(weak).items() if count > _MOST}
        if not often:
            continue
        strong = {
            (value, bytes(sums[at * width : (at + 1) * width]))
            for at, value in enumerate(weak)
            if value in often
        }
        if max(Counter(value for value, _ in strong).values()) > _MOST:
            raise DeltaError("the signature has one weak sum for very many blocks: no file has that")


def _stretches(readinto: ReadInto, width: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(_AT_ONCE * width))
    filled = len(buffer)
    while filled == len(buffer):
        filled = 0
        while filled < len(buffer):
            count = readinto(buffer[filled:])
            if not count:
                break
            filled += count
        if filled:
            yield buffer[: filled // width * width]


def _weak(sums: memoryview, width: int) -> List[int]:
    """The weak sums; in whatever byte order, for they are only compared."""
    if width % 4 == 0:
        return sums.cast("I")[:: width // 4].tolist()
    return [value for (value,) in iter_unpack(f"I{width - 4}x", sums)]
