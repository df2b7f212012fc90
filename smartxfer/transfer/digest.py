"""Digests of whole files, and the incremental checksum of a part file."""

import hashlib
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, List, Protocol, Sequence, Union

from smartxfer._system import open_binary
from smartxfer.directories import Entry
from smartxfer.errors import UsageError
from smartxfer.transfer.buffers import BLOCK_SIZE, iter_blocks
from smartxfer.transfer.crc import combine_crc32
from smartxfer.transfer.protocols import Source

__all__ = [
    "CRC32",
    "IncrementalChecksum",
    "compute_file_digest",
    "compute_source_digest",
    "compute_source_digests",
    "crc32",
    "new_hash",
]


def new_hash(algorithm: str) -> Any:
    """Return a hashlib object for ``"md5"``, ``"sha256"``, ...

    :raises UsageError: this Python does not support the algorithm.
    """
    try:
        return hashlib.new(algorithm)
    except ValueError:
        raise UsageError(
            f"unknown checksum algorithm {algorithm!r}",
            hint="pass a name of hashlib, such as 'sha256' or 'md5'",
        ) from None


def compute_file_digest(source: Union[str, Path, Entry, BinaryIO], algorithm: str = "sha256") -> str:
    """Return the hex digest of a file, which is read in blocks.

    :param source: a path, an entry of a directory, or an open binary file, which is read from its current
        position to its end.
    """
    if isinstance(source, (str, Path, Entry)):
        with open_binary(source) as file:
            return compute_file_digest(file, algorithm)
    running = new_hash(algorithm)
    buffer = bytearray(BLOCK_SIZE)
    view = memoryview(buffer)
    while True:
        count = source.readinto(buffer)  # type: ignore[attr-defined]  # BinaryIO lacks it
        if not count:
            return str(running.hexdigest())
        running.update(view[:count])


def compute_source_digest(source: Source, algorithm: str, check: Callable[[], object] = lambda: None) -> str:
    """Return the hex digest of a source, which is read in blocks.

    :param check: called before each block; raises if the call is ending.
    """
    return compute_source_digests(source, [algorithm], check)[0]


def compute_source_digests(
    source: Source, algorithms: Sequence[str], check: Callable[[], object] = lambda: None
) -> List[str]:
    """Return the hex digests of a source by several algorithms; the source is read once.

    :param check: called before each block; raises if the call is ending.
    """
    running = [new_hash(algorithm) for algorithm in algorithms]
    for block in iter_blocks(source, check=check):
        for running_hash in running:
            running_hash.update(block)
    return [str(running_hash.hexdigest()) for running_hash in running]


class IncrementalChecksum(Protocol):
    """Checksum that validates a part file before it is resumed.

    Bytes are added in pieces that begin at multiples of ``block_size``, and end there or at the end of the
    file.
    """

    block_size: int

    def update(self, checksum: int, data: Union[bytes, memoryview], offset: int) -> int:
        """Return the checksum of some bytes (0 for none) followed by ``data`` at ``offset``."""

    def combine(self, first: int, second: int, second_size: int) -> int:
        """Return the checksum of two adjacent extents from the checksum of each.

        :param second_size: number of bytes of the second extent.
        """


class _IncrementalCrc32:
    """CRC-32, which detects damage, but not a deliberate change of a part file."""

    block_size = 1

    def update(self, checksum: int, data: Union[bytes, memoryview], offset: int) -> int:
        return zlib.crc32(data, checksum)

    def combine(self, first: int, second: int, second_size: int) -> int:
        return combine_crc32(first, second, second_size)


CRC32: IncrementalChecksum = _IncrementalCrc32()


def crc32(data: Union[bytes, memoryview]) -> int:
    """Return the CRC-32, which is not collision resistant against an attacker."""
    return zlib.crc32(data)
