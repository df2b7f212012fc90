"""Part file ``name.part``, its lock, and its state file ``name.part.json``.

A part file that does not match its state file is never opened.  The directory may be shared with other users:
both files are used only if they are regular files of this user that other users cannot write to.

The lock is on the part file itself, so that it also excludes processes of other users and with other state
directories.  The system releases it when its process ends.  It is held until the file has its final name, and
only its holder writes the state file.  On a file system without locks, the name of the part file contains an
id of the host and the state directory, and the lock is in the state directory.  If that has no locks either,
the name is random, and an interrupted transfer is not resumed.
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
#: Number of consecutive free names after which the search for earlier part files ends: each run uses the
#: first possible name.
_MAX_FREE_NAMES = 2
#: Number of attempts to open a part file that other processes create and remove.
_MAX_OPEN_ATTEMPTS = 20


class _LocksUnsupported(Exception):
    """The file system does not support locks."""


class PartFile:
    """The part file of one target, open and locked from :meth:`open` to :meth:`close`.

    :param target: the final name, in an open directory.
    """

    def __init__(self, target: Entry, files: FileSystem) -> None:
        self._descriptor: Optional[FileDescriptor] = None
        #: True if a later run cannot find it.
        self.not_resumable = False
        #: True if the state file contains another inode: a copied part file, whose state must be saved again.
        self.is_copy = False
        self.target = target
        self._files = files
        self._warned: Set[str] = set()
        self._set_path(target)
        #: Device and inode.
        self._device_and_inode: List[int] = []
        #: Identifies the part file: start, stop and CRC-32 of the first bytes that were written.
        self._fingerprint: Optional[List[int]] = None
        #: Held if the file system of the target has no locks.
        self._lock: Optional[FileLock] = None
        #: Mode of the complete file; other users cannot write to the part file.
        self._final_mode: Optional[int] = None

    @property
    def fd(self) -> int:
        """File descriptor of the open file; -1 if it is closed."""
        return -1 if self._descriptor is None else self._descriptor.number

    def open(self, mode: int) -> Dict[str, Any]:
        """Open and lock the part file; return the contents of its state file, which are empty for a new file.

        :param mode: file mode of a new part file.
        :raises AlreadyInProgress: another process writes the same file.
        :raises LocalError: files of other downloads have all possible names.
        :raises OSError: a state file cannot be read, or the directory is not writable.
        """
        earlier = self._find_leftovers()
        candidates = [suffix for suffix in _SUFFIXES if suffix not in earlier]
        try:
            saved = self._open_first_usable([*earlier, *candidates], mode)
        except _LocksUnsupported as error:
            file_locks.warn_once(str(self.target.path.parent), "cannot lock %s: %s", self.path, error)
            self._lock = FileLock.for_path(self.target.path)
            saved = self._open_first_usable([f".{self._get_unique_suffix()}.part"], mode)
        if saved is None:
            first, last = (sibling_path(self.target, suffix).name for suffix in (".part", ".9.part"))
            raise LocalError(
                f"cannot create a part file for {self.target}: {first} ... {last} belong to other downloads",
                hint="remove or rename them, or choose another directory",
            )
        for suffix in earlier:
            if sibling_path(self.target, suffix) != self.path:
                self._remove_left_over(suffix)
        return saved

    def save(self, state: Dict[str, Any]) -> None:
        """Write the state file.

        :raises OSError: it cannot be written.
        """
        contents: Dict[str, Any] = {"inode": self._device_and_inode, "target": self.target.name}
        if self._fingerprint is not None:
            contents["proof"] = self._fingerprint
        if self._final_mode is not None and self._final_mode != restrict_mode(self._final_mode):
            contents["mode"] = self._final_mode
        self._state_file.save({**contents, **state})
        self.is_copy = False

    def set_fingerprint(self, data: Union[bytes, memoryview], offset: int) -> bool:
        """Use written bytes as the fingerprint of this part file; return False if it has one already."""
        if self._fingerprint is not None:
            return False
        self._fingerprint = compute_fingerprint(data, offset)
        return True

    def truncate(self, size: int) -> None:
        """Truncate the open file, and drop its fingerprint if bytes of that are removed."""
        os.ftruncate(self.fd, size)
        if self._fingerprint is not None and self._fingerprint[1] > size:
            self._fingerprint = None

    def open_for_reading(self) -> BinaryIO:
        """Open the part file for reading by its descriptor, even if its name was changed."""
        with FileDescriptor(os.dup, self.fd) as duplicate:
            file = duplicate.to_binary_file("rb")
        file.seek(0)
        return file

    def restrict_mode(self) -> None:
        """Restrict the mode of the open file to its owner, until :meth:`restore_mode`."""
        self._final_mode = restrict_file(self.fd)

    def restore_mode(self) -> None:
        """Set the final mode of the open file."""
        restore_mode(self.fd, self._final_mode)

    def restore_owner(self) -> None:
        """Make the open file private to this user again, because it could not be renamed."""
        if self.fd >= 0 and hasattr(os, "fchown"):
            with contextlib.suppress(OSError):
                os.fchown(self.fd, os.geteuid(), -1)
                os.fchmod(self.fd, 0o600)

    def check_not_replaced(self) -> None:
        """Check that the path still refers to the open file.

        :raises LocalError: it refers to another file.
        """
        self.path.directory.verify_not_moved()
        if _get_device_and_inode(lstat(self.path)) != self._device_and_inode:
            hint = "run again, and let no other program write to this directory"
            raise LocalError(f"{self.path} was replaced by another file", hint=hint)

    def remove_state_file(self) -> None:
        """Remove the state file, unless it belongs to a newer part file already."""
        with contextlib.suppress(OSError):  # the next run overwrites it
            inode = (self._state_file.load() or {}).get("inode")
            if isinstance(inode, list) and inode[1:] == self._device_and_inode[1:]:
                self._state_file.remove()

    def remove(self) -> None:
        """Remove the part file and the state file; the caller holds the lock."""
        unlink_quietly(self.path)
        self._state_file.remove()

    def close(self) -> None:
        """Close and unlock the part file."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None and opened.number >= 0:
            with opened, contextlib.suppress(OSError):  # the file system has no locks
                file_locks.unlock_file(opened.number)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    # -- internals --------------------------------------------------------------------------------------

    def _get_unique_suffix(self) -> str:
        """Return a suffix that no other process uses at the same time."""
        try:
            if self._lock is not None and self._lock.held:
                return file_locks.get_host_id(state_directory())
        except OSError as error:
            log.warning("cannot create an id of the state directory: %s", error)
        file_locks.warn_once(str(self.target.path.parent), "%s cannot be resumed later", self.target)
        self.not_resumable = True
        return secrets.token_hex(6)

    def _set_path(self, entry: Entry) -> None:
        self.path = entry
        self._state_file = PartFileState(entry, self._files, self._warned)

    def _find_leftovers(self) -> List[str]:
        """Return the suffixes of the part files that earlier runs left for this target."""
        leftovers, free = [], 0
        for suffix in _SUFFIXES:
            part = sibling_path(self.target, suffix)
            part_stat = lstat_or_none(part)
            free = free + 1 if part_stat is None else 0
            if free == _MAX_FREE_NAMES:
                break
            if part_stat is None:
                continue
            self._set_path(part)
            saved = self._state_file.load()
            if saved and self._is_ours(saved, part_stat):
                leftovers.append(suffix)
        return leftovers

    def _remove_left_over(self, suffix: str) -> None:
        """Remove another part file of this target, unless another process writes it."""
        other = PartFile(self.target, self._files)
        other._set_path(sibling_path(self.target, suffix))
        with contextlib.suppress(OSError, _LocksUnsupported):
            part_stat = lstat_or_none(other.path)
            if part_stat is not None and other._open_and_lock(part_stat, 0o600) is not None:
                other.remove()
        other.close()

    def _open_first_usable(self, suffixes: Sequence[str], mode: int) -> Optional[Dict[str, Any]]:
        """Open the first part file that is new or belongs to this target; None if all names are taken."""
        for suffix in suffixes:
            self._set_path(sibling_path(self.target, suffix))
            for _ in range(_MAX_OPEN_ATTEMPTS):
                part_stat, saved = lstat_or_none(self.path), self._state_file.load()
                if saved is None:
                    self._check_foreign_lock(part_stat)
                    break
                if not self._state_file.is_writable():
                    break
                if part_stat is not None and not self._is_ours(saved, part_stat):
                    if _is_unchanged(lstat_or_none(self.path), part_stat):
                        self._check_foreign_lock(part_stat)
                        break
                    continue  # another process changed it between the two calls
                opened = self._open_and_lock(part_stat, mode)
                if opened is not None:
                    return opened
        return None

    def _check_foreign_lock(self, part_stat: Optional[os.stat_result]) -> None:
        """Check that a part file of another user is not locked; the file is not changed.

        :raises AlreadyInProgress: a process of that user is writing the same target.
        """
        own = getattr(os, "geteuid", lambda: None)()
        if part_stat is None or not stat.S_ISREG(part_stat.st_mode) or own in (None, part_stat.st_uid):
            return
        if file_locks.is_locked(self.path, self._files):
            raise AlreadyInProgress(f"{self.target} is being written by another user's process")

    def _open_and_lock(self, part_stat: Optional[os.stat_result], mode: int) -> Optional[Dict[str, Any]]:
        """Create or open the part file and lock it; None if another process changed it at the same time."""
        flags = os.O_RDWR | _NO_FOLLOW | (os.O_CREAT | os.O_EXCL if part_stat is None else 0)
        try:
            self._make_writable(part_stat)
            self._descriptor = self._files.open(self.path, flags, mode)
        except FileExistsError:
            return None
        except FileNotFoundError:
            if part_stat is None:
                raise  # the directory was removed
            return None
        try:
            self._lock_part_file(new=part_stat is None)
            self._device_and_inode = _get_device_and_inode(os.fstat(self.fd))
            # No other process changes the files while they are locked: what was read before may be stale.
            locked_stat, saved = lstat_or_none(self.path), self._state_file.load()
            usable = locked_stat is not None and saved is not None
            usable = usable and _get_device_and_inode(locked_stat) == self._device_and_inode
            if usable and part_stat is None:
                saved = {}
            elif usable and locked_stat is not None:
                usable, saved = self._verify_identity(saved or {}, locked_stat)
            if usable:
                self._set_final_mode(saved or {}, new=part_stat is None)
        except BaseException:
            self._descriptor.close()
            raise
        if not usable:
            self._descriptor.close()
            return None
        return saved

    def _verify_identity(
        self, saved: Dict[str, Any], part_stat: os.stat_result
    ) -> Tuple[bool, Dict[str, Any]]:
        """Return True if the open part file belongs to this target, and its saved state."""
        if not self._is_ours(saved, part_stat):
            return False, {}
        # A second link exists if a process was killed after it created the final name: the part file must
        # not be changed any more.
        if part_stat.st_nlink > 1 or not self._is_private():
            self.remove()
            return False, {}
        if not self._state_file.describes(saved, part_stat):
            return True, {}  # the state file is that of an earlier part file
        self.is_copy = not has_same_inode(saved, part_stat)
        self._fingerprint = saved.get("proof")
        return True, saved

    def _is_ours(self, saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
        """Return True if a part file belongs to this target.

        The second part file of ``a`` has the same name as the first one of ``a.2``.
        """
        if saved.get("target", self.target.name) != self.target.name:
            return False
        return self._state_file.owns(saved, part_stat) or has_target_owner(saved, part_stat, self.target)

    def _make_writable(self, part_stat: Optional[os.stat_result]) -> None:
        """Make a part file writable whose process was killed after it had set the final mode.

        :raises AlreadyInProgress: another process is about to rename it.
        """
        if part_stat is None or not hasattr(os, "fchmod"):
            return
        if part_stat.st_mode & OWNER_READ_WRITE == OWNER_READ_WRITE:
            return
        if not part_stat.st_mode & stat.S_IRUSR:
            make_readable(self.path, part_stat)
        with self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW) as opened:
            self._lock_descriptor(opened.number)
            if os.path.samestat(os.fstat(opened.number), part_stat):
                os.fchmod(opened.number, 0o600)

    def _lock_part_file(self, new: bool) -> None:
        """Lock the open file; remove a new one if the file system has no locks."""
        try:
            self._lock_descriptor(self.fd)
        except _LocksUnsupported:
            if new:
                unlink_quietly(self.path)
            raise

    def _lock_descriptor(self, fd: int) -> None:
        """Lock a file, unless the lock is in the state directory."""
        try:
            locked_by_other = self._lock is None and not file_locks.lock_file(fd)
        except OSError as error:
            raise _LocksUnsupported(str(error)) from None
        if locked_by_other:
            raise AlreadyInProgress(f"{self.target} is being written by another process")

    def _set_final_mode(self, saved: Dict[str, Any], new: bool) -> None:
        """Store the mode of the complete file, and make a new part file private to this user."""
        mode = saved.get("mode")
        if type(mode) is int and 0 <= mode <= 0o777:
            self._final_mode = mode
        elif new:
            self.restrict_mode()
            reason = find_open_file_privacy_problem(self.fd)
            if reason is not None:
                self.not_resumable = True
                log.warning("%s cannot be resumed later: %s: %s", self.target, self.path, reason)

    def _is_private(self) -> bool:
        reason = find_open_file_privacy_problem(self.fd, links=False)
        if reason is not None:
            self._state_file.warn(f"{self.path}: {reason}")
        return reason is None


def sibling_path(path: PathOrEntryT, suffix: str) -> PathOrEntryT:
    """Return ``path`` with a suffix; its stem is shortened if the name would be too long."""
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > _MAX_NAME_LENGTH:
        name = raw[: _MAX_NAME_LENGTH - 9].decode("utf-8", "ignore") + f"-{crc32(raw):08x}"
    return path.with_name(name + suffix)


def _get_device_and_inode(stat_result: Optional[os.stat_result]) -> List[int]:
    return [] if stat_result is None else [stat_result.st_dev, stat_result.st_ino]


def _is_unchanged(now: Optional[os.stat_result], before: os.stat_result) -> bool:
    return now is not None and os.path.samestat(now, before) and now.st_size == before.st_size
