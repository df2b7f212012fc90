"""Block length of a signature, and limits of its other numbers."""

import math
from typing import Optional

from smartxfer.errors import UsageError

__all__ = [
    "DEFAULT_BLOCK_LENGTH",
    "MAX_BLOCK_LENGTH",
    "MAX_STRONG_LENGTHS",
    "block_length_for",
    "validate_lengths",
]

#: Default of librsync and SmartFile for a file of unknown size.
DEFAULT_BLOCK_LENGTH = 2048
#: librsync holds complete blocks in memory, and terminates the process if the allocation fails.
MAX_BLOCK_LENGTH = 16 * 1024 * 1024
#: Bytes of the full strong sum, by hash.
MAX_STRONG_LENGTHS = {"md4": 16, "blake2": 32}

_MIN_BLOCK_LENGTH = 256
_BLOCK_LENGTH_STEP = 128


def block_length_for(size: Optional[int]) -> int:
    """Return the block length for which signature and delta together are about as small as possible.

    :param size: size of the old file in bytes; None if unknown.
    :return: bytes: near the square root of ``size``, a multiple of 128, at least 256; 2048 for None.
    :raises UsageError: the size is negative.

    Source: SmartFile protocol, section 9.
    """
    if size is None:
        return DEFAULT_BLOCK_LENGTH
    if size < 0:
        raise UsageError(f"size must be 0 or more, not {size!r}", hint="pass the size of the file in bytes")
    return min(
        MAX_BLOCK_LENGTH, max(_MIN_BLOCK_LENGTH, math.isqrt(size) // _BLOCK_LENGTH_STEP * _BLOCK_LENGTH_STEP)
    )


def validate_lengths(block_length: int, strong_length: int, hash_name: str) -> None:
    """Validate the parameters of a signature.

    :param block_length: bytes per block, 1 to 16 MiB.
    :param strong_length: bytes stored of each strong sum, 1 to 16 (MD4) or 32 (BLAKE2).
    :param hash_name: ``"md4"`` or ``"blake2"``.
    :raises UsageError: one of them is out of range.
    """
    if hash_name not in MAX_STRONG_LENGTHS:
        raise UsageError(f"unknown hash {hash_name!r}", hint="use 'md4' or 'blake2'")
    if not 1 <= block_length <= MAX_BLOCK_LENGTH:
        raise UsageError(
            f"block_length must be 1 to {MAX_BLOCK_LENGTH} bytes, not {block_length!r}",
            hint="omit block_length= for a suitable one",
        )
    max_length = MAX_STRONG_LENGTHS[hash_name]
    if not 1 <= strong_length <= max_length:
        raise UsageError(
            f"strong_length must be 1 to {max_length} bytes for {hash_name}, not {strong_length!r}",
            hint="omit strong_length= for the default",
        )
