"""Combination of the CRC-32 values of two adjacent byte ranges, which Python's zlib module does not provide.

A CRC is the remainder of a polynomial over GF(2).  Appending ``n`` bytes multiplies it by ``x**(8 * n)``, a
power that is computed by squaring.
"""

import functools

__all__ = ["combine_crc32"]

#: The polynomial, and 1, in the bit order of CRC-32.
_POLYNOMIAL, _ONE = 0xEDB88320, 0x80000000


def combine_crc32(first: int, second: int, second_size: int) -> int:
    """Return the CRC-32 of two adjacent byte ranges from the CRC-32 of each.

    >>> import zlib
    >>> combine_crc32(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True

    :param second_size: number of bytes of the second range.
    """
    factor, power = _ONE, 0
    while second_size:
        if second_size & 1:
            factor = _multiply(factor, _power(power))
        second_size >>= 1
        power += 1
    return _multiply(factor, first) ^ second


@functools.lru_cache(maxsize=None)
def _power(number: int) -> int:
    """Return ``x**(8 * 2**number)``."""
    if number == 0:
        return _ONE >> 8
    half = _power(number - 1)
    return _multiply(half, half)


def _multiply(first: int, second: int) -> int:
    product = 0
    while first:
        if first & _ONE:
            product ^= second
        first = (first << 1) & 0xFFFFFFFF
        second = (second >> 1) ^ (_POLYNOMIAL if second & 1 else 0)
    return product
