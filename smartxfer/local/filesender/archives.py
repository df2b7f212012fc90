"""Zip and tar of several files, with a length that is known before the first byte.

Source: FileSender protocol, section 8.2.
"""

import os
import struct
import tarfile
import time
import zlib
from typing import Iterator, List, Tuple

import attrs

from smartxfer.local.exchange import Part, Span

__all__ = ["Entry", "tar", "zip_stored"]

_PIECE = 256 << 10
_BIG = 0xFFFFFFFF


@attrs.frozen
class Entry:
    """A file of an archive.

    :param name: path inside the archive.
    :param path: where the bytes lie.
    :param size: bytes.
    """

    name: str
    path: str
    size: int

    @property
    def missing(self) -> bool:
        """Return whether nothing is on disk, as of an empty file."""
        return not os.path.exists(self.path)


def tar(entries: List[Entry], moment: int) -> Tuple[int, Iterator[Part]]:
    """A tar archive.

    :param moment: time of every entry, seconds since 1970.
    :return: its bytes in number, and its parts.
    """
    heads = []
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.size, info.mtime = entry.size, moment
        heads.append(info.tobuf(tarfile.PAX_FORMAT))
    length = sum(len(head) for head in heads) + 1024
    length += sum(entry.size + -entry.size % 512 for entry in entries)

    def parts() -> Iterator[Part]:
        for head, entry in zip(heads, entries):
            if entry.missing:
                return
            yield head
            yield Span(entry.path, 0, entry.size)
            yield bytes(-entry.size % 512)
        yield bytes(1024)

    return length, parts()


def zip_stored(entries: List[Entry], moment: int) -> Tuple[int, Iterator[Part]]:
    """A zip archive, nothing compressed; checksums follow the data, as they are not known before.

    :param moment: time of every entry, seconds since 1970.
    :return: its bytes in number, and its parts.
    """
    names = [entry.name.encode("utf-8") for entry in entries]
    stamp = _dos_time(moment)
    offsets, at = [], 0
    for name, entry in zip(names, entries):
        offsets.append(at)
        at += len(_local(name, stamp)) + entry.size + 24
    directory = at
    for name, entry, offset in zip(names, entries, offsets):
        at += len(_central(name, stamp, entry.size, 0, offset))
    end = _end(len(entries), at - directory, directory)

    def parts() -> Iterator[Part]:
        sums = []
        for name, entry in zip(names, entries):
            if entry.missing:
                return
            yield _local(name, stamp)
            crc = 0
            for piece in Span(entry.path, 0, entry.size).pieces(_PIECE):
                crc = zlib.crc32(piece, crc)
                yield piece
            sums.append(crc)
            yield struct.pack("<IIQQ", 0x08074B50, crc, entry.size, entry.size)
        for name, entry, offset, crc in zip(names, entries, offsets, sums):
            yield _central(name, stamp, entry.size, crc, offset)
        yield end

    return at + len(end), parts()


def _dos_time(moment: int) -> int:
    then = time.gmtime(max(moment, 315532800))
    date = (then.tm_year - 1980) << 9 | then.tm_mon << 5 | then.tm_mday
    return date << 16 | then.tm_hour << 11 | then.tm_min << 5 | then.tm_sec // 2


# General purpose bits: 3, checksum follows the data; 11, the name is UTF-8.
_FLAGS = 0x0808


def _local(name: bytes, stamp: int) -> bytes:
    # Always in the form for 4 GiB and more, also in the checksum after the data.
    extra = struct.pack("<HHQQ", 1, 16, 0, 0)
    return (
        struct.pack(
            "<IHHHIIIIHH",
            0x04034B50,
            45,
            _FLAGS,
            0,
            stamp,
            0,
            _BIG,
            _BIG,
            len(name),
            len(extra),
        )
        + name
        + extra
    )


def _central(name: bytes, stamp: int, size: int, crc: int, offset: int) -> bytes:
    big = size >= _BIG or offset >= _BIG
    extra = struct.pack("<HHQQQ", 1, 24, size, size, offset) if big else b""
    shown = _BIG if big else size
    return (
        struct.pack(
            "<IHHHHIIIIHHHHHII",
            0x02014B50,
            45,
            45,
            _FLAGS,
            0,
            stamp,
            crc,
            shown,
            shown,
            len(name),
            len(extra),
            0,
            0,
            0,
            0,
            _BIG if big else offset,
        )
        + name
        + extra
    )


def _end(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if offset >= _BIG or count >= 0xFFFF:
        wide = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
        wide += struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    short = min(count, 0xFFFF)
    return wide + struct.pack(
        "<IHHHHIIH", 0x06054B50, 0, 0, short, short, min(size, _BIG), min(offset, _BIG), 0
    )
