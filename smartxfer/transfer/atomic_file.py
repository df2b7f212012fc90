"""Atomic writing of a file that cannot be resumed: it gets its name once it is complete."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Optional, Tuple, Union

from smartxfer._system import SYSTEM_FILESYSTEM, FileSystem
from smartxfer.directories import Entry, is_directory, lstat, open_entry
from smartxfer.errors import LocalError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.local_errors import wrap_os_error
from smartxfer.os_text import resolve_target_path
from smartxfer.reprs import short_repr
from smartxfer.transfer import file_locks
from smartxfer.transfer.part_file_modes import restore_mode, restrict_file
from smartxfer.transfer.protocols import Extent
from smartxfer.transfer.target_file import check_target_file
from smartxfer.transfer.temporary_files import make_temporary_file

__all__ = ["AtomicFile"]

_MAX_COPY_SIZE = 1 << 30
#: Errors if the kernel or the file system cannot copy between two files.
_COPY_UNSUPPORTED_ERRNOS = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.EACCES}
)


class AtomicFile:
    """Writes ``path`` via a temporary file next to it, which is not resumed.

    An existing file is replaced atomically: the new one keeps its mode and, if possible, its owner and group.
    A symbolic link is followed.

    :param path: the final name.
    """

    def __init__(
        self, path: Union[str, "os.PathLike[str]"], *, files: FileSystem = SYSTEM_FILESYSTEM
    ) -> None:
        self.path: Path = resolve_target_path(path)
        self._files = files
        #: The final name in its open directory; None before begin() and after the end.
        self._target: Optional[Entry] = None
        self._temporary: Optional[Entry] = None
        self._descriptor: Optional[FileDescriptor] = None
        #: State of the file that will be replaced.
        self._replaced_stat: Optional[os.stat_result] = None
        self._kernel_copy_supported = hasattr(os, "copy_file_range")

    def __repr__(self) -> str:
        return short_repr("AtomicFile", self.path)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Create the temporary file.

        :raises LocalError: the target is a directory or a device, or cannot be written.
        """
        try:
            self._target = target = open_entry(self.path, follow=True)
            if is_directory(target):
                raise LocalError(f"{self.path} is a directory", hint="pass the path of a file")
            self._replaced_stat = check_target_file(target, self.path)
            # A file that replaces a private one must be private from its first byte on.
            mode = 0o666 if self._replaced_stat is None else 0o600
            self._temporary, self._descriptor = make_temporary_file(target.directory, mode)
        except OSError as error:
            self.suspend()
            raise wrap_os_error(error, self.path) from None
        except BaseException:
            self.suspend()
            raise
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data``."""
        view, fd = memoryview(data), self._fd
        try:
            while view:
                count = self._files.pwrite(fd, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise wrap_os_error(error, self.path) from None

    def copy_at(self, source_position: Tuple[int, int], count: int, offset: int) -> int:
        """Copy bytes of another file with ``copy_file_range``, if the system supports it.

        :param source_position: a descriptor of that file, and the offset in it.
        :return: the number of copied bytes, from 0 to ``count``.
        """
        source_fd, start = source_position
        done = 0
        while self._kernel_copy_supported and done < count:
            size = min(count - done, _MAX_COPY_SIZE)
            try:
                copied = os.copy_file_range(source_fd, self._fd, size, start + done, offset + done)
            except OSError as error:
                if error.errno not in _COPY_UNSUPPORTED_ERRNOS:
                    raise wrap_os_error(error, self.path) from None
                self._kernel_copy_supported = False
                break
            if not copied:
                break
            done += copied
        return done

    def open_nameless_file(self) -> BinaryIO:
        """Create another temporary file, without a name and on the same file system.

        :raises OSError: it cannot be created.
        """
        assert self._target is not None, "begin() comes first"
        return self._target.directory.create_anonymous_file(buffering=0)

    def commit(self) -> None:
        """Rename the temporary file to its final name.

        :raises LocalError: the temporary file was replaced by another one, or cannot be renamed.
        """
        target, part = self._target, self._temporary
        assert target is not None, "begin() comes first"
        assert part is not None
        try:
            fd, mode = self._fd, None
            target.directory.verify_not_moved()
            if not os.path.samestat(lstat(part), os.fstat(fd)):
                raise LocalError(
                    f"{part} was replaced by another file",
                    hint="run again, and let no other program write to this directory",
                )
            replaced = check_target_file(target, self.path) or self._replaced_stat
            if replaced is not None:
                self._files.copy_owner_and_mode(replaced, fd, target)
                mode = restrict_file(fd)
            if not file_locks.HAS_FLOCK:
                self._close()  # Windows cannot rename an open file
            # The lock is held until the file is renamed, because other runs remove unlocked temporary files.
            self._files.replace(part, target)
            self._temporary = None
            restore_mode(self._fd, mode)
        except OSError as error:
            raise wrap_os_error(error, self.path) from None
        finally:
            self.suspend()

    def suspend(self) -> None:
        """Remove the temporary file, unless it has been renamed."""
        self._close()
        part, self._temporary = self._temporary, None
        target, self._target = self._target, None
        if part is not None:
            with contextlib.suppress(OSError):  # a later run will remove it
                name, where = part.os_arguments()
                os.unlink(name, **where)
        if target is not None:
            target.directory.close()

    @property
    def _fd(self) -> int:
        return -1 if self._descriptor is None else self._descriptor.number

    def _close(self) -> None:
        opened, self._descriptor = self._descriptor, None
        if opened is not None:
            opened.close()
