"""Directories that are opened once; their entries are reached through the descriptor.

A directory below a download's target may be swapped for a symbolic link while files are written.  What is
written through its descriptor still goes into the directory that was checked.  On systems that cannot open
directories (Windows) each use is preceded by a check that the path still leads to the same directory.
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

#: Whether this system opens directories and takes their descriptors in place of paths.
SUPPORTS_DIR_FD = (
    {os.open, os.mkdir, os.stat, os.rename, os.link, os.unlink, os.rmdir} <= os.supports_dir_fd
    and os.listdir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)
#: A directory of mode 0300 can be written to, but not read; O_PATH opens it all the same.
_DIRECTORY_FLAGS = getattr(os, "O_PATH", os.O_RDONLY)
for _name in ("O_DIRECTORY", "O_CLOEXEC"):
    _DIRECTORY_FLAGS |= getattr(os, _name, 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
#: Flags for a file without a name; 0 where there are none (only Linux has them).
_ANONYMOUS_FILE_FLAGS = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC if hasattr(os, "O_TMPFILE") else 0
_NOT_A_DIRECTORY_ERRNOS = frozenset({errno.ENOTDIR, errno.ELOOP})
#: Bytes of a path; by way of descriptors one could make longer ones, which no other program could open.
_MAX_PATH_BYTES = os.pathconf("/", "PC_PATH_MAX") if hasattr(os, "pathconf") else 32767

#: Path, device and inode.
_PathIdentity = Tuple[str, int, int]


class Directory:
    """An open directory.

    :param path: where it is; symbolic links on the way are followed.
    :raises OSError: it is missing, not a directory, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ancestors: Tuple[_PathIdentity, ...] = ()
        self._descriptor: Optional[FileDescriptor] = None
        self._open(str(path), {}, str(path.absolute()), follow=True)

    def open_child(self, name: str, *, create: bool = False) -> "Directory":
        """Open a directory in this one.

        :param create: make it if it is missing.
        :raises UnsafeName: it is a symbolic link, or not a directory.
        """
        found = Directory.__new__(Directory)
        found.path, found._descriptor = self.path / name, None
        found._ancestors = (*self._ancestors, self._identity)
        if len(os.fsencode(str(found.path))) >= _MAX_PATH_BYTES:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(found.path))
        named, where = self.entry(name).os_arguments()
        # Not by the path: the working directory may be another one than when the first was opened.
        full = os.path.join(self._identity[0], name)
        try:
            try:
                found._open(named, where, full, follow=False)
            except FileNotFoundError:
                if not create:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(named, **where)
                found._open(named, where, full, follow=False)
        except OSError as error:
            if error.errno not in _NOT_A_DIRECTORY_ERRNOS:
                raise
            raise UnsafeName(
                f"{found.path} is not a directory of its own, and nothing is written through it",
                hint="choose an empty target directory",
            ) from None
        return found

    def open_descendant(self, relative: PurePath, *, create: bool = False) -> "Directory":
        """Open a directory below this one, or this one again; no component may be a symbolic link.

        :param create: make what is missing.
        :raises UnsafeName: ``relative`` leads out, or a component is not a directory.
        """
        if relative.is_absolute() or ".." in relative.parts:
            raise UnsafeName(f"{str(relative)!r} does not lie below a directory")
        here = self._duplicate()
        for part in relative.parts:
            with here:
                here = here.open_child(part, create=create)
        return here

    def entry(self, name: str) -> "Entry":
        """Return the entry of a name, whether it exists or not."""
        return Entry(self, name)

    def create_anonymous_file(self, buffering: int = -1) -> BinaryIO:
        """Make a temporary file without a name: a process that is killed leaves nothing of it.

        :param buffering: as ``open()`` takes it.
        :raises OSError: it cannot be made.
        """
        if self._fd is None:
            self.verify_not_moved()
            made: Any = tempfile.TemporaryFile(buffering=buffering, dir=str(self.path))  # noqa: SIM115
            return made  # type: ignore[no-any-return]
        with self._create_anonymous(self._fd) as descriptor:
            return descriptor.to_binary_file("w+b", buffering)

    def list_names(self) -> List[str]:
        """Return the names in it."""
        if self._fd is None:
            self.verify_not_moved()
            return os.listdir(str(self.path))
        with FileDescriptor(os.open, ".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd) as descriptor:
            return os.listdir(descriptor.number)

    def stat(self) -> os.stat_result:
        """Return the state of the directory itself."""
        return os.stat(str(self.path)) if self._fd is None else os.fstat(self._fd)

    def verify_not_moved(self) -> None:
        """Check that its path still leads to it.

        :raises LocalError: the directory, or one above it, was moved or replaced.
        """
        for number, (path, device, inode) in enumerate((*self._ancestors, self._identity)):
            try:
                # Where the caller's own directory is, symbolic links may lead.
                found = os.stat(path, follow_symlinks=number == 0)
            except OSError:
                found = None
            if found is None or (found.st_dev, found.st_ino) != (device, inode):
                raise LocalError(
                    f"{path} was moved or replaced while files were written into it",
                    hint="run it again, and leave the directory alone meanwhile",
                )

    def close(self) -> None:
        """Close its descriptor."""
        held, self._descriptor = self._descriptor, None
        if held is not None:
            held.close()

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @property
    def _fd(self) -> Optional[int]:
        return None if self._descriptor is None else self._descriptor.number

    def _create_anonymous(self, fd: int) -> FileDescriptor:
        """Make a file without a name in an open directory."""
        if _ANONYMOUS_FILE_FLAGS:
            with contextlib.suppress(OSError):  # a file system without such files
                return FileDescriptor(os.open, ".", _ANONYMOUS_FILE_FLAGS, 0o600, dir_fd=fd)
        name = f".smartxfer-{secrets.token_hex(8)}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        made = FileDescriptor(os.open, name, flags, 0o600, dir_fd=fd)
        with contextlib.suppress(FileNotFoundError):  # another process took it for one that was left
            os.unlink(name, dir_fd=fd)
        return made

    def _duplicate(self) -> "Directory":
        found = Directory.__new__(Directory)
        found.path, found._ancestors, found._identity = self.path, self._ancestors, self._identity
        found._descriptor = None if self._fd is None else FileDescriptor(os.dup, self._fd)
        return found

    def _open(self, name: str, dir_fd_args: Dict[str, Any], absolute_path: str, *, follow: bool) -> None:
        """Open it.

        :param absolute_path: its absolute path.
        """
        if SUPPORTS_DIR_FD:
            self._descriptor = FileDescriptor(
                os.open, name, _DIRECTORY_FLAGS | (0 if follow else _NO_FOLLOW), **dir_fd_args
            )
            found = os.fstat(self._descriptor.number)
        else:
            found = os.stat(name, follow_symlinks=follow)
            if not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        self._identity: _PathIdentity = (absolute_path, found.st_dev, found.st_ino)


class Entry:
    """A name in an open directory; as a path (``os.fspath``), where that was when it was opened."""

    __slots__ = ("directory", "name")

    def __init__(self, directory: Directory, name: str) -> None:
        if name in ("", ".", "..") or os.path.basename(name) != name:
            raise UnsafeName(f"{name!r} is not the name of an entry of {directory.path}")
        self.directory = directory
        self.name = name

    @property
    def path(self) -> Path:
        """Its path."""
        return self.directory.path / self.name

    def with_name(self, name: str) -> "Entry":
        """Return another entry of the same directory."""
        return Entry(self.directory, name)

    def os_arguments(self, prefix: str = "") -> Tuple[str, Dict[str, Any]]:
        """Return its name as the calls of ``os`` take it, and their arguments that say where it is.

        :param prefix: of ``dir_fd``, for calls with two of them: ``"src_"``.
        :raises LocalError: the directory cannot be held open, and was replaced.
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
"""A file by its path, or by its name in an open directory."""

PathOrEntryT = TypeVar("PathOrEntryT", Path, Entry)


def get_os_arguments(entry: Union[str, Path, Entry], prefix: str = "") -> Tuple[str, Dict[str, Any]]:
    """Return a path or an entry as :meth:`ConfigEntry.os_arguments` does."""
    return entry.os_arguments(prefix) if isinstance(entry, Entry) else (str(entry), {})


def lstat(entry: Union[str, PathOrEntry]) -> os.stat_result:
    """Return the state of an entry, or of the symbolic link that has its name."""
    name, where = get_os_arguments(entry)
    return os.stat(name, follow_symlinks=False, **where)


def is_directory(entry: PathOrEntry) -> bool:
    """Return True if an entry is a directory, or a symbolic link to one."""
    name, where = get_os_arguments(entry)
    try:
        return stat.S_ISDIR(os.stat(name, **where).st_mode)
    except OSError:
        return False


def open_entry(path: Path, *, follow: bool, root: Optional[Directory] = None) -> Entry:
    """Open the directory of a file, and make it if it is missing; the caller closes it.

    :param follow: whether a symbolic link in the place of the file stands for its target.
    :param root: an open directory above the file: no directory between them may be a symbolic link.
    :raises UnsafeName: a directory below the root is a symbolic link, or not a directory.
    :raises OSError: a directory cannot be made or opened.
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
    """Make a file without a name in the directory for temporary files; the caller closes it.

    :param buffering: as ``open()`` takes it.
    :raises OSError: it cannot be made.
    """
    with Directory(Path(tempfile.gettempdir())) as directory:
        return directory.create_anonymous_file(buffering)
