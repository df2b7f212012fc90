"""How long a block is, and what the other numbers of a signature may be."""

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

#: What librsync and SmartFile take for a file of unknown size.
DEFAULT_BLOCK_LENGTH = 2048
#: librsync holds whole blocks in memory, and ends the process when it gets none.
MAX_BLOCK_LENGTH = 16 * 1024 * 1024
#: Bytes of the whole strong sum, by hash.
MAX_STRONG_LENGTHS = {"md4": 16, "blake2": 32}

_MIN_BLOCK_LENGTH = 256
_BLOCK_LENGTH_STEP = 128


def block_length_for(size: Optional[int]) -> int:
    """The block length that makes signature and delta together about as small as they get.

    :param size: bytes of the old file; None where it is not known.
    :return: bytes: near the square root of ``size``, a multiple of 128, at least 256; 2048 for None.
    :raises UsageError: a negative size.

    Source: SmartFile protocol, section 9.
    """
    if size is None:
        return DEFAULT_BLOCK_LENGTH
    if size < 0:
        raise UsageError(
            f"a file cannot have {size} bytes", hint="pass the number of bytes of the file, 0 or more"
        )
    return min(
        MAX_BLOCK_LENGTH, max(_MIN_BLOCK_LENGTH, math.isqrt(size) // _BLOCK_LENGTH_STEP * _BLOCK_LENGTH_STEP)
    )


def validate_lengths(block_length: int, strong_length: int, hash_name: str) -> None:
    """Refuse what no signature can have.

    :param block_length: bytes of a block, 1 to 16 MiB.
    :param strong_length: bytes kept of each strong sum, 1 to 16 (MD4) or 32 (BLAKE2).
    :param hash_name: ``"md4"`` or ``"blake2"``.
    :raises UsageError: one of them is out of range.
    """
    if hash_name not in MAX_STRONG_LENGTHS:
        raise UsageError(f"unknown hash {hash_name!r}", hint="use 'md4' or 'blake2'")
    if not 1 <= block_length <= MAX_BLOCK_LENGTH:
        raise UsageError(
            f"block_length must be 1 to {MAX_BLOCK_LENGTH} bytes, not {block_length!r}",
            hint="leave out block_length= for a suitable one",
        )
    most = MAX_STRONG_LENGTHS[hash_name]
    if not 1 <= strong_length <= most:
        raise UsageError(
            f"strong_length must be 1 to {most} bytes for {hash_name}, not {strong_length!r}",
            hint="leave out strong_length= for the whole hash",
        )
