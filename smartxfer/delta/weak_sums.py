"""Signatures that are made to stand still: many blocks of one weak sum.

librsync looks through all blocks of a weak sum one by one, in a call that nothing interrupts; a few hundred
kilobytes of such sums keep it busy for an hour.
"""

from collections import Counter
from struct import iter_unpack
from typing import Iterator, List

from smartxfer.delta.backend import ReadInto
from smartxfer.delta.signature_header import Signature
from smartxfer.errors import DeltaError

__all__ = ["reject_collisions"]

_BATCH_BLOCKS = 65536
#: Fewer blocks than this are looked through in no time.
_MAX_UNCHECKED_BLOCKS = 4096
#: Different blocks of one weak sum, in 65,536.  Files of two letters in blocks of 64 bytes have about 20.
_MAX_COLLISIONS = 256


def reject_collisions(header: Signature, readinto: ReadInto) -> None:
    """Refuse a signature in which very many different blocks have the same weak sum.

    :param readinto: gives the blocks.
    :raises DeltaError: it is such a signature.
    """
    if header.blocks <= _MAX_UNCHECKED_BLOCKS:
        return
    width = 4 + header.strong_length
    for sums in _read_batches(readinto, width):
        weak = _extract_weak_sums(sums, width)
        often = {value for value, count in Counter(weak).items() if count > _MAX_COLLISIONS}
        if not often:
            continue
        strong = {
            (value, bytes(sums[at * width : (at + 1) * width]))
            for at, value in enumerate(weak)
            if value in often
        }
        if max(Counter(value for value, _ in strong).values()) > _MAX_COLLISIONS:
            raise DeltaError("the signature has one weak sum for very many blocks: no file has that")


def _read_batches(readinto: ReadInto, entry_size: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(_BATCH_BLOCKS * entry_size))
    filled = len(buffer)
    while filled == len(buffer):
        filled = 0
        while filled < len(buffer):
            count = readinto(buffer[filled:])
            if not count:
                break
            filled += count
        if filled:
            yield buffer[: filled // entry_size * entry_size]


def _extract_weak_sums(sums: memoryview, entry_size: int) -> List[int]:
    """The weak sums; in whatever byte order, for they are only compared."""
    if entry_size % 4 == 0:
        return sums.cast("I")[:: entry_size // 4].tolist()
    return [value for (value,) in iter_unpack(f"I{entry_size - 4}x", sums)]
