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

from smartxfer.descriptors import Descriptor
from smartxfer.directories import Entry, SomeEntry, lstat
from smartxfer.errors import InProgress, LocalError
from smartxfer.local_errors import is_resource_error
from smartxfer.seams import Files
from smartxfer.transfer import locking
from smartxfer.transfer.digest import quick
from smartxfer.transfer.locking import Lock
from smartxfer.transfer.part_modes import OWNER, make_readable, publish, withheld, withhold
from smartxfer.transfer.part_note import PartNote, names, proof_of, stat_of, unlink, was_given_away
from smartxfer.transfer.private_files import objection_to_open, state_directory

__all__ = ["PartFile", "beside"]

log = logging.getLogger("smartxfer.transfer")

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_LONGEST_NAME = 255 - len(".0123456789ab.part.json.01234567.tmp")
_SUFFIXES = (".part", *(f".{number}.part" for number in range(2, 10)))
#: Free names in a row after which no more left-overs are looked for: runs take the first name that they can.
_MOST_FREE = 2
#: How often a partial file is looked at that other processes make and remove meanwhile.
_LOOKS = 20


class _NoLocks(Exception):
    """The file system has no locks."""


class PartFile:
    """The partial file of one target, open and locked from :meth:`open` to :meth:`close`.

    :param target: the final name, in an open directory.
    """

    def __init__(self, target: Entry, files: Files) -> None:
        self._opened: Optional[Descriptor] = None
        #: True where a later run cannot find it.
        self.once = False
        #: True for one whose side file does not name its inode: a copy, which has to be noted anew.
        self.copied = False
        self.target = target
        self._files = files
        self._warned: Set[str] = set()
        self._place(target)
        #: Device and inode.
        self._owned: List[int] = []
        #: What recognises it: start, stop and CRC-32 of its first bytes.
        self._proof: Optional[List[int]] = None
        #: Held where the file system of the target has no locks.
        self._lock: Optional[Lock] = None
        #: Of the finished file; the partial file is not writable by others.
        self._mode: Optional[int] = None

    @property
    def fd(self) -> int:
        """Return the number of the descriptor of the open file; -1 where none is open."""
        return -1 if self._opened is None else self._opened.number

    def open(self, mode: int) -> Dict[str, Any]:
        """Open and lock it; what the side file says of it, nothing for a new one.

        :param mode: of a new one.
        :raises InProgress: another process writes the same file.
        :raises LocalError: others have every name that it could have.
        :raises OSError: a state file cannot be read, or nothing can be written there.
        """
        left = self._left_over()
        try:
            saved = self._open_any([*left, *(one for one in _SUFFIXES if one not in left)], mode)
        except _NoLocks as error:
            locking.warn_once(str(self.target.path.parent), "no lock on %s: %s", self.path, error)
            self._lock = Lock.of_target(self.target.path)
            saved = self._open_any([f".{self._private()}.part"], mode)
        if saved is None:
            raise LocalError(
                f"partial files of others are in the way of {self.target}",
                hint=f"remove or rename {beside(self.target, '.part').name} ... "
                f"{beside(self.target, '.9.part').name}, or choose another directory",
            )
        for suffix in left:
            if beside(self.target, suffix) != self.path:
                self._remove_left_over(suffix)
        return saved

    def save(self, state: Dict[str, Any]) -> None:
        """Write the side file.

        :raises OSError: it cannot be written.
        """
        about: Dict[str, Any] = {"inode": self._owned, "target": self.target.name}
        if self._proof is not None:
            about["proof"] = self._proof
        if self._mode is not None and self._mode != withheld(self._mode):
            about["mode"] = self._mode
        self._note.save({**about, **state})
        self.copied = False

    def prove(self, data: Union[bytes, memoryview], offset: int) -> bool:
        """Take some bytes that were written as what recognises this partial file; False if there are some."""
        if self._proof is not None:
            return False
        self._proof = proof_of(data, offset)
        return True

    def truncate(self, size: int) -> None:
        """Shorten the open file; without the bytes that recognised it, others have to."""
        os.ftruncate(self.fd, size)
        if self._proof is not None and self._proof[1] > size:
            self._proof = None

    def reading(self) -> BinaryIO:
        """Open the partial file for reading, whatever has its name by now."""
        with Descriptor(os.dup, self.fd) as second:
            file = second.binary("rb")
        file.seek(0)
        return file

    def withhold(self) -> None:
        """Keep others from writing to the open file until it is published, and keep it open to its owner."""
        self._mode = withhold(self.fd)

    def publish(self) -> None:
        """Give the open file, which has its final name, the mode that it was made with."""
        publish(self.fd, self._mode)

    def reclaim(self) -> None:
        """Make the open file, which could not get its final name, one of this user alone again."""
        if self.fd >= 0 and hasattr(os, "fchown"):
            with contextlib.suppress(OSError):
                os.fchown(self.fd, os.geteuid(), -1)
                os.fchmod(self.fd, 0o600)

    def check(self) -> None:
        """Check that the open file is still the one of that name.

        :raises LocalError: another one is in its place.
        """
        self.path.directory.check()
        if _inode(lstat(self.path)) != self._owned:
            raise LocalError(f"another file was put in the place of {self.path}")

    def forget(self) -> None:
        """Remove the side file, unless it is of a newer partial file already."""
        with contextlib.suppress(OSError):  # it stays, and the next run writes over it
            noted = (self._note.load() or {}).get("inode")
            if isinstance(noted, list) and noted[1:] == self._owned[1:]:
                self._note.remove()

    def remove(self) -> None:
        """Remove both files, while the lock is held."""
        unlink(self.path)
        self._note.remove()

    def close(self) -> None:
        """Close it, and let others use it."""
        opened, self._opened = self._opened, None
        if opened is not None and opened.number >= 0:
            with opened, contextlib.suppress(OSError):  # a file system without locks
                locking.unlock_file(opened.number)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    # -- inside -----------------------------------------------------------------------------------------

    def _private(self) -> str:
        """A word for the name of a partial file that no other process uses at the same time."""
        try:
            if self._lock is not None and self._lock.held:
                return locking.host_tag(state_directory())
        except OSError as error:
            log.warning("cannot name this state directory: %s", error)
        locking.warn_once(str(self.target.path.parent), "%s cannot be resumed if it breaks", self.target)
        self.once = True
        return secrets.token_hex(6)

    def _place(self, entry: Entry) -> None:
        """Set the name of the partial file."""
        self.path = entry
        self._note = PartNote(entry, self._files, self._warned)

    def _left_over(self) -> List[str]:
        """Return the suffixes of the partial files that earlier runs left of this target."""
        found, free = [], 0
        for suffix in _SUFFIXES:
            part = beside(self.target, suffix)
            there = stat_of(part)
            free = free + 1 if there is None else 0
            if free == _MOST_FREE:
                break
            if there is None:
                continue
            self._place(part)
            saved = self._note.load()
            if saved and self._is_ours(saved, there):
                found.append(suffix)
        return found

    def _remove_left_over(self, suffix: str) -> None:
        """Remove another partial file of this target, unless another process writes it."""
        other = PartFile(self.target, self._files)
        other._place(beside(self.target, suffix))
        with contextlib.suppress(OSError, _NoLocks):
            there = stat_of(other.path)
            if there is not None and other._open_one(there, 0o600) is not None:
                other.remove()
        other.close()

    def _open_any(self, suffixes: Sequence[str], mode: int) -> Optional[Dict[str, Any]]:
        """Open the first that is ours or new; None when others have all names."""
        for suffix in suffixes:
            self._place(beside(self.target, suffix))
            for _ in range(_LOOKS):
                there, saved = stat_of(self.path), self._note.load()
                if saved is None:
                    self._respect(there)
                    break
                if not self._note.can_be_written():
                    break
                if there is not None and not self._is_ours(saved, there):
                    if _same_state(stat_of(self.path), there):
                        self._respect(there)
                        break
                    continue  # another process changed it while we looked
                found = self._open_one(there, mode)
                if found is not None:
                    return found
        return None

    def _respect(self, there: Optional[os.stat_result]) -> None:
        """Look whether a partial file of another user is locked; it is not changed.

        :raises InProgress: that user's process is writing the same target.
        """
        own = getattr(os, "geteuid", lambda: None)()
        if there is None or not stat.S_ISREG(there.st_mode) or own in (None, there.st_uid):
            return
        try:
            opened = self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW)
        except OSError as error:
            if is_resource_error(error):
                raise
            return
        try:
            taken = not locking.lock_file(opened.number)
        except OSError:
            taken = False
        finally:
            opened.close()
        if taken:
            raise InProgress(f"{self.target} is being written by another user's process")

    def _open_one(self, there: Optional[os.stat_result], mode: int) -> Optional[Dict[str, Any]]:
        """Open and lock a new file, or the one that is there; None when it changed meanwhile."""
        flags = os.O_RDWR | _NO_FOLLOW | (os.O_CREAT | os.O_EXCL if there is None else 0)
        try:
            self._unprotect(there)
            self._opened = self._files.open(self.path, flags, mode)
        except FileExistsError:
            return None
        except FileNotFoundError:
            if there is None:
                raise  # the directory is gone
            return None
        try:
            self._take(new=there is None)
            self._owned = _inode(os.fstat(self.fd))
            # Nobody else changes it from here on; what was read before may be out of date.
            now, saved = stat_of(self.path), self._note.load()
            good = now is not None and _inode(now) == self._owned and saved is not None
            if good and there is None:
                saved = {}
            elif good and now is not None:
                good, saved = self._recognised(saved or {}, now)
            if good:
                self._settle(saved or {}, new=there is None)
        except BaseException:
            self._opened.close()
            raise
        if not good:
            self._opened.close()
            return None
        return saved

    def _recognised(self, saved: Dict[str, Any], now: os.stat_result) -> Tuple[bool, Dict[str, Any]]:
        """Return whether the open partial file is ours, and what is noted of it."""
        if not self._is_ours(saved, now):
            return False, {}
        # With a second name: killed after it got its final one, it is not ours to change.
        if now.st_nlink > 1 or not self._is_private():
            self.remove()
            return False, {}
        if not self._note.describes(saved, now):
            return True, {}  # a side file of an earlier partial file
        self.copied = not names(saved, now)
        self._proof = saved.get("proof")
        return True, saved

    def _is_ours(self, saved: Dict[str, Any], there: os.stat_result) -> bool:
        """Return True if a partial file belongs to this target, whose runs alone write to it.

        The second partial file of ``a`` has the name of the first one of ``a.2``.
        """
        if saved.get("target", self.target.name) != self.target.name:
            return False
        return self._note.owns(saved, there) or was_given_away(saved, there, self.target)

    def _unprotect(self, there: Optional[os.stat_result]) -> None:
        """Make a partial file writable that was killed when it had the mode of its target already.

        :raises InProgress: another process is about to give it its final name.
        """
        if there is None or there.st_mode & OWNER == OWNER or not hasattr(os, "fchmod"):
            return
        if not there.st_mode & stat.S_IRUSR:
            make_readable(self.path, there)
        with self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW) as opened:
            self._lock_it(opened.number)
            if _inode(os.fstat(opened.number)) == _inode(there):
                os.fchmod(opened.number, 0o600)

    def _take(self, new: bool) -> None:
        """Lock the open file; without locks a new one is removed again."""
        try:
            self._lock_it(self.fd)
        except _NoLocks:
            if new:
                unlink(self.path)
            raise

    def _lock_it(self, fd: int) -> None:
        """Lock a file, unless the lock is in the state directory."""
        try:
            taken = self._lock is None and not locking.lock_file(fd)
        except OSError as error:
            raise _NoLocks(str(error)) from None
        if taken:
            raise InProgress(f"{self.target} is being written by another process")

    def _settle(self, saved: Dict[str, Any], new: bool) -> None:
        """Note the mode of the finished file, and make a new partial file one of this user alone."""
        mode = saved.get("mode")
        if type(mode) is int and 0 <= mode <= 0o777:
            self._mode = mode
        elif new:
            self.withhold()
            reason = objection_to_open(self.fd)
            if reason is not None:
                self.once = True
                log.warning("%s cannot be resumed if it breaks: %s: %s", self.target, self.path, reason)

    def _is_private(self) -> bool:
        reason = objection_to_open(self.fd, links=False)
        if reason is not None:
            self._note.warn(f"{self.path}: {reason}")
        return reason is None


def beside(path: SomeEntry, suffix: str) -> SomeEntry:
    """``path`` with a suffix, its stem cut where the name would grow too long."""
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > _LONGEST_NAME:
        name = raw[: _LONGEST_NAME - 9].decode("utf-8", "ignore") + f"-{quick(raw):08x}"
    return path.with_name(name + suffix)


def _inode(found: os.stat_result) -> List[int]:
    return [found.st_dev, found.st_ino]


def _same_state(now: Optional[os.stat_result], before: os.stat_result) -> bool:
    return now is not None and (_inode(now), now.st_size) == (_inode(before), before.st_size)
