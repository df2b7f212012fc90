"""Check that a zip or tar archive has arrived whole, by its own end, while its bytes arrive.

A server can end an HTTP body properly although the archive in it is cut short or lacks files.
"""

import abc
import struct
import tarfile
from typing import List, Optional, Sequence, Union

from smartxfer.errors import IntegrityError, SmartxferError, Truncated, UsageError

__all__ = ["ArchiveCheck", "TarCheck", "ZipCheck", "new_check"]

_AGAIN = "run it again, or fetch the files one by one"
_BLOCK = 512


class ArchiveCheck(abc.ABC):
    """Follows the bytes of an archive in order, and judges it at its end.

    :param name: of the archive, for messages.
    :param sizes: of the files that it must hold, in any order; None accepts any.
    """

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        self._name = name
        self._expected = None if sizes is None else sorted(sizes)
        self._total = 0

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Take the next bytes."""
        self._total += len(data)

    def finish(self) -> None:
        """Check the end of the archive, and its files.

        :raises Truncated: the archive is cut short.
        :raises IntegrityError: the archive is damaged, or lacks files.
        """
        found = self._files()
        if self._expected is None or found is None:
            return
        if len(found) != len(self._expected):
            raise IntegrityError(
                f"{self._name} holds {len(found)} files, not {len(self._expected)}", hint=_AGAIN
            )
        wrong = next((pair for pair in zip(sorted(found), self._expected) if pair[0] != pair[1]), None)
        if wrong is not None:
            raise IntegrityError(
                f"{self._name} holds a file of {wrong[0]} bytes where one of {wrong[1]} bytes was expected",
                hint=_AGAIN,
            )

    @abc.abstractmethod
    def _files(self) -> Optional[List[int]]:
        """Return the size of each file of the archive, directories left out; None where it is unknown."""

    def _cut(self, what: str) -> SmartxferError:
        return Truncated(f"{self._name} is incomplete: {what}", hint=_AGAIN, got=self._total)

    def _damaged(self, what: str) -> SmartxferError:
        return IntegrityError(f"{self._name} is damaged: {what}", hint=_AGAIN)


# -- zip ------------------------------------------------------------------------------------------------

#: What an archive begins with: its first file, or the end of one without files; in bytes of a mark.
_MARK = 4
_BEGINNINGS = frozenset({b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08"})
_END = struct.Struct("<4sHHHHIIH")
_LOCATOR = struct.Struct("<4sIQI")
_WIDE_END = struct.Struct("<4sQHHIIQQQQ")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LONGEST_COMMENT = 0xFFFF
_SATURATED = 0xFFFFFFFF
#: Bytes of the archive's end that are kept: for each file in the central directory, and at most.
_ENTRY_ROOM = 2048
_MOST_ROOM = 4 * 1024 * 1024


class ZipCheck(ArchiveCheck):
    """Checks the end record and the central directory of a zip archive.

    Only the last bytes of the archive are kept.  Where the central directory does not fit, which takes many
    thousands of files, its place and its length are checked, not its entries.
    """

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        super().__init__(name, sizes)
        room = _MOST_ROOM if sizes is None else min(_MOST_ROOM, len(sizes) * _ENTRY_ROOM)
        self._room = room + _LONGEST_COMMENT + _END.size + _LOCATOR.size + _WIDE_END.size
        self._tail = bytearray()
        self._head = bytearray()

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Take the next bytes."""
        super().feed(data)
        if len(self._head) < _MARK:
            self._head += data[: _MARK - len(self._head)]
            if len(self._head) == _MARK and bytes(self._head) not in _BEGINNINGS:
                raise self._damaged("it does not begin as a zip archive")
        self._tail += data[-self._room :] if len(data) > self._room else data
        if len(self._tail) > 2 * self._room:
            del self._tail[: -self._room]

    def _files(self) -> Optional[List[int]]:
        at = self._end_record()
        _, disk, first_disk, here, count, length, offset, _ = _END.unpack_from(self._tail, at)
        stop = at
        locator = at - _LOCATOR.size
        if locator >= 0 and self._tail[locator : locator + 4] == b"PK\x06\x07":
            stop = _LOCATOR.unpack_from(self._tail, locator)[2] - self._base
            if not 0 <= stop <= locator - _WIDE_END.size or self._tail[stop : stop + 4] != b"PK\x06\x06":
                raise self._damaged("the zip64 end record is missing")
            wide = _WIDE_END.unpack_from(self._tail, stop)
            disk, first_disk, here, count, length, offset = wide[4:]
        if (disk, first_disk, here) != (0, 0, count) or offset + length != self._base + stop:
            raise self._damaged("the end record does not fit the central directory")
        start = offset - self._base
        return self._entries(start, stop, count) if start >= 0 else None

    @property
    def _base(self) -> int:
        """Offset in the archive of the first byte that is kept."""
        return self._total - len(self._tail)

    def _end_record(self) -> int:
        """Return where in the tail the end record begins, which has to end the archive."""
        at = len(self._tail) - _END.size
        while at >= max(0, len(self._tail) - _END.size - _LONGEST_COMMENT):
            at = self._tail.rfind(b"PK\x05\x06", 0, at + 4)
            if at < 0:
                break
            if at + _END.size + _END.unpack_from(self._tail, at)[7] == len(self._tail):
                return at
            at -= 1
        raise self._cut("it does not end with a zip end record")

    def _entries(self, at: int, stop: int, count: int) -> List[int]:
        """Return the sizes of the files that the central directory lists."""
        sizes = []
        for _ in range(count):
            if at + _CENTRAL.size > stop or self._tail[at : at + 4] != b"PK\x01\x02":
                raise self._damaged("the central directory has fewer entries than the end record says")
            fields = _CENTRAL.unpack_from(self._tail, at)
            size, (name, extra, comment) = fields[9], fields[10:13]
            named = at + _CENTRAL.size + name
            at = named + extra + comment
            if at > stop:
                break
            if size == _SATURATED:
                size = self._wide_size(named, named + extra)
            if not self._tail.startswith(b"/", named - 1):
                sizes.append(size)
        if at != stop:
            raise self._damaged("the central directory does not have the length of its entries")
        return sizes

    def _wide_size(self, at: int, stop: int) -> int:
        """Return the size that the zip64 field of an entry gives: its first number."""
        while at + 4 <= stop:
            kind, length = struct.unpack_from("<HH", self._tail, at)
            if kind == 1 and length >= 8 and at + 12 <= stop:
                return int(struct.unpack_from("<Q", self._tail, at + 4)[0])
            at += 4 + length
        raise self._damaged("an entry has no zip64 size")


