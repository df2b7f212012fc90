"""The partial file ``name.part``, its lock, and ``name.part.json`` that says what is in it.

A partial file that its side file does not own is never opened.  The directory may be shared with others: both
files are used only while they are regular files of the same user that others cannot write to.

The lock is on the partial file itself, so that it binds processes of other users and with other state
directories too, and ends with its process.  It is held until the file has its final name; only its holder
writes the side file.  On a file system without locks the name of the partial file is one that only processes
with the same host and state directory use, and the lock is in the state directory.  Where that has no locks
either, the name is used once, and a broken transfer is not resumed.
"""

import contextlib
import logging
import os
import secrets
import stat
from typing import Any, BinaryIO, Dict, List, Optional, Sequence, Set, Tuple, Union

from smartxfer._system import FileSystem
from smartxfer.directories import Entry, PathOrEntryT, lstat
from smartxfer.errors import AlreadyInProgress, LocalError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.local_errors import is_resource_error
from smartxfer.transfer import file_locks
from smartxfer.transfer.digest import crc32
from smartxfer.transfer.file_locks import FileLock
from smartxfer.transfer.part_file_modes import (
    OWNER_READ_WRITE,
    make_readable,
    restore_mode,
    restrict_file,
    restrict_mode,
)
from smartxfer.transfer.part_file_state import (
    PartFileState,
    compute_fingerprint,
    has_same_inode,
    has_target_owner,
    lstat_or_none,
    unlink_quietly,
)
from smartxfer.transfer.private_files import find_open_file_privacy_problem, state_directory

__all__ = ["PartFile", "sibling_path"]

log = logging.getLogger("smartxfer.transfer")

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_MAX_NAME_LENGTH = 255 - len(".0123456789ab.part.json.01234567.tmp")
_SUFFIXES = (".part", *(f".{number}.part" for number in range(2, 10)))
#: Free names in a row after which no more left-overs are looked for: runs take the first name that they can.
_MAX_FREE_NAMES = 2
#: How often a partial file is looked at that other processes make and remove meanwhile.
_MAX_OPEN_ATTEMPTS = 20


class _LocksUnsupported(Exception):
    """The file system has no locks."""


