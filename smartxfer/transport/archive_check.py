"""Check that a zip or tar archive is complete, by its own end records, while its bytes arrive.

A server can end an HTTP body regularly although the archive in it is truncated or lacks files.
"""

import abc
import struct
import tarfile
from typing import List, Optional, Sequence, Union

from smartxfer.errors import IntegrityError, SmartxferError, Truncated, UsageError

__all__ = ["ArchiveCheck", "TarCheck", "ZipCheck", "create_archive_check"]

_RETRY_HINT = "run the call again, or download the files one by one"
_BLOCK = 512


class ArchiveCheck(abc.ABC):
    """Reads the bytes of an archive in order, and verifies its end.

    :param name: of the archive, for messages.
    :param sizes: of the files that it must contain, in any order; None accepts any files.
    """

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        self._name = name
        self._expected = None if sizes is None else sorted(sizes)
        self._total = 0

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Process the next bytes."""
        self._total += len(data)

    def verify(self) -> None:
        """Check the end of the archive, and its files.

        :raises Truncated: the archive is truncated.
        :raises IntegrityError: the archive is damaged, or lacks files.
        """
        sizes = self._file_sizes()
        if self._expected is None or sizes is None:
            return
        if len(sizes) != len(self._expected):
            raise IntegrityError(
                f"{self._name} contains {len(sizes)} files, not {len(self._expected)}", hint=_RETRY_HINT
            )
        wrong = next((pair for pair in zip(sorted(sizes), self._expected) if pair[0] != pair[1]), None)
        if wrong is not None:
            raise IntegrityError(
                f"{self._name} contains a file of {wrong[0]} bytes, expected {wrong[1]} bytes",
                hint=_RETRY_HINT,
            )

    @abc.abstractmethod
    def _file_sizes(self) -> Optional[List[int]]:
        """Return the size of each file in the archive, without directories; None if they are unknown."""

    def _truncated_error(self, reason: str) -> SmartxferError:
        return Truncated(f"{self._name} is incomplete: {reason}", hint=_RETRY_HINT, got=self._total)

    def _damaged_error(self, reason: str) -> SmartxferError:
        return IntegrityError(f"{self._name} is damaged: {reason}", hint=_RETRY_HINT)


# -- zip ------------------------------------------------------------------------------------------------

#: Length and values of the signature at the start: of the first file, or of the end of an empty archive.
_SIGNATURE_SIZE = 4
_FIRST_SIGNATURES = frozenset({b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08"})
_END_RECORD = struct.Struct("<4sHHHHIIH")
_ZIP64_LOCATOR = struct.Struct("<4sIQI")
_ZIP64_END_RECORD = struct.Struct("<4sQHHIIQQQQ")
_CENTRAL_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_MAX_COMMENT = 0xFFFF
_ZIP64_MARKER = 0xFFFFFFFF
#: Bytes at the end of the archive that are kept: per file in the central directory, and maximum.
_TAIL_BYTES_PER_ENTRY = 2048
_MAX_TAIL_BYTES = 4 * 1024 * 1024


class ZipCheck(ArchiveCheck):
    """Checks the end record and the central directory of a zip archive.

    Only the last bytes of the archive are kept in memory.  If the central directory of many thousands of
    files does not fit, only its position and length are checked, not its entries.
    """

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        super().__init__(name, sizes)
        size = _MAX_TAIL_BYTES if sizes is None else min(_MAX_TAIL_BYTES, len(sizes) * _TAIL_BYTES_PER_ENTRY)
        self._tail_size = (
            size + _MAX_COMMENT + _END_RECORD.size + _ZIP64_LOCATOR.size + _ZIP64_END_RECORD.size
        )
        self._tail = bytearray()
        self._head = bytearray()

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Process the next bytes."""
        super().feed(data)
        if len(self._head) < _SIGNATURE_SIZE:
            self._head += data[: _SIGNATURE_SIZE - len(self._head)]
            if len(self._head) == _SIGNATURE_SIZE and bytes(self._head) not in _FIRST_SIGNATURES:
                raise self._damaged_error("it does not begin as a zip archive")
        self._tail += data[-self._tail_size :] if len(data) > self._tail_size else data
        if len(self._tail) > 2 * self._tail_size:
            del self._tail[: -self._tail_size]

    def _file_sizes(self) -> Optional[List[int]]:
        at = self._find_end_record()
        _, disk, first_disk, here, count, length, offset, _ = _END_RECORD.unpack_from(self._tail, at)
        stop = at
        locator = at - _ZIP64_LOCATOR.size
        if locator >= 0 and self._tail[locator : locator + 4] == b"PK\x06\x07":
            stop = _ZIP64_LOCATOR.unpack_from(self._tail, locator)[2] - self._tail_offset
            if (
                not 0 <= stop <= locator - _ZIP64_END_RECORD.size
                or self._tail[stop : stop + 4] != b"PK\x06\x06"
            ):
                raise self._damaged_error("the zip64 end record is missing")
            wide = _ZIP64_END_RECORD.unpack_from(self._tail, stop)
            disk, first_disk, here, count, length, offset = wide[4:]
        if (disk, first_disk, here) != (0, 0, count) or offset + length != self._tail_offset + stop:
            raise self._damaged_error("the end record does not fit the central directory")
        start = offset - self._tail_offset
        return self._read_entry_sizes(start, stop, count) if start >= 0 else None

    @property
    def _tail_offset(self) -> int:
        """Offset in the archive of the first byte that is kept."""
        return self._total - len(self._tail)

    def _find_end_record(self) -> int:
        """Return the position of the end record in the tail; it must end the archive."""
        at = len(self._tail) - _END_RECORD.size
        while at >= max(0, len(self._tail) - _END_RECORD.size - _MAX_COMMENT):
            at = self._tail.rfind(b"PK\x05\x06", 0, at + 4)
            if at < 0:
                break
            if at + _END_RECORD.size + _END_RECORD.unpack_from(self._tail, at)[7] == len(self._tail):
                return at
            at -= 1
        raise self._truncated_error("it does not end with a zip end record")

    def _read_entry_sizes(self, start: int, stop: int, count: int) -> List[int]:
        """Return the sizes of the files that the central directory lists."""
        sizes = []
        for _ in range(count):
            if start + _CENTRAL_ENTRY.size > stop or self._tail[start : start + 4] != b"PK\x01\x02":
                raise self._damaged_error("the central directory has fewer entries than the end record says")
            fields = _CENTRAL_ENTRY.unpack_from(self._tail, start)
            size, (name, extra, comment) = fields[9], fields[10:13]
            named = start + _CENTRAL_ENTRY.size + name
            start = named + extra + comment
            if start > stop:
                break
            if size == _ZIP64_MARKER:
                size = self._read_zip64_size(named, named + extra)
            if not self._tail.startswith(b"/", named - 1):
                sizes.append(size)
        if start != stop:
            raise self._damaged_error("the central directory does not have the length of its entries")
        return sizes

    def _read_zip64_size(self, start: int, stop: int) -> int:
        """Return the size from the zip64 field of an entry, which is its first number."""
        while start + 4 <= stop:
            kind, length = struct.unpack_from("<HH", self._tail, start)
            if kind == 1 and length >= 8 and start + 12 <= stop:
                return int(struct.unpack_from("<Q", self._tail, start + 4)[0])
            start += 4 + length
        raise self._damaged_error("an entry has no zip64 size")


