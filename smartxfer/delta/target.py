"""Where the bytes go: a path, by way of a temporary file beside it, or an open file."""

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Optional, Tuple, Type, Union

from smartxfer.delta.inputs import Input
from smartxfer.delta.streams import AnyFile, descriptor_of, is_path, is_text
from smartxfer.descriptors import Descriptor
from smartxfer.directories import Directory, Entry, lstat, nameless_file
from smartxfer.errors import LocalError, SourceChanged, UsageError
from smartxfer.local_errors import local_error
from smartxfer.seams import SYSTEM_FILES
from smartxfer.system_text import target_path
from smartxfer.transfer.locking import AVAILABLE
from smartxfer.transfer.temporary import make_temporary

__all__ = ["Target"]

_BUFFER = 1024 * 1024
#: Pieces of fewer bytes are gathered before they are written, and not left to the kernel to copy.
_SMALL = 64 * 1024
_MOST_AT_ONCE = 1 << 30
#: The kernel or the file system cannot do it this way.
_NOT_HERE = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.EACCES}
)


class Target:
    """A file that is written in a ``with`` block.

    A path gets its new content in one step when the block ends well, and keeps the mode and, where that is
    possible, the owner of what was there; when the block fails nothing is left.  An open file gets the bytes
    as they come.

    :raises UsageError: no binary file that can be written.
    :raises LocalError: the path is a directory or a device, or cannot be written.
    """

    def __init__(self, thing: AnyFile) -> None:
        self.written = 0
        self._file: Any = None
        self._path = ""
        #: Open while the block runs, as is the directory of both.
        self._entry: Optional[Entry] = None
        self._part: Optional[Entry] = None
        self._opened: Optional[Descriptor] = None
        self._kernel_copies = hasattr(os, "copy_file_range")
        self._buffer = memoryview(bytearray(_BUFFER))
        self._gathered = 0
        if is_path(thing):
            # A symbolic link stays one.
            self._path = os.path.realpath(str(target_path(thing)))
        elif not hasattr(thing, "write"):
            raise UsageError(f"cannot write to a {type(thing).__name__}: give a path or an open file")
        elif is_text(thing):
            raise UsageError("a file opened as text cannot take bytes", hint="open it with 'wb'")
        else:
            self._file = thing

    def nameless(self) -> BinaryIO:
        """Make a temporary file without a name, beside the path where there is one.

        :raises OSError: it cannot be made.
        """
        if self._entry is not None:
            return self._entry.directory.nameless(buffering=0)
        return nameless_file(buffering=0)

    def refuse(self, source: Input, in_place: bool = False) -> None:
        """Raise UsageError when the target is the file that ``source`` reads.

        :param in_place: a path may be, for it is replaced only when all is written.
        """
        if self._path:
            same = not in_place and source.identity is not None and source.identity == self._there()
        else:
            number = descriptor_of(self._file)
            found = None if number is None else os.fstat(number)
            same = source.is_file(self._file) or (
                found is not None and source.identity == (found.st_dev, found.st_ino)
            )
        if same:
            raise UsageError(f"{source.what} cannot be read and written over at once")

    def _there(self) -> Optional[Tuple[int, int]]:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def __enter__(self) -> "Target":
        if not self._path:
            return self
        try:
            directory = Directory(Path(self._path).parent)
            self._entry = entry = directory.at(os.path.basename(self._path))
            before = self._found(entry)
            self._part, self._opened = make_temporary(directory, 0o666 if before is None else 0o600)
            if before is not None:
                SYSTEM_FILES.copy_owner_and_mode(before, self._opened.number, entry)
        except OSError as error:
            self._discard()
            if isinstance(error, LocalError):
                raise
            raise local_error(error, self._path) from None
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._path:
            if kind is None:
                self._flush()
                if hasattr(self._file, "flush"):
                    self._guarded(self._file.flush)
            return
        if kind is not None:
            self._discard()
            return
        try:
            self._flush()
        except BaseException:
            self._discard()
            raise
        try:
            if not AVAILABLE:
                self._close()  # Windows renames no open file
            assert self._part is not None
            assert self._entry is not None
            # Its lock is held until it has its name: later runs remove unlocked ones.
            SYSTEM_FILES.replace(self._part, self._entry)
            self._part = None
        except OSError as failure:
            raise local_error(failure, self._path) from None
        finally:
            self._discard()

    @property
    def _number(self) -> int:
        return -1 if self._opened is None else self._opened.number

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _discard(self) -> None:
        self._close()
        part, self._part = self._part, None
        if part is not None:
            name, where = part.arguments()
            try:
                os.unlink(name, **where)
            except FileNotFoundError:
                pass  # someone cleaned up before us
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.directory.close()

    def _found(self, entry: Entry) -> Optional[os.stat_result]:
        """Return the state of the file that will be replaced; None where there is none.

        :raises LocalError: something else has the name.
        """
        try:
            found = lstat(entry)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise LocalError(
                f"{self._path} is not a regular file", hint="open a pipe or device and pass the open file"
            )
        return found

    def _guarded(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            raise local_error(error, self._path or "the open file") from None

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Append all of ``data``."""
        count = len(data)
        self.written += count
        if count >= _SMALL:
            self._flush()
            self._put(memoryview(data))
            return
        if self._gathered + count > _BUFFER:
            self._flush()
        self._buffer[self._gathered : self._gathered + count] = data
        self._gathered += count

    def _flush(self) -> None:
        """Write what was gathered."""
        count, self._gathered = self._gathered, 0
        self._put(self._buffer[:count])

    def _put(self, view: memoryview) -> None:
        while view:
            if self._path:
                count = self._guarded(os.write, self._number, view)
            else:
                count = self._guarded(self._file.write, view)
            if count is None:
                break  # a writer that takes all and says nothing
            view = view[count:]

    def copy(self, source: Input, position: int, length: int) -> None:
        """Append ``length`` bytes of ``source`` from ``position``; large ones by the kernel where it can."""
        self.written += length
        place = source.place(position)
        if length >= _SMALL and self._path and self._kernel_copies and place is not None:
            self._flush()
            done = self._by_kernel(place, length)
            position, length = position + done, length - done
        while length:
            if self._gathered == _BUFFER:
                self._flush()
            count = source.read_at(self._buffer[self._gathered : self._gathered + length], position)
            if not count:
                raise SourceChanged(f"{source.what} became shorter while it was read")
            self._gathered += count
            position, length = position + count, length - count

    def _by_kernel(self, place: Tuple[int, int], length: int) -> int:
        """How many bytes went without passing through this process."""
        number, offset = place
        done = 0
        while done < length:
            try:
                most = min(length - done, _MOST_AT_ONCE)
                count = os.copy_file_range(number, self._number, most, offset + done)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise local_error(error, self._path) from None
                self._kernel_copies = False
                break
            if not count:
                break
            done += count
        return done
