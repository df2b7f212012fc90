"""A file that gets its name once it is whole; of one that breaks off nothing is kept."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Optional, Tuple, Union

from smartxfer.descriptors import Descriptor
from smartxfer.directories import Entry, is_directory, lstat, open_entry
from smartxfer.errors import LocalError
from smartxfer.local_errors import local_error
from smartxfer.reprs import short_repr
from smartxfer.seams import SYSTEM_FILES, Files
from smartxfer.system_text import target_path
from smartxfer.transfer import locking
from smartxfer.transfer.part_modes import publish, withhold
from smartxfer.transfer.protocols import Extent
from smartxfer.transfer.replaced import replaced_file
from smartxfer.transfer.temporary import make_temporary

__all__ = ["WholeFile"]

_MOST_AT_ONCE = 1 << 30
#: The kernel or the file system cannot copy between these two files.
_NO_COPY = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.EACCES}
)


class WholeFile:
    """Writes ``path`` by way of a temporary file beside it, which no later run resumes.

    A file that is there already is replaced: the new one keeps its mode and, where that is possible, its
    owner and group.  A symbolic link is followed.

    :param path: the final name; it comes into being complete, in one step.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"], *, files: Files = SYSTEM_FILES) -> None:
        self.path: Path = target_path(path)
        self._files = files
        #: The final name, in its open directory; None before the begin and after the end.
        self._target: Optional[Entry] = None
        self._part: Optional[Entry] = None
        self._opened: Optional[Descriptor] = None
        #: The file that will be replaced, as it was found.
        self._before: Optional[os.stat_result] = None
        self._kernel_copies = hasattr(os, "copy_file_range")

    def __repr__(self) -> str:
        return short_repr("WholeFile", self.path)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Make the temporary file.

        :raises LocalError: the target is a directory or a device, or cannot be written.
        """
        try:
            self._target = target = open_entry(self.path, follow=True)
            if is_directory(target):
                raise LocalError(f"{self.path} is a directory", hint="give the name of a file")
            self._before = replaced_file(target, self.path)
            # What replaces a private file is private from its first byte on.
            mode = 0o666 if self._before is None else 0o600
            self._part, self._opened = make_temporary(target.directory, mode)
        except OSError as error:
            self.leave()
            raise local_error(error, self.path) from None
        except BaseException:
            self.leave()
            raise
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data``."""
        view, number = memoryview(data), self._number
        try:
            while view:
                count = self._files.pwrite(number, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise local_error(error, self.path) from None

    def copy_at(self, place: Tuple[int, int], count: int, offset: int) -> int:
        """Have the kernel copy bytes of another file, where it can.

        :param place: a descriptor of that file, and the offset in it.
        :return: how many bytes it copied, from none to ``count``.
        """
        number, start = place
        done = 0
        while self._kernel_copies and done < count:
            most = min(count - done, _MOST_AT_ONCE)
            try:
                copied = os.copy_file_range(number, self._number, most, start + done, offset + done)
            except OSError as error:
                if error.errno not in _NO_COPY:
                    raise local_error(error, self.path) from None
                self._kernel_copies = False
                break
            if not copied:
                break
            done += copied
        return done

    def nameless(self) -> BinaryIO:
        """Make another temporary file, without a name and on the same file system.

        :raises OSError: it cannot be made.
        """
        assert self._target is not None, "begin() comes first"
        return self._target.directory.nameless(buffering=0)

    def commit(self) -> None:
        """Give the file its name.

        :raises LocalError: another file is in its place, or it cannot be renamed.
        """
        target, part = self._target, self._part
        assert target is not None, "begin() comes first"
        assert part is not None
        try:
            number, mode = self._number, None
            target.directory.check()
            if not os.path.samestat(lstat(part), os.fstat(number)):
                raise LocalError(f"another file was put in the place of {part}")
            before = replaced_file(target, self.path) or self._before
            if before is not None:
                self._files.copy_owner_and_mode(before, number, target)
                mode = withhold(number)
            if not locking.AVAILABLE:
                self._close()  # Windows renames no open file
            # Its lock is held until it has its name: later runs remove unlocked ones.
            self._files.replace(part, target)
            self._part = None
            publish(self._number, mode)
        except OSError as error:
            raise local_error(error, self.path) from None
        finally:
            self.leave()

    def leave(self) -> None:
        """Remove the temporary file, if it has not got its name."""
        self._close()
        part, self._part = self._part, None
        target, self._target = self._target, None
        if part is not None:
            with contextlib.suppress(OSError):  # a later run removes it
                name, where = part.arguments()
                os.unlink(name, **where)
        if target is not None:
            target.directory.close()

    @property
    def _number(self) -> int:
        return -1 if self._opened is None else self._opened.number

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
