"""The CRC-32 of two neighbouring runs of bytes, given that of each: zlib has it, and Python does not show it.

A CRC is the remainder of a polynomial over GF(2).  To append ``n`` bytes multiplies it by ``x**(8 * n)``, a
power that is found by squaring.
"""

import functools

__all__ = ["joined_crc32"]

#: The polynomial, and 1, with the bits in the order that CRC-32 has them.
_POLYNOMIAL, _ONE = 0xEDB88320, 0x80000000


def joined_crc32(first: int, second: int, size: int) -> int:
    """Return the CRC-32 of two runs.

    >>> import zlib
    >>> joined_crc32(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True

    :param size: bytes of the second.
    """
    factor, power = _ONE, 0
    while size:
        if size & 1:
            factor = _product(factor, _power(power))
        size >>= 1
        power += 1
    return _product(factor, first) ^ second


@functools.lru_cache(maxsize=None)
def _power(number: int) -> int:
    """Return ``x**(8 * 2**number)``."""
    if number == 0:
        return _ONE >> 8
    half = _power(number - 1)
    return _product(half, half)


def _product(one: int, other: int) -> int:
    found = 0
    while one:
        if one & _ONE:
            found ^= other
        one = (one << 1) & 0xFFFFFFFF
        other = (other >> 1) ^ (_POLYNOMIAL if other & 1 else 0)
    return found
