"""Files and directories that only the user of this process can change.

What is written there is trusted by a later run: the transfer that it continues, the bytes that it does not
send again.  A file or directory that another user made, or may write to, is refused and not touched.

Systems without owners and modes of files (Windows) are asked for what they have: the kind of a file and its
number of names.
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
    """A file or directory that is not of this user alone; its text names the path and the reason."""


def state_directory() -> Path:
    """Return SMARTXFER_STATE_DIR, or the platform's directory for such things.

    :raises LocalError: the home directory is unknown, or the variable names no directory to write to.
    """
    given = os.environ.get("SMARTXFER_STATE_DIR")
    try:
        found = resolve_target_path(given) if given else get_user_directory("state")
    except UsageError as error:
        raise LocalError(f"SMARTXFER_STATE_DIR: {error.summary}", hint=error.hint) from None
    if found is None:
        raise LocalError("no home directory for the state of transfers", hint="set SMARTXFER_STATE_DIR")
    return found


def find_privacy_problem(
    found: os.stat_result, *, directory: bool = False, links: bool = True, modes: bool = True
) -> Optional[str]:
    """Return why a file or directory is not of this user alone; None where it is.

    :param directory: whether a directory is wanted, or a regular file.
    :param links: whether a second name of a file is a reason.
    :param modes: whether a mode that lets others write is a reason.
    """
    if stat.S_ISLNK(found.st_mode):
        return "it is a symbolic link"
    if directory:
        if not stat.S_ISDIR(found.st_mode):
            return "it is not a directory"
    elif not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    elif links and found.st_nlink > 1:
        return "it has a second name (hard link)"
    if not hasattr(os, "geteuid"):
        return None  # Windows
    if found.st_uid != os.geteuid():
        return f"it belongs to another user (uid {found.st_uid})"
    if modes and found.st_mode & _OTHERS_WRITE:
        return f"other users can write to it (mode {stat.S_IMODE(found.st_mode):04o}; chmod go-w)"
    return None


def find_open_file_privacy_problem(fd: int, *, links: bool = True) -> Optional[str]:
    """Return why an open file is not of this user alone; None where it is.

    A mode counts only where the file system keeps modes: one that shows 0777 of every file protects none.
    """
    found = os.fstat(fd)
    reason = find_privacy_problem(found, links=links)
    if (
        reason is not None
        and find_privacy_problem(found, links=links, modes=False) is None
        and not _supports_modes(fd)
    ):
        return None
    return reason


def _supports_modes(fd: int) -> bool:
    """Try to change the mode of an open file; it is as before afterwards."""
    before = stat.S_IMODE(os.fstat(fd).st_mode)
    try:
        os.fchmod(fd, before & ~_OTHERS_WRITE)
    except OSError:
        return False
    kept = not os.fstat(fd).st_mode & _OTHERS_WRITE
    with contextlib.suppress(OSError):
        os.fchmod(fd, before)
    return kept


def _require_private_directory(found: os.stat_result, path: Path) -> None:
    reason = find_privacy_problem(found, directory=True)
    if reason is not None:
        raise NotPrivate(f"{path}: {reason}")


def open_private(place: PathOrEntry, flags: int) -> FileDescriptor:
    """Open a file of this user alone, without following a link and without waiting; make it with mode 0600.

    :raises NotPrivate: it is not of this user alone.
    :raises OSError: it cannot be opened.
    """
    with contextlib.suppress(FileNotFoundError):  # a device is not even opened
        reason = find_privacy_problem(lstat(place), modes=False)
        if reason is not None:
            raise NotPrivate(f"{place}: {reason}")
    name, where = get_os_arguments(place)
    descriptor = open_when_lease_released(place, name, flags | _SAFE_OPEN_FLAGS, 0o600, **where)
    try:
        reason = find_open_file_privacy_problem(descriptor.number)
        if reason is not None:
            raise NotPrivate(f"{place}: {reason}")
    except BaseException:
        descriptor.close()
        raise
    return descriptor


def read_private(place: PathOrEntry) -> str:
    """Return the text of a file of this user alone.

    :raises FileNotFoundError: the file is missing.
    :raises NotPrivate: it is not of this user alone.
    :raises ValueError: it is not UTF-8.
    """
    with open_private(place, os.O_RDONLY) as descriptor, descriptor.to_text_file("r", "utf-8") as file:
        return file.read()


def write_atomic(place: PathOrEntry, text: str, files: FileSystem = SYSTEM_FILESYSTEM) -> None:
    """Write a small file in one step, readable by its owner only.

    Only one caller at a time per ``place``: what a killed one has left of its writing is written over.  Where
    others have the name of the temporary file, it gets a random one.
    """
    temporary = place.with_name(place.name + ".tmp")
    with contextlib.suppress(OSError):
        _unlink(temporary)
    try:
        descriptor = _create_file(temporary)
    except FileExistsError:
        temporary = place.with_name(f"{place.name}.{secrets.token_hex(4)}.tmp")
        descriptor = _create_file(temporary)
    try:
        with descriptor, descriptor.to_text_file("w", "utf-8") as file:
            file.write(text)
        files.replace(temporary, place)
    except BaseException:
        with contextlib.suppress(OSError):
            _unlink(temporary)
        raise


def _create_file(place: PathOrEntry) -> FileDescriptor:
    name, where = get_os_arguments(place)
    return FileDescriptor(
        os.open, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_OPEN_FLAGS, 0o600, **where
    )


def _unlink(place: PathOrEntry) -> None:
    name, where = get_os_arguments(place)
    os.unlink(name, **where)


class PrivateDirectory:
    """A directory of this user alone, open; the files in it are reached by way of its descriptor.

    :param path: where it is.
    :param make: make it if it is missing, with mode 0700, as every missing directory above it.
    :raises FileNotFoundError: it is missing.
    :raises NotPrivate: it is not of this user alone, or a symbolic link of another user leads to it.
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
        """Open the state directory, or a directory in it; both have to be of this user alone.

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
            named, where = entry.os_arguments()
            with contextlib.suppress(FileExistsError):
                os.mkdir(named, 0o700, **where)
        _require_private_directory(lstat(entry), entry.path)
        found = PrivateDirectory.__new__(PrivateDirectory)
        found.path = entry.path
        found._set_directory(self._directory.open_child(name))
        return found

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
        """Return what is known of a file, or of the link that has its name."""
        return lstat(self._directory.entry(name))

    def touch(self, name: str, fd: int) -> None:
        """Set the time of the last change of an open file to now."""
        if os.utime in os.supports_fd:
            os.utime(fd)
        else:
            os.utime(str(self.path / name))

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            _unlink(self._directory.entry(name))

    def names(self) -> List[str]:
        """Return the names in it."""
        return self._directory.list_names()

    def older_than(self, moment: float) -> Iterator[str]:
        """Yield the names of files that were last changed before a time.

        :param moment: seconds since the epoch.
        """
        for name in self.names():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
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
    """Make a directory, and those above it that are missing, for this user alone."""
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
