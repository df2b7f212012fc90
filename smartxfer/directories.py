"""Open directories, whose entries are accessed via the directory descriptor.

A directory below the target of a download may be replaced by a symbolic link while files are written.  Files
that are written via its descriptor still go to the directory that was checked.  On systems that cannot open
directories (Windows), each use first checks that the path still refers to the same directory.
"""

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Dict, List, Optional, Tuple, TypeVar, Union

from smartxfer.errors import LocalError, UnsafeName
from smartxfer.file_descriptors import FileDescriptor

__all__ = [
    "Directory",
    "Entry",
    "PathOrEntry",
    "PathOrEntryT",
    "create_anonymous_file",
    "get_os_arguments",
    "is_directory",
    "lstat",
    "open_entry",
]

#: True if this system can open directories, and accepts their descriptors as ``dir_fd``.
SUPPORTS_DIR_FD = (
    {os.open, os.mkdir, os.stat, os.rename, os.link, os.unlink, os.rmdir} <= os.supports_dir_fd
    and os.listdir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
#: O_PATH also opens a directory of mode 0300, which can be written to, but not read.
_DIRECTORY_FLAGS = getattr(os, "O_PATH", os.O_RDONLY)
for _name in ("O_DIRECTORY", "O_CLOEXEC"):
    _DIRECTORY_FLAGS |= getattr(os, _name, 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
#: Flags for a file without a name; 0 on other systems than Linux.
_ANONYMOUS_FILE_FLAGS = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC if hasattr(os, "O_TMPFILE") else 0
_NOT_A_DIRECTORY_ERRNOS = frozenset({errno.ENOTDIR, errno.ELOOP})
#: Maximum bytes of a path; longer ones could be created via descriptors, but not opened by other programs.
_MAX_PATH_BYTES = os.pathconf("/", "PC_PATH_MAX") if hasattr(os, "pathconf") else 32767

#: Path, device and inode.
_PathIdentity = Tuple[str, int, int]


class Directory:
    """An open directory.

    :param path: its path; symbolic links in it are followed.
    :raises OSError: it is missing, not a directory, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ancestors: Tuple[_PathIdentity, ...] = ()
        self._descriptor: Optional[FileDescriptor] = None
        self._open(str(path), {}, str(path.absolute()), follow=True)

    def open_child(self, name: str, *, create: bool = False) -> "Directory":
        """Open a subdirectory.

        :param create: create it if it is missing.
        :raises UnsafeName: it is a symbolic link, or not a directory.
        """
        child = Directory.__new__(Directory)
        child.path, child._descriptor = self.path / name, None
        child._ancestors = (*self._ancestors, self._identity)
        if len(os.fsencode(str(child.path))) >= _MAX_PATH_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(child.path))
        os_name, dir_fd_args = self.entry(name).os_arguments()
        # Not self.path: the working directory may have changed since the first directory was opened.
        absolute_path = os.path.join(self._identity[0], name)
        try:
            try:
                child._open(os_name, dir_fd_args, absolute_path, follow=False)
            except FileNotFoundError:
                if not create:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(os_name, **dir_fd_args)
                child._open(os_name, dir_fd_args, absolute_path, follow=False)
        except OSError as error:
            if error.errno not in _NOT_A_DIRECTORY_ERRNOS:
                raise
            raise UnsafeName(
                f"{child.path} is a symbolic link or not a directory; refusing to write through it",
                hint="choose an empty target directory",
            ) from None
        return child

    def open_descendant(self, relative: PurePath, *, create: bool = False) -> "Directory":
        """Open a directory below this one, or this one again; no component may be a symbolic link.

        :param create: create missing directories.
        :raises UnsafeName: ``relative`` leads outside, or a component is not a directory.
        """
        if relative.is_absolute() or ".." in relative.parts:
            raise UnsafeName(f"{str(relative)!r} is not a path below a directory")
        directory = self._duplicate()
        for part in relative.parts:
            with directory:
                directory = directory.open_child(part, create=create)
        return directory

    def entry(self, name: str) -> "Entry":
        """Return the entry of a name, which need not exist."""
        return Entry(self, name)

    def create_anonymous_file(self, buffering: int = -1) -> BinaryIO:
        """Create a temporary file without a name, which disappears when its process is killed.

        :param buffering: as for ``open()``.
        :raises OSError: it cannot be created.
        """
        if self._fd is None:
            self.verify_not_moved()
            file: Any = tempfile.TemporaryFile(buffering=buffering, dir=str(self.path))  # noqa: SIM115
            return file  # type: ignore[no-any-return]
        with self._create_anonymous(self._fd) as descriptor:
            return descriptor.to_binary_file("w+b", buffering)

    def list_names(self) -> List[str]:
        """Return the names of all entries."""
        if self._fd is None:
            self.verify_not_moved()
            return os.listdir(str(self.path))
        with FileDescriptor(os.open, ".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd) as descriptor:
            return os.listdir(descriptor.number)

    def stat(self) -> os.stat_result:
        """Return the stat result of the directory itself."""
        return os.stat(str(self.path)) if self._fd is None else os.fstat(self._fd)

    def verify_not_moved(self) -> None:
        """Check that the path still refers to this directory.

        :raises LocalError: the directory, or one of its parents, was moved or replaced.
        """
        for number, (path, device, inode) in enumerate((*self._ancestors, self._identity)):
            try:
                # Only the path of the caller's own directory may contain symbolic links.
                stat_result = os.stat(path, follow_symlinks=number == 0)
            except OSError:
                stat_result = None
            if stat_result is None or (stat_result.st_dev, stat_result.st_ino) != (device, inode):
                raise LocalError(
                    f"{path} was moved or replaced while files were being written to it",
                    hint="run the call again, and do not change the directory during the transfer",
                )

    def close(self) -> None:
        """Close the descriptor."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None:
            opened.close()

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @property
    def _fd(self) -> Optional[int]:
        return None if self._descriptor is None else self._descriptor.number

    def _create_anonymous(self, fd: int) -> FileDescriptor:
        """Create a file without a name in an open directory."""
        if _ANONYMOUS_FILE_FLAGS:
            with contextlib.suppress(OSError):  # the file system does not support O_TMPFILE
                return FileDescriptor(os.open, ".", _ANONYMOUS_FILE_FLAGS, 0o600, dir_fd=fd)
        name = f".smartxfer-{secrets.token_hex(8)}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        opened = FileDescriptor(os.open, name, flags, 0o600, dir_fd=fd)
        with contextlib.suppress(FileNotFoundError):  # another process removed it as a stale file
            os.unlink(name, dir_fd=fd)
        return opened

    def _duplicate(self) -> "Directory":
        copy = Directory.__new__(Directory)
        copy.path, copy._ancestors, copy._identity = self.path, self._ancestors, self._identity
        copy._descriptor = None if self._fd is None else FileDescriptor(os.dup, self._fd)
        return copy

    def _open(self, name: str, dir_fd_args: Dict[str, Any], absolute_path: str, *, follow: bool) -> None:
        if SUPPORTS_DIR_FD:
            self._descriptor = FileDescriptor(
                os.open, name, _DIRECTORY_FLAGS | (0 if follow else _NO_FOLLOW), **dir_fd_args
            )
            stat_result = os.fstat(self._descriptor.number)
        else:
            stat_result = os.stat(name, follow_symlinks=follow)
            if not stat.S_ISDIR(stat_result.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        self._identity: _PathIdentity = (absolute_path, stat_result.st_dev, stat_result.st_ino)


class Entry:
    """A name in an open directory; ``os.fspath`` returns its path when the directory was opened."""

    __slots__ = ("directory", "name")

    def __init__(self, directory: Directory, name: str) -> None:
        if name in ("", ".", "..") or os.path.basename(name) != name:
            raise UnsafeName(f"{name!r} is not a valid name in {directory.path}")
        self.directory = directory
        self.name = name

    @property
    def path(self) -> Path:
        """The path of the entry."""
        return self.directory.path / self.name

    def with_name(self, name: str) -> "Entry":
        """Return another entry of the same directory."""
        return Entry(self.directory, name)

    def os_arguments(self, prefix: str = "") -> Tuple[str, Dict[str, Any]]:
        """Return the name and the ``dir_fd`` argument for functions of ``os``.

        :param prefix: of ``dir_fd``, for functions with two of them: ``"src_"``.
        :raises LocalError: the system cannot open directories, and the directory was replaced.
        """
        fd = self.directory._fd
        if fd is not None:
            return self.name, {f"{prefix}dir_fd": fd}
        self.directory.verify_not_moved()
        return os.path.join(self.directory._identity[0], self.name), {}

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Entry({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


PathOrEntry = Union[Path, Entry]
"""A file, as a path or as an entry of an open directory."""

PathOrEntryT = TypeVar("PathOrEntryT", Path, Entry)


def get_os_arguments(entry: Union[str, Path, Entry], prefix: str = "") -> Tuple[str, Dict[str, Any]]:
    """Return the arguments of :meth:`Entry.os_arguments`, also for a path."""
    return entry.os_arguments(prefix) if isinstance(entry, Entry) else (str(entry), {})


def lstat(entry: Union[str, PathOrEntry]) -> os.stat_result:
    """Return the stat result of an entry; symbolic links are not followed."""
    name, dir_fd_args = get_os_arguments(entry)
    return os.stat(name, follow_symlinks=False, **dir_fd_args)


def is_directory(entry: PathOrEntry) -> bool:
    """Return True if an entry is a directory, or a symbolic link to one."""
    name, dir_fd_args = get_os_arguments(entry)
    try:
        return stat.S_ISDIR(os.stat(name, **dir_fd_args).st_mode)
    except OSError:
        return False


def open_entry(path: Path, *, follow: bool, root: Optional[Directory] = None) -> Entry:
    """Open the directory of a file, and create it if it is missing; the caller closes it.

    :param follow: if the file is a symbolic link, return the entry of its target.
    :param root: an open directory above the file: no directory between them may be a symbolic link.
    :raises UnsafeName: a directory below the root is a symbolic link, or not a directory.
    :raises OSError: a directory cannot be created or opened.
    """
    entry = _open_parent(path, root)
    if not follow:
        return entry
    try:
        is_link = stat.S_ISLNK(lstat(entry).st_mode)
    except FileNotFoundError:
        is_link = False
    except BaseException:
        entry.directory.close()
        raise
    if not is_link:
        return entry
    entry.directory.close()
    return _open_parent(Path(os.path.realpath(str(path))), None)


def _open_parent(path: Path, root: Optional[Directory]) -> Entry:
    if root is not None:
        inner = path.relative_to(root.path)
        return root.open_descendant(inner.parent, create=True).entry(inner.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Directory(path.parent).entry(path.name)


def create_anonymous_file(buffering: int = -1) -> BinaryIO:
    """Create a file without a name in the directory for temporary files; the caller closes it.

    :param buffering: as for ``open()``.
    :raises OSError: it cannot be created.
    """
    with Directory(Path(tempfile.gettempdir())) as directory:
        return directory.create_anonymous_file(buffering)
