"""All files of a record in one zip archive, nothing compressed.

Source: NRP protocol, section 5 (download all).
"""

import struct
import time
import zlib
from typing import Iterator, List, Tuple

from smartxfer.local.exchange import Answer, Part
from smartxfer.local.nrp import entries
from smartxfer.local.nrp.answers import Broken
from smartxfer.local.nrp.call import Call, Owner
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import denied
from smartxfer.local.objects import PIECE, Objects

__all__ = ["archive"]

#: General purpose bits: 3, sizes and checksum follow the data; 11, the name is UTF-8.
_LATER, _UTF8 = 0x0008, 0x0800
#: Version that knows large files.
_VERSION = 45
_BIG = 0xFFFFFFFF


def archive(call: Call, owner: Owner) -> Answer:
    """The files that lie here, streamed, those whose parts still come included.

    :raises Refusal: 500, with a page, where a file lies elsewhere.
    """
    if not owner.readable:
        raise denied()
    backend = call.backend
    there = [entry for entry in entries.in_bucket(backend.database, owner.bucket) if entry.known]
    if any(entry.type == "R" for entry in there):
        raise Broken
    listed = [entry for entry in there if entry.spans is not None]
    length, parts = _zip(listed, backend.objects)
    headers = [
        ("Content-Disposition", f"attachment; filename={owner.id}.zip"),
        ("Content-Type", "application/zip"),
    ]
    return Answer(200, headers, parts, length)


def _zip(listed: List[Entry], objects: Objects) -> Tuple[int, Iterator[Part]]:
    """A zip archive.

    :return: its bytes in number, and its parts.
    """
    offsets, at = [], 0
    for entry in listed:
        offsets.append(at)
        at += len(_local(entry)) + entry.held + len(_after(0, 0))
    directory = at
    at += sum(len(_central(entry, 0, offset)) for entry, offset in zip(listed, offsets))
    end = _end(len(listed), at - directory, directory)

    def parts() -> Iterator[Part]:
        sums = []
        for entry in listed:
            yield _local(entry)
            crc = 0
            for span in entry.stretches(objects):
                for piece in span.pieces(PIECE):
                    crc = zlib.crc32(piece, crc)
                    yield piece
            sums.append(crc)
            yield _after(crc, entry.held)
        for entry, crc, offset in zip(listed, sums, offsets):
            yield _central(entry, crc, offset)
        yield end

    return at + len(end), parts()


def _name(entry: Entry) -> Tuple[bytes, int]:
    """Name and flags: names in ASCII need no mark."""
    name = entry.key.encode("utf-8")
    return name, _LATER if entry.key.isascii() else _LATER | _UTF8


def _stamp(entry: Entry) -> Tuple[int, int]:
    """Time and date as MS-DOS had them."""
    then = time.gmtime(max(int(entry.modified), 315532800))
    date = (then.tm_year - 1980) << 9 | then.tm_mon << 5 | then.tm_mday
    return then.tm_hour << 11 | then.tm_min << 5 | then.tm_sec // 2, date


def _local(entry: Entry) -> bytes:
    name, flags = _name(entry)
    clock, date = _stamp(entry)
    # The sizes stand behind the data, so that the extra field holds none.
    head = struct.pack(
        "<IHHHHHIIIHH", 0x04034B50, _VERSION, flags, 0, clock, date, 0, _BIG, _BIG, len(name), 20
    )
    return head + name + struct.pack("<HHQQ", 1, 16, 0, 0)


def _after(crc: int, size: int) -> bytes:
    return struct.pack("<IIQQ", 0x08074B50, crc, size, size)


def _central(entry: Entry, crc: int, offset: int) -> bytes:
    name, flags = _name(entry)
    clock, date = _stamp(entry)
    big = entry.held >= _BIG or offset >= _BIG
    extra = struct.pack("<HHQQQ", 1, 24, entry.held, entry.held, offset) if big else b""
    size, place = (_BIG, _BIG) if big else (entry.held, offset)
    head = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, _VERSION, _VERSION, flags, 0, clock, date, crc, size, size,
        len(name), len(extra), 0, 0, 0, 0, place,
    )  # fmt: skip
    return head + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if offset >= _BIG or count >= 0xFFFF:
        wide = struct.pack(
            "<IQHHIIQQQQ", 0x06064B50, 44, _VERSION, _VERSION, 0, 0, count, count, size, offset
        )
        wide += struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    short = min(count, 0xFFFF)
    return wide + struct.pack(
        "<IHHHHIIH", 0x06054B50, 0, 0, short, short, min(size, _BIG), min(offset, _BIG), 0
    )
