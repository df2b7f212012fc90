"""Detection of malicious signatures, with many blocks of the same weak sum.

librsync compares all blocks of a weak sum one by one, in a call that cannot be interrupted.  A few hundred
kilobytes of equal weak sums keep it busy for an hour.
"""

from collections import Counter
from struct import iter_unpack
from typing import Iterator, List

from smartxfer.delta.backend import ReadInto
from smartxfer.delta.signature_header import Signature
from smartxfer.errors import DeltaError

__all__ = ["reject_collisions"]

_BATCH_BLOCKS = 65536
#: Signatures of fewer blocks are not checked, because comparing all of them takes little time.
_MAX_UNCHECKED_BLOCKS = 4096
#: Different blocks of one weak sum, in 65,536.  Files of two characters in 64-byte blocks have about 20.
_MAX_COLLISIONS = 256


def reject_collisions(header: Signature, readinto: ReadInto) -> None:
    """Reject a signature in which very many different blocks have the same weak sum.

    :param readinto: reads the blocks of the signature.
    :raises DeltaError: too many different blocks have the same weak sum.
    """
    if header.blocks <= _MAX_UNCHECKED_BLOCKS:
        return
    entry_size = 4 + header.strong_length
    for sums in _read_batches(readinto, entry_size):
        weak = _extract_weak_sums(sums, entry_size)
        frequent = {value for value, count in Counter(weak).items() if count > _MAX_COLLISIONS}
        if not frequent:
            continue
        strong = {
            (value, bytes(sums[at * entry_size : (at + 1) * entry_size]))
            for at, value in enumerate(weak)
            if value in frequent
        }
        if max(Counter(value for value, _ in strong).values()) > _MAX_COLLISIONS:
            raise DeltaError("invalid signature: too many different blocks have the same weak sum")


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
    """Return the weak sums, in native byte order, because they are only compared with each other."""
    if entry_size % 4 == 0:
        return sums.cast("I")[:: entry_size // 4].tolist()
    return [value for (value,) in iter_unpack(f"I{entry_size - 4}x", sums)]
