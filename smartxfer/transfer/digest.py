"""Checksums: a whole file's, and the fast one of what a partial file holds."""

import hashlib
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, List, Protocol, Sequence, Union

from smartxfer.directories import Entry
from smartxfer.errors import UsageError
from smartxfer.seams import open_binary
from smartxfer.transfer.buffers import BLOCK, blocks_of
from smartxfer.transfer.crc import joined_crc32
from smartxfer.transfer.protocols import Source

__all__ = ["CRC32", "Check", "digest_of", "digest_of_source", "digests_of_source", "new_hash", "quick"]



def new_hash(algorithm: str) -> Any:
    """A hashlib object for ``"md5"``, ``"sha256"``, ...

    :raises UsageError: an algorithm that this Python does not know.
    """
    try:
        return hashlib.new(algorithm)
    except ValueError:
        raise UsageError(f"unknown checksum algorithm {algorithm!r}") from None


def digest_of(
    source: Union[str, Path, Entry, BinaryIO], algorithm: str = "sha256"
) -> str:
    """Hex digest of a file's bytes, read in blocks.

    :param source: a path, an entry of a directory, or an open binary file, which is read from where it stands
        to its end.
    """
    if isinstance(source, (str, Path, Entry)):
        with open_binary(source) as file:
            return digest_of(file, algorithm)
    running = new_hash(algorithm)
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    while True:
        count = source.readinto(buffer)  # type: ignore[attr-defined]  # BinaryIO lacks it
        if not count:
            return str(running.hexdigest())
        running.update(view[:count])


def digest_of_source(
    source: Source, algorithm: str, check: Callable[[], object] = lambda: None
) -> str:
    """Hex digest of a source's bytes, read in blocks.

    :param check: called before each block; raises when the call is over.
    """
    return digests_of_source(source, [algorithm], check)[0]


def digests_of_source(
    source: Source, algorithms: Sequence[str], check: Callable[[], object] = lambda: None
) -> List[str]:
    """Return the hex digests of a source's bytes by several algorithms; the bytes are read once.

    :param check: called before each block; raises when the call is over.
    """
    running = [new_hash(algorithm) for algorithm in algorithms]
    for block in blocks_of(source, check=check):
        for one in running:
            one.update(block)
    return [str(one.hexdigest()) for one in running]


class Check(Protocol):
    """What vouches for the bytes of a partial file between two runs.

    ``grain``: bytes come in pieces that begin at multiples of it, and end there or at the end of the file.
    """

    grain: int

    def add(self, running: int, data: Union[bytes, memoryview], offset: int) -> int:
        """The sum of some bytes (0: none yet) and of those that follow them at ``offset``."""

    def join(self, first: int, second: int, size: int) -> int:
        """Return the sum of two neighbouring runs, given their sums.

        :param size: bytes of the second.
        """


class _Crc32:
    """Finds a damaged partial file, not a forged one."""

    grain = 1

    def add(self, running: int, data: Union[bytes, memoryview], offset: int) -> int:
        return zlib.crc32(data, running)

    def join(self, first: int, second: int, size: int) -> int:
        return joined_crc32(first, second, size)


CRC32: Check = _Crc32()


def quick(data: Union[bytes, memoryview]) -> int:
    """CRC-32, to tell apart what is not meant to deceive."""
    return zlib.crc32(data)