# -- tar ------------------------------------------------------------------------------------------------

#: Maximum bytes of the extended header of one file.
_MAX_EXTENDED_HEADER = 1024 * 1024
_FILE_TYPES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_TYPES_WITHOUT_CONTENT = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE}
)

#: Maximum number of zero blocks at the end; programs pad the archive to a record size of some kilobytes.
_MAX_ZERO_BLOCKS = (1 << 20) // _BLOCK


class TarCheck(ArchiveCheck):
    """Checks every header of a tar archive, and the two blocks of zeros at its end."""

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        super().__init__(name, sizes)
        self._sizes: List[int] = []
        self._partial_block = bytearray()  # the bytes of an incomplete block
        self._bytes_to_skip = 0
        self._zero_blocks = 0
        #: Content of an extended header while it arrives, and the size that it defines for the next file.
        self._extended_header: Optional[bytearray] = None
        self._next_size: Optional[int] = None

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Process the next bytes.

        :raises IntegrityError: a header is damaged.
        """
        super().feed(data)
        view = memoryview(data)
        while view:
            if self._bytes_to_skip:
                skipped, view = view[: self._bytes_to_skip], view[self._bytes_to_skip :]
                self._bytes_to_skip -= len(skipped)
                if self._extended_header is not None:
                    self._extended_header += skipped
                    if not self._bytes_to_skip:
                        self._read_extended_header()
                continue
            missing = _BLOCK - len(self._partial_block)
            self._partial_block += view[:missing]
            view = view[missing:]
            if len(self._partial_block) == _BLOCK:
                self._read_header(bytes(self._partial_block))
                self._partial_block.clear()

    def _file_sizes(self) -> Optional[List[int]]:
        if self._zero_blocks < 2 or self._bytes_to_skip or self._partial_block:
            raise self._truncated_error("it does not end with two blocks of zeros")
        return self._sizes

    def _read_header(self, block: bytes) -> None:
        if not any(block):
            self._zero_blocks += 1
            if self._zero_blocks > _MAX_ZERO_BLOCKS:
                raise self._damaged_error("too many zero blocks at the end")
            return
        if self._zero_blocks:
            raise self._damaged_error("it has bytes after its end")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._damaged_error(str(error)) from None
        size = info.size
        if info.type in _FILE_TYPES and self._next_size is not None:
            size, self._next_size = self._next_size, None
        if size < 0 or (info.type == tarfile.XHDTYPE and size > _MAX_EXTENDED_HEADER):
            raise self._damaged_error(f"invalid size {size} in a header")
        if info.type in _FILE_TYPES:
            self._sizes.append(size)
        if info.type == tarfile.XHDTYPE and size:
            self._extended_header = bytearray()
        # Links, devices and directories have no content, even if their headers contain a size.
        self._bytes_to_skip = 0 if info.type in _TYPES_WITHOUT_CONTENT else -(-size // _BLOCK) * _BLOCK

    def _read_extended_header(self) -> None:
        """Read the size of the next file from an extended header: ``LENGTH size=NUMBER``."""
        assert self._extended_header is not None
        data, self._extended_header = bytes(self._extended_header).rstrip(b"\0"), None
        for record in data.split(b"\n"):
            _, _, field = record.partition(b" ")
            key, _, value = field.partition(b"=")
            if key == b"size" and value.isdigit() and len(value) < 20:
                self._next_size = int(value)


def create_archive_check(
    archive_format: str, name: str, sizes: Optional[Sequence[int]] = None
) -> ArchiveCheck:
    """Return a check for an archive of a format.

    :param archive_format: ``"zip"`` or ``"tar"``.
    :param name: of the archive, for messages.
    :param sizes: of the files that it must contain, in bytes; None accepts any files.
    """
    kinds = {"zip": ZipCheck, "tar": TarCheck}
    if archive_format not in kinds:
        raise UsageError(
            f"unknown archive format {archive_format!r}", hint="pass archive_format='zip' or 'tar'"
        )
    return kinds[archive_format](name, sizes)
