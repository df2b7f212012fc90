"""Streamed zip archives without compression, whose length is known before the first byte."""

import os
import struct
import time
import zlib
from typing import Iterator, List, Sequence, Tuple

import attrs

from smartxfer.local.http_messages import FileSlice, Part

# Not by zipfile: it computes an archive's length only by writing it, and the services differ in flags.
_VERSION = 45
_ZIP64_LIMIT = 0xFFFFFFFF
_PIECE = 1 << 20
#: General purpose bits: 3, sizes and checksum follow the data; 11, the name is UTF-8.
_LATER, _UTF8 = 0x0008, 0x0800


@attrs.frozen
class ZipMember:
    """A file of an archive.

    :param name: path inside the archive.
    :param size: bytes.
    :param slices: where they are stored.
    :param modified: time in seconds since 1970.
    :param always_utf8: mark the name as UTF-8 even where it is ASCII.
    """

    name: str
    size: int
    slices: Sequence[FileSlice]
    modified: float
    always_utf8: bool = False

    @property
    def missing(self) -> bool:
        """True if the file does not exist on disk, such as an empty file without an upload."""
        return not all(os.path.exists(file_slice.path) for file_slice in self.slices)

    def _common(self) -> Tuple[bytes, bytes]:
        """Return the name and the fields of both headers: flags, method, MS-DOS time and date."""
        then = time.gmtime(max(int(self.modified), 315532800))
        date = (then.tm_year - 1980) << 9 | then.tm_mon << 5 | then.tm_mday
        clock = then.tm_hour << 11 | then.tm_min << 5 | then.tm_sec // 2
        flags = _LATER if self.name.isascii() and not self.always_utf8 else _LATER | _UTF8
        return self.name.encode("utf-8"), struct.pack("<HHHH", flags, 0, clock, date)

    def local_header(self) -> bytes:
        """Return the header before the data, always in zip64 format."""
        name, common = self._common()
        head = struct.pack("<IH", 0x04034B50, _VERSION) + common
        head += struct.pack("<IIIHH", 0, _ZIP64_LIMIT, _ZIP64_LIMIT, len(name), 20)
        return head + name + struct.pack("<HHQQ", 1, 16, 0, 0)

    def descriptor(self, crc: int) -> bytes:
        """Return the descriptor after the data."""
        return struct.pack("<IIQQ", 0x08074B50, crc, self.size, self.size)

    def central_header(self, crc: int, offset: int) -> bytes:
        """Return the member's entry in the directory at the end."""
        name, common = self._common()
        big = self.size >= _ZIP64_LIMIT or offset >= _ZIP64_LIMIT
        extra = struct.pack("<HHQQQ", 1, 24, self.size, self.size, offset) if big else b""
        size, place = (_ZIP64_LIMIT, _ZIP64_LIMIT) if big else (self.size, offset)
        head = struct.pack("<IHH", 0x02014B50, _VERSION, _VERSION) + common
        head += struct.pack("<IIIHHHHHII", crc, size, size, len(name), len(extra), 0, 0, 0, 0, place)
        return head + name + extra


def zip_stream(members: List[ZipMember]) -> Tuple[int, Iterator[Part]]:
    """Return the length of an archive, and its parts; they end early if the file of a member is missing."""
    offsets, position = [], 0
    for member in members:
        offsets.append(position)
        position += len(member.local_header()) + member.size + len(member.descriptor(0))
    directory = position
    position += sum(len(member.central_header(0, offset)) for member, offset in zip(members, offsets))
    end = _end(len(members), position - directory, directory)

    def parts() -> Iterator[Part]:
        digests = []
        for member in members:
            if member.missing:
                return
            yield member.local_header()
            crc = 0
            for piece in (piece for file_slice in member.slices for piece in file_slice.pieces(_PIECE)):
                crc = zlib.crc32(piece, crc)
                yield piece
            digests.append(crc)
            yield member.descriptor(crc)
        yield from (member.central_header(*rest) for member, *rest in zip(members, digests, offsets))
        yield end

    return position + len(end), parts()


def _end(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if offset >= _ZIP64_LIMIT or count >= 0xFFFF:
        wide = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
        wide += struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    short = min(count, 0xFFFF)
    size, offset = min(size, _ZIP64_LIMIT), min(offset, _ZIP64_LIMIT)
    return wide + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, size, offset, 0)