# -- tar ------------------------------------------------------------------------------------------------

#: Bytes of the extended header of one file.
_MOST_EXTENDED = 1024 * 1024
_OF_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_WITHOUT_CONTENT = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE}
)

#: Blocks of zeros at the end; programs fill up to the size of a record, which is some kilobytes.
_MOST_PADDING = (1 << 20) // _BLOCK


class TarCheck(ArchiveCheck):
    """Checks every header of a tar archive, and the two blocks of zeros at its end."""

    def __init__(self, name: str, sizes: Optional[Sequence[int]] = None) -> None:
        super().__init__(name, sizes)
        self._found: List[int] = []
        self._block = bytearray()  # the bytes of an incomplete block
        self._skip = 0
        self._zeros = 0
        #: Content of an extended header, while it arrives, and how many bytes of it are still to come.
        self._extended: Optional[bytearray] = None
        self._next_size: Optional[int] = None

    def feed(self, data: Union[bytes, memoryview]) -> None:
        """Take the next bytes.

        :raises IntegrityError: a header is damaged.
        """
        super().feed(data)
        view = memoryview(data)
        while view:
            if self._skip:
                taken, view = view[: self._skip], view[self._skip :]
                self._skip -= len(taken)
                if self._extended is not None:
                    self._extended += taken
                    if not self._skip:
                        self._read_extended()
                continue
            missing = _BLOCK - len(self._block)
            self._block += view[:missing]
            view = view[missing:]
            if len(self._block) == _BLOCK:
                self._header(bytes(self._block))
                self._block.clear()

    def _files(self) -> Optional[List[int]]:
        if self._zeros < 2 or self._skip or self._block:
            raise self._cut("it does not end with two blocks of zeros")
        return self._found

    def _header(self, block: bytes) -> None:
        if not any(block):
            self._zeros += 1
            if self._zeros > _MOST_PADDING:
                raise self._damaged("zeros without end follow it")
            return
        if self._zeros:
            raise self._damaged("there are bytes after the end")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._damaged(str(error)) from None
        size = info.size
        if info.type in _OF_FILES and self._next_size is not None:
            size, self._next_size = self._next_size, None
        if size < 0 or (info.type == tarfile.XHDTYPE and size > _MOST_EXTENDED):
            raise self._damaged(f"a header gives {size} bytes")
        if info.type in _OF_FILES:
            self._found.append(size)
        if info.type == tarfile.XHDTYPE and size:
            self._extended = bytearray()
        # Links, devices and directories have no content, whatever their headers say.
        self._skip = 0 if info.type in _WITHOUT_CONTENT else -(-size // _BLOCK) * _BLOCK

    def _read_extended(self) -> None:
        """Read the size that an extended header gives the next file: ``LENGTH size=NUMBER``."""
        assert self._extended is not None
        data, self._extended = bytes(self._extended).rstrip(b"\0"), None
        for record in data.split(b"\n"):
            _, _, field = record.partition(b" ")
            key, _, value = field.partition(b"=")
            if key == b"size" and value.isdigit() and len(value) < 20:
                self._next_size = int(value)


def new_check(form: str, name: str, sizes: Optional[Sequence[int]] = None) -> ArchiveCheck:
    """Return a check for an archive of the given form.

    :param form: ``"zip"`` or ``"tar"``.
    :param name: of the archive, for messages.
    :param sizes: of the files that it must hold, in bytes; None accepts any.
    """
    kinds = {"zip": ZipCheck, "tar": TarCheck}
    if form not in kinds:
        raise UsageError(f"archives are zip or tar, not {form!r}")
    return kinds[form](name, sizes)
