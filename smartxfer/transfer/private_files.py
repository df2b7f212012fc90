"""Files and directories that only the user of this process can change.

A later run trusts their contents, for example which transfer it resumes and which bytes it does not send
again.  A file or directory that belongs to another user, or that other users may write to, is neither used
nor changed.

On systems without owners and modes of files (Windows), only the type of a file and its number of links are
checked.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any, Iterator, List, Optional

from smartxfer._system import SYSTEM_FILESYSTEM, FileSystem, open_when_lease_released
from smartxfer.directories import Directory, PathOrEntry, get_os_arguments, lstat
from smartxfer.errors import LocalError, UsageError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.os_text import get_user_directory, resolve_target_path

__all__ = [
    "NotPrivate",
    "PrivateDirectory",
    "find_open_file_privacy_problem",
    "find_privacy_problem",
    "open_private",
    "read_private",
    "state_directory",
    "write_atomic",
]

_SAFE_OPEN_FLAGS = 0
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    _SAFE_OPEN_FLAGS |= getattr(os, _name, 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotPrivate(OSError):
    """A file or directory can be changed by other users; the text contains the path and the reason."""


def state_directory() -> Path:
    """Return SMARTXFER_STATE_DIR, or the state directory of the platform.

    :raises LocalError: the home directory is unknown, or the variable is not a valid path.
    """
    configured = os.environ.get("SMARTXFER_STATE_DIR")
    try:
        directory = resolve_target_path(configured) if configured else get_user_directory("state")
    except UsageError as error:
        raise LocalError(f"SMARTXFER_STATE_DIR: {error.summary}", hint=error.hint) from None
    if directory is None:
        raise LocalError("no home directory for the state directory", hint="set HOME or SMARTXFER_STATE_DIR")
    return directory


def find_privacy_problem(
    stat_result: os.stat_result, *, directory: bool = False, links: bool = True, modes: bool = True
) -> Optional[str]:
    """Return the reason why a file or directory is not private to this user; None if it is.

    :param directory: True to check for a directory, False for a regular file.
    :param links: whether a second hard link is a reason.
    :param modes: whether write permission of other users is a reason.
    """
    if stat.S_ISLNK(stat_result.st_mode):
        return "it is a symbolic link"
    if directory:
        if not stat.S_ISDIR(stat_result.st_mode):
            return "it is not a directory"
    elif not stat.S_ISREG(stat_result.st_mode):
        return "it is not a regular file"
    elif links and stat_result.st_nlink > 1:
        return "it has a second hard link"
    if not hasattr(os, "geteuid"):
        return None  # Windows
    if stat_result.st_uid != os.geteuid():
        return f"it belongs to another user (uid {stat_result.st_uid})"
    if modes and stat_result.st_mode & _OTHERS_WRITE:
        return f"other users can write to it (mode {stat.S_IMODE(stat_result.st_mode):04o}; chmod go-w)"
    return None


def find_open_file_privacy_problem(fd: int, *, links: bool = True) -> Optional[str]:
    """Return the reason why an open file is not private to this user; None if it is.

    Its mode is ignored on a file system that does not store modes, such as one that shows 0777 for all files.
    """
    stat_result = os.fstat(fd)
    reason = find_privacy_problem(stat_result, links=links)
    if (
        reason is not None
        and find_privacy_problem(stat_result, links=links, modes=False) is None
        and not _supports_modes(fd)
    ):
        return None
    return reason


def _supports_modes(fd: int) -> bool:
    """Return True if the mode of an open file can be changed; it is restored afterwards."""
    before = stat.S_IMODE(os.fstat(fd).st_mode)
    try:
        os.fchmod(fd, before & ~_OTHERS_WRITE)
    except OSError:
        return False
    changed = not os.fstat(fd).st_mode & _OTHERS_WRITE
    with contextlib.suppress(OSError):
        os.fchmod(fd, before)
    return changed


def _require_private_directory(stat_result: os.stat_result, path: Path) -> None:
    reason = find_privacy_problem(stat_result, directory=True)
    if reason is not None:
        raise NotPrivate(f"{path}: {reason}")


def open_private(path: PathOrEntry, flags: int) -> FileDescriptor:
    """Open a private file, without following a link and without blocking; a new one gets mode 0600.

    :raises NotPrivate: other users can change the file.
    :raises OSError: it cannot be opened.
    """
    with contextlib.suppress(FileNotFoundError):  # checked first, because opening a device may have effects
        reason = find_privacy_problem(lstat(path), modes=False)
        if reason is not None:
            raise NotPrivate(f"{path}: {reason}")
    name, dir_fd_args = get_os_arguments(path)
    descriptor = open_when_lease_released(path, name, flags | _SAFE_OPEN_FLAGS, 0o600, **dir_fd_args)
    try:
        reason = find_open_file_privacy_problem(descriptor.number)
        if reason is not None:
            raise NotPrivate(f"{path}: {reason}")
    except BaseException:
        descriptor.close()
        raise
    return descriptor


def read_private(path: PathOrEntry) -> str:
    """Return the text of a private file.

    :raises FileNotFoundError: the file is missing.
    :raises NotPrivate: other users can change the file.
    :raises ValueError: it is not UTF-8.
    """
    with open_private(path, os.O_RDONLY) as descriptor, descriptor.to_text_file("r", "utf-8") as file:
        return file.read()


def write_atomic(path: PathOrEntry, text: str, files: FileSystem = SYSTEM_FILESYSTEM) -> None:
    """Write a small file atomically, readable by its owner only.

    Only one caller may write a path at a time, because the temporary file of a killed process is overwritten.
    If a file of another program has that name, the temporary file gets a random name.
    """
    temporary = path.with_name(path.name + ".tmp")
    with contextlib.suppress(OSError):
        _unlink(temporary)
    try:
        descriptor = _create_file(temporary)
    except FileExistsError:
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = _create_file(temporary)
    try:
        with descriptor, descriptor.to_text_file("w", "utf-8") as file:
            file.write(text)
        files.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            _unlink(temporary)
        raise


def _create_file(path: PathOrEntry) -> FileDescriptor:
    name, dir_fd_args = get_os_arguments(path)
    return FileDescriptor(
        os.open, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_OPEN_FLAGS, 0o600, **dir_fd_args
    )


def _unlink(path: PathOrEntry) -> None:
    name, dir_fd_args = get_os_arguments(path)
    os.unlink(name, **dir_fd_args)


class PrivateDirectory:
    """An open directory that only this user can change; its files are accessed via its descriptor.

    :param path: path of the directory.
    :param make: create the directory and its missing parents with mode 0700.
    :raises FileNotFoundError: it is missing.
    :raises NotPrivate: other users can change it, or its path is a symbolic link of another user.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        self.path = path
        if make:
            _make_private_directory(path)
        link = os.lstat(str(path))
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in (getattr(os, "geteuid", lambda: 0)(), 0):
            raise NotPrivate(f"{path}: it is a symbolic link of another user (uid {link.st_uid})")
        self._set_directory(Directory(path))

    @classmethod
    def in_state_directory(cls, name: str = "", *, make: bool = False) -> "PrivateDirectory":
        """Open the state directory, or a directory in it; both must be private to this user.

        :raises LocalError: the home directory is unknown.
        """
        top = cls(state_directory(), make=make)
        if not name:
            return top
        with top:
            return top.open_subdirectory(name, make=make)

    def open_subdirectory(self, name: str, *, make: bool = False) -> "PrivateDirectory":
        """Open a directory in this one, without following a link."""
        entry = self._directory.entry(name)
        if make:
            os_name, dir_fd_args = entry.os_arguments()
            with contextlib.suppress(FileExistsError):
                os.mkdir(os_name, 0o700, **dir_fd_args)
        _require_private_directory(lstat(entry), entry.path)
        subdirectory = PrivateDirectory.__new__(PrivateDirectory)
        subdirectory.path = entry.path
        subdirectory._set_directory(self._directory.open_child(name))
        return subdirectory

    def _set_directory(self, directory: Directory) -> None:
        try:
            _require_private_directory(directory.stat(), self.path)
        except BaseException:
            directory.close()
            raise
        self._directory = directory

    def open(self, name: str, flags: int) -> FileDescriptor:
        """Open a file as :func:`open_private` does."""
        return open_private(self._directory.entry(name), flags)

    def read(self, name: str) -> str:
        """Return the text of a file as :func:`read_private` does."""
        return read_private(self._directory.entry(name))

    def write(self, name: str, text: str) -> None:
        """Write a file as :func:`write_atomic` does."""
        write_atomic(self._directory.entry(name), text)

    def stat(self, name: str) -> os.stat_result:
        """Return the stat result of a file; links are not followed."""
        return lstat(self._directory.entry(name))

    def touch(self, name: str, fd: int) -> None:
        """Set the modification time of an open file to now."""
        if os.utime in os.supports_fd:
            os.utime(fd)
        else:
            os.utime(str(self.path / name))

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        with contextlib.suppress(FileNotFoundError):
            _unlink(self._directory.entry(name))

    def names(self) -> List[str]:
        """Return the names of all entries."""
        return self._directory.list_names()

    def older_than(self, moment: float) -> Iterator[str]:
        """Yield the names of files that were last modified before a time.

        :param moment: seconds since the epoch.
        """
        for name in self.names():
            with contextlib.suppress(FileNotFoundError):  # another process has removed it
                if self.stat(name).st_mtime < moment:
                    yield name

    def close(self) -> None:
        """Close its descriptor."""
        self._directory.close()

    def __enter__(self) -> "PrivateDirectory":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def _make_private_directory(path: Path) -> None:
    """Create a directory and its missing parents with mode 0700."""
    try:
        os.mkdir(str(path), 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        if path.parent == path:
            raise
        _make_private_directory(path.parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(str(path), 0o700)