class PartFile:
    """The partial file of one target, open and locked from :meth:`open` to :meth:`close`.

    :param target: the final name, in an open directory.
    """

    def __init__(self, target: Entry, files: FileSystem) -> None:
        self._descriptor: Optional[FileDescriptor] = None
        #: True where a later run cannot find it.
        self.not_resumable = False
        #: True for one whose side file does not name its inode: a copy, which has to be noted anew.
        self.is_copy = False
        self.target = target
        self._files = files
        self._warned: Set[str] = set()
        self._set_path(target)
        #: Device and inode.
        self._device_and_inode: List[int] = []
        #: What recognises it: start, stop and CRC-32 of its first bytes.
        self._fingerprint: Optional[List[int]] = None
        #: Held where the file system of the target has no locks.
        self._lock: Optional[FileLock] = None
        #: Of the finished file; the partial file is not writable by others.
        self._final_mode: Optional[int] = None

    @property
    def fd(self) -> int:
        """Return the number of the descriptor of the open file; -1 where none is open."""
        return -1 if self._descriptor is None else self._descriptor.number

    def open(self, mode: int) -> Dict[str, Any]:
        """Open and lock it; what the side file says of it, nothing for a new one.

        :param mode: of a new one.
        :raises AlreadyInProgress: another process writes the same file.
        :raises LocalError: others have every name that it could have.
        :raises OSError: a state file cannot be read, or nothing can be written there.
        """
        left = self._find_leftovers()
        try:
            saved = self._open_first_usable([*left, *(one for one in _SUFFIXES if one not in left)], mode)
        except _LocksUnsupported as error:
            file_locks.warn_once(str(self.target.path.parent), "no lock on %s: %s", self.path, error)
            self._lock = FileLock.for_path(self.target.path)
            saved = self._open_first_usable([f".{self._get_unique_suffix()}.part"], mode)
        if saved is None:
            raise LocalError(
                f"partial files of others are in the way of {self.target}",
                hint=f"remove or rename {sibling_path(self.target, '.part').name} ... "
                f"{sibling_path(self.target, '.9.part').name}, or choose another directory",
            )
        for suffix in left:
            if sibling_path(self.target, suffix) != self.path:
                self._remove_left_over(suffix)
        return saved

    def save(self, state: Dict[str, Any]) -> None:
        """Write the side file.

        :raises OSError: it cannot be written.
        """
        about: Dict[str, Any] = {"inode": self._device_and_inode, "target": self.target.name}
        if self._fingerprint is not None:
            about["proof"] = self._fingerprint
        if self._final_mode is not None and self._final_mode != restrict_mode(self._final_mode):
            about["mode"] = self._final_mode
        self._state_file.save({**about, **state})
        self.is_copy = False

    def set_fingerprint(self, data: Union[bytes, memoryview], offset: int) -> bool:
        """Take some bytes that were written as what recognises this partial file; False if there are some."""
        if self._fingerprint is not None:
            return False
        self._fingerprint = compute_fingerprint(data, offset)
        return True

    def truncate(self, size: int) -> None:
        """Shorten the open file; without the bytes that recognised it, others have to."""
        os.ftruncate(self.fd, size)
        if self._fingerprint is not None and self._fingerprint[1] > size:
            self._fingerprint = None

    def open_for_reading(self) -> BinaryIO:
        """Open the partial file for reading, whatever has its name by now."""
        with FileDescriptor(os.dup, self.fd) as second:
            file = second.to_binary_file("rb")
        file.seek(0)
        return file

    def restrict_mode(self) -> None:
        """Keep others from writing to the open file until it is published, and keep it open to its owner."""
        self._final_mode = restrict_file(self.fd)

    def restore_mode(self) -> None:
        """Give the open file, which has its final name, the mode that it was made with."""
        restore_mode(self.fd, self._final_mode)

    def restore_owner(self) -> None:
        """Make the open file, which could not get its final name, one of this user alone again."""
        if self.fd >= 0 and hasattr(os, "fchown"):
            with contextlib.suppress(OSError):
                os.fchown(self.fd, os.geteuid(), -1)
                os.fchmod(self.fd, 0o600)

    def check_not_replaced(self) -> None:
        """Check that the open file is still the one of that name.

        :raises LocalError: another one is in its place.
        """
        self.path.directory.verify_not_moved()
        if _get_device_and_inode(lstat(self.path)) != self._device_and_inode:
            raise LocalError(
                f"another file was put in the place of {self.path}",
                hint="run again, and let no other program write to this directory",
            )

    def remove_state_file(self) -> None:
        """Remove the side file, unless it is of a newer partial file already."""
        with contextlib.suppress(OSError):  # it stays, and the next run writes over it
            noted = (self._state_file.load() or {}).get("inode")
            if isinstance(noted, list) and noted[1:] == self._device_and_inode[1:]:
                self._state_file.remove()

    def remove(self) -> None:
        """Remove both files, while the lock is held."""
        unlink_quietly(self.path)
        self._state_file.remove()

    def close(self) -> None:
        """Close it, and let others use it."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None and opened.number >= 0:
            with opened, contextlib.suppress(OSError):  # a file system without locks
                file_locks.unlock_file(opened.number)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    # -- inside -----------------------------------------------------------------------------------------

    def _get_unique_suffix(self) -> str:
        """A word for the name of a partial file that no other process uses at the same time."""
        try:
            if self._lock is not None and self._lock.held:
                return file_locks.get_host_id(state_directory())
        except OSError as error:
            log.warning("cannot name this state directory: %s", error)
        file_locks.warn_once(str(self.target.path.parent), "%s cannot be resumed if it breaks", self.target)
        self.not_resumable = True
        return secrets.token_hex(6)

    def _set_path(self, entry: Entry) -> None:
        """Set the name of the partial file."""
        self.path = entry
        self._state_file = PartFileState(entry, self._files, self._warned)

    def _find_leftovers(self) -> List[str]:
        """Return the suffixes of the partial files that earlier runs left of this target."""
        found, free = [], 0
        for suffix in _SUFFIXES:
            part = sibling_path(self.target, suffix)
            there = lstat_or_none(part)
            free = free + 1 if there is None else 0
            if free == _MAX_FREE_NAMES:
                break
            if there is None:
                continue
            self._set_path(part)
            saved = self._state_file.load()
            if saved and self._is_ours(saved, there):
                found.append(suffix)
        return found

    def _remove_left_over(self, suffix: str) -> None:
        """Remove another partial file of this target, unless another process writes it."""
        other = PartFile(self.target, self._files)
        other._set_path(sibling_path(self.target, suffix))
        with contextlib.suppress(OSError, _LocksUnsupported):
            there = lstat_or_none(other.path)
            if there is not None and other._open_and_lock(there, 0o600) is not None:
                other.remove()
        other.close()

    def _open_first_usable(self, suffixes: Sequence[str], mode: int) -> Optional[Dict[str, Any]]:
        """Open the first that is ours or new; None when others have all names."""
        for suffix in suffixes:
            self._set_path(sibling_path(self.target, suffix))
            for _ in range(_MAX_OPEN_ATTEMPTS):
                there, saved = lstat_or_none(self.path), self._state_file.load()
                if saved is None:
                    self._check_foreign_lock(there)
                    break
                if not self._state_file.is_writable():
                    break
                if there is not None and not self._is_ours(saved, there):
                    if _is_unchanged(lstat_or_none(self.path), there):
                        self._check_foreign_lock(there)
                        break
                    continue  # another process changed it while we looked
                found = self._open_and_lock(there, mode)
                if found is not None:
                    return found
        return None

    def _check_foreign_lock(self, part_stat: Optional[os.stat_result]) -> None:
        """Look whether a partial file of another user is locked; it is not changed.

        :raises AlreadyInProgress: that user's process is writing the same target.
        """
        own = getattr(os, "geteuid", lambda: None)()
        if part_stat is None or not stat.S_ISREG(part_stat.st_mode) or own in (None, part_stat.st_uid):
            return
        try:
            opened = self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW)
        except OSError as error:
            if is_resource_error(error):
                raise
            return
        try:
            taken = not file_locks.lock_file(opened.number)
        except OSError:
            taken = False
        finally:
            opened.close()
        if taken:
            raise AlreadyInProgress(f"{self.target} is being written by another user's process")

    def _open_and_lock(self, part_stat: Optional[os.stat_result], mode: int) -> Optional[Dict[str, Any]]:
        """Open and lock a new file, or the one that is there; None when it changed meanwhile."""
        flags = os.O_RDWR | _NO_FOLLOW | (os.O_CREAT | os.O_EXCL if part_stat is None else 0)
        try:
            self._make_writable(part_stat)
            self._descriptor = self._files.open(self.path, flags, mode)
        except FileExistsError:
            return None
        except FileNotFoundError:
            if part_stat is None:
                raise  # the directory is gone
            return None
        try:
            self._lock_part_file(new=part_stat is None)
            self._device_and_inode = _get_device_and_inode(os.fstat(self.fd))
            # Nobody else changes it from here on; what was read before may be out of date.
            now, saved = lstat_or_none(self.path), self._state_file.load()
            good = (
                now is not None and _get_device_and_inode(now) == self._device_and_inode and saved is not None
            )
            if good and part_stat is None:
                saved = {}
            elif good and now is not None:
                good, saved = self._verify_identity(saved or {}, now)
            if good:
                self._set_final_mode(saved or {}, new=part_stat is None)
        except BaseException:
            self._descriptor.close()
            raise
        if not good:
            self._descriptor.close()
            return None
        return saved

    def _verify_identity(
        self, saved: Dict[str, Any], part_stat: os.stat_result
    ) -> Tuple[bool, Dict[str, Any]]:
        """Return whether the open partial file is ours, and what is noted of it."""
        if not self._is_ours(saved, part_stat):
            return False, {}
        # With a second name: killed after it got its final one, it is not ours to change.
        if part_stat.st_nlink > 1 or not self._is_private():
            self.remove()
            return False, {}
        if not self._state_file.describes(saved, part_stat):
            return True, {}  # a side file of an earlier partial file
        self.is_copy = not has_same_inode(saved, part_stat)
        self._fingerprint = saved.get("proof")
        return True, saved

    def _is_ours(self, saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
        """Return True if a partial file belongs to this target, whose runs alone write to it.

        The second partial file of ``a`` has the name of the first one of ``a.2``.
        """
        if saved.get("target", self.target.name) != self.target.name:
            return False
        return self._state_file.owns(saved, part_stat) or has_target_owner(saved, part_stat, self.target)

    def _make_writable(self, part_stat: Optional[os.stat_result]) -> None:
        """Make a partial file writable that was killed when it had the mode of its target already.

        :raises AlreadyInProgress: another process is about to give it its final name.
        """
        if (
            part_stat is None
            or part_stat.st_mode & OWNER_READ_WRITE == OWNER_READ_WRITE
            or not hasattr(os, "fchmod")
        ):
            return
        if not part_stat.st_mode & stat.S_IRUSR:
            make_readable(self.path, part_stat)
        with self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW) as opened:
            self._lock_descriptor(opened.number)
            if _get_device_and_inode(os.fstat(opened.number)) == _get_device_and_inode(part_stat):
                os.fchmod(opened.number, 0o600)

    def _lock_part_file(self, new: bool) -> None:
        """Lock the open file; without locks a new one is removed again."""
        try:
            self._lock_descriptor(self.fd)
        except _LocksUnsupported:
            if new:
                unlink_quietly(self.path)
            raise

    def _lock_descriptor(self, fd: int) -> None:
        """Lock a file, unless the lock is in the state directory."""
        try:
            taken = self._lock is None and not file_locks.lock_file(fd)
        except OSError as error:
            raise _LocksUnsupported(str(error)) from None
        if taken:
            raise AlreadyInProgress(f"{self.target} is being written by another process")

    def _set_final_mode(self, saved: Dict[str, Any], new: bool) -> None:
        """Note the mode of the finished file, and make a new partial file one of this user alone."""
        mode = saved.get("mode")
        if type(mode) is int and 0 <= mode <= 0o777:
            self._final_mode = mode
        elif new:
            self.restrict_mode()
            reason = find_open_file_privacy_problem(self.fd)
            if reason is not None:
                self.not_resumable = True
                log.warning("%s cannot be resumed if it breaks: %s: %s", self.target, self.path, reason)

    def _is_private(self) -> bool:
        reason = find_open_file_privacy_problem(self.fd, links=False)
        if reason is not None:
            self._state_file.warn(f"{self.path}: {reason}")
        return reason is None


def sibling_path(path: PathOrEntryT, suffix: str) -> PathOrEntryT:
    """``path`` with a suffix, its stem cut where the name would grow too long."""
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > _MAX_NAME_LENGTH:
        name = raw[: _MAX_NAME_LENGTH - 9].decode("utf-8", "ignore") + f"-{crc32(raw):08x}"
    return path.with_name(name + suffix)


def _get_device_and_inode(found: os.stat_result) -> List[int]:
    return [found.st_dev, found.st_ino]


def _is_unchanged(now: Optional[os.stat_result], before: os.stat_result) -> bool:
    return now is not None and (_get_device_and_inode(now), now.st_size) == (
        _get_device_and_inode(before),
        before.st_size,
    )
