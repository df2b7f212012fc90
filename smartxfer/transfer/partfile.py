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
import json
import logging
import os
import secrets
import stat
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set

from smartxfer.errors import InProgress, LocalError
from smartxfer.seams import Files, open_binary
from smartxfer.transfer import locking
from smartxfer.transfer.digest import quick
from smartxfer.transfer.locking import Lock
from smartxfer.transfer.private_files import (
    NotPrivate,
    objection,
    objection_to_open,
    read_private,
    state_directory,
    write_whole,
)
from smartxfer.transport.json import parse_json

__all__ = ["PartFile", "beside", "unlink"]

log = logging.getLogger("smartxfer.transfer")

_VERSION = 1
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_LONGEST_NAME = 255 - len(".0123456789ab.part.json.tmp")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
#: How often a partial file is looked at that other processes make and remove meanwhile.
_LOOKS = 20


class _NoLocks(Exception):
    """The file system has no locks."""


class PartFile:
    """The partial file of one target, open and locked from :meth:`open` to :meth:`close`.

    :param target: the final name.
    """

    def __init__(self, target: Path, files: Files) -> None:
        self.fd = -1
        self.path = self.side = target
        #: True where a later run cannot find it.
        self.once = False
        self._target = target
        self._files = files
        #: Device and inode.
        self._owned: List[int] = []
        #: Held where the file system of the target has no locks.
        self._lock: Optional[Lock] = None
        #: Of the finished file; the partial file is not writable by others.
        self._mode: Optional[int] = None
        self._warned: Set[str] = set()

    def open(self, mode: int) -> Dict[str, Any]:
        """Open and lock it; what the side file says of it, nothing for a new one.

        :param mode: of a new one.
        :raises InProgress: another process writes the same file.
        :raises LocalError: others have every name that it could have.
        """
        suffixes = [".part", *(f".{number}.part" for number in range(2, 10))]
        try:
            saved = self._open_any(suffixes, mode)
        except _NoLocks as error:
            log.warning("no lock on %s: %s", self.path, error)
            self._lock = Lock.of_target(self._target)
            saved = self._open_any([f".{self._private()}.part"], mode)
        if saved is None:
            raise LocalError(f"partial files of others are in the way of {self._target}")
        return saved

    def save(self, state: Dict[str, Any]) -> None:
        """Write the side file.

        :raises OSError: it cannot be written.
        """
        about: Dict[str, Any] = {"version": _VERSION, "inode": self._owned}
        if self._mode is not None and self._mode & _OTHERS_WRITE:
            about["mode"] = self._mode
        write_whole(self.side, json.dumps({**about, **state}), self._files)

    def withhold(self) -> None:
        """Keep others from writing to the open file until it is published."""
        self._mode = stat.S_IMODE(os.fstat(self.fd).st_mode)
        if self._mode & _OTHERS_WRITE and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):  # a file system without modes
                os.fchmod(self.fd, self._mode & ~_OTHERS_WRITE)

    def publish(self) -> None:
        """Give the open file, which has its final name, the mode that it was made with."""
        if self.fd >= 0 and self._mode is not None and self._mode & _OTHERS_WRITE and hasattr(os, "fchmod"):
            with contextlib.suppress(OSError):
                os.fchmod(self.fd, self._mode)

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
        if _inode(os.lstat(str(self.path))) != self._owned:
            raise LocalError(f"another file was put in the place of {self.path}")

    def forget(self) -> None:
        """Remove the side file, unless it is of a newer partial file already."""
        if _names(self._load() or {}, self._owned[1]):
            unlink(self.side)

    def remove(self) -> None:
        """Remove both files, while the lock is held."""
        for path in (self.path, self.side):
            unlink(path)

    def close(self) -> None:
        """Close it, and let others at it."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            with contextlib.suppress(OSError):  # a file system without locks
                locking.unlock_file(fd)
            os.close(fd)
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
        log.warning("%s cannot be resumed if it breaks", self._target)
        self.once = True
        return secrets.token_hex(6)

    def _open_any(self, suffixes: Sequence[str], mode: int) -> Optional[Dict[str, Any]]:
        """Open the first that is ours or new; None when others have all names."""
        for suffix in suffixes:
            self.path = beside(self._target, suffix)
            self.side = self.path.with_name(self.path.name + ".json")
            for _ in range(_LOOKS):
                there, saved = _lstat(self.path), self._load()
                if saved is None:
                    self._respect(there)
                    break
                if not _is_note(self.side.with_name(self.side.name + ".tmp")):
                    break
                if there is not None and not self._is_ours(saved, there):
                    if _same_state(_lstat(self.path), there):
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
            fd = self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW)
        except OSError:
            return
        try:
            taken = not locking.lock_file(fd)
        except OSError:
            taken = False
        finally:
            os.close(fd)
        if taken:
            raise InProgress(f"{self._target} is being written by another user's process")

    def _open_one(self, there: Optional[os.stat_result], mode: int) -> Optional[Dict[str, Any]]:
        """Open and lock a new file, or the one that is there; None when it changed meanwhile."""
        flags = os.O_RDWR | _NO_FOLLOW | (os.O_CREAT | os.O_EXCL if there is None else 0)
        try:
            self._unprotect(there)
            self.fd = self._files.open(self.path, flags, mode)
        except (FileExistsError, FileNotFoundError):
            if not self.path.parent.is_dir():
                raise
            return None
        try:
            self._take(new=there is None)
            self._owned = _inode(os.fstat(self.fd))
            # Nobody else changes it from here on; what was read before may be out of date.
            now, saved = _lstat(self.path), self._load()
            good = now is not None and _inode(now) == self._owned and saved is not None
            if good and there is None:
                saved = {}
            elif good and now is not None:
                good = self._is_ours(saved or {}, now)
                # With a second name: killed after it got its final one, it is not ours to change.
                if good and (now.st_nlink > 1 or not self._is_private()):
                    self.remove()
                    good = False
                elif good and not _names(saved or {}, now.st_ino):
                    saved = {}  # a side file of an earlier partial file
            if good:
                self._settle(saved or {}, new=there is None)
        except BaseException:
            self._shut()
            raise
        if not good:
            self._shut()
            return None
        return saved

    def _unprotect(self, there: Optional[os.stat_result]) -> None:
        """Make a partial file writable that was killed when it had the mode of its target already.

        :raises InProgress: another process is about to give it its final name.
        """
        if there is None or there.st_mode & stat.S_IWUSR or not hasattr(os, "fchmod"):
            return
        fd = self._files.open(self.path, os.O_RDONLY | _NO_FOLLOW)
        try:
            if self._lock is None and not locking.lock_file(fd):
                raise InProgress(f"{self._target} is being written by another process")
            if _inode(os.fstat(fd)) == _inode(there):
                os.fchmod(fd, 0o600)
        finally:
            os.close(fd)

    def _take(self, new: bool) -> None:
        """Lock the open file.

        :raises InProgress: another process has it.
        :raises _NoLocks: the file system has none; a new file is removed again.
        """
        if self._lock is not None:
            return
        try:
            taken = not locking.lock_file(self.fd)
        except OSError as error:
            if new:
                unlink(self.path)
            raise _NoLocks(str(error)) from None
        if taken:
            raise InProgress(f"{self._target} is being written by another process")

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
                log.warning("%s cannot be resumed if it breaks: %s: %s", self._target, self.path, reason)

    def _is_private(self) -> bool:
        reason = objection_to_open(self.fd, links=False)
        if reason is not None:
            self._warn(f"{self.path}: {reason}")
        return reason is None

    def _is_ours(self, saved: Dict[str, Any], there: os.stat_result) -> bool:
        """Tell whether the side file owns the partial file, and the partial file is of this user."""
        if not (_names(saved, there.st_ino) or _newborn(there)):
            return False
        reason = objection(there, links=False, modes=False)
        if reason is not None:
            self._warn(f"{self.path}: {reason}")
        return reason is None

    def _warn(self, text: str) -> None:
        """Say once why a file is not used."""
        if text not in self._warned:
            self._warned.add(text)
            log.warning("a partial file is not resumed: %s", text)

    def _shut(self) -> None:
        fd, self.fd = self.fd, -1
        os.close(fd)

    def _load(self) -> Optional[Dict[str, Any]]:
        """What the side file says; empty where there is none, None where it is not ours to write."""
        try:
            saved = parse_json(read_private(self.side))
        except FileNotFoundError:
            return {}
        except NotPrivate as error:
            self._warn(str(error))
            return None
        except LocalError:
            raise  # a lease that was not given up: it is no file of others
        except (OSError, ValueError):
            return None
        if isinstance(saved, dict) and saved.get("version") == _VERSION:
            return saved
        log.warning("%s is of an unknown version and is left alone", self.side)
        return None


def beside(path: Path, suffix: str) -> Path:
    """``path`` with a suffix, its stem cut where the name would grow too long."""
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > _LONGEST_NAME:
        name = raw[: _LONGEST_NAME - 9].decode("utf-8", "ignore") + f"-{quick(raw):08x}"
    return path.with_name(name + suffix)


def unlink(path: Path) -> None:
    """Remove a file of ours; one that is gone already, or stays, is only logged."""
    try:
        path.unlink()
    except OSError as error:
        log.debug("cannot remove %s: %s", path, error)


def _inode(found: os.stat_result) -> List[int]:
    return [found.st_dev, found.st_ino]


def _lstat(path: Path) -> Optional[os.stat_result]:
    try:
        return os.lstat(str(path))
    except FileNotFoundError:
        return None


def _same_state(now: Optional[os.stat_result], before: os.stat_result) -> bool:
    return now is not None and (_inode(now), now.st_size) == (_inode(before), before.st_size)


def _is_note(path: Path) -> bool:
    """Tell whether a killed process left a file while it wrote the side file; True also without a file."""
    found = _lstat(path)
    if found is None or not stat.S_ISREG(found.st_mode):
        return found is None
    try:
        with open_binary(path) as file:
            return b'{"version": '.startswith(file.read(len('{"version": ')))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _names(saved: Dict[str, Any], inode: int) -> bool:
    """Tell whether the side file names this partial file.

    Both are in one directory; the number of its device may be another one after a restart of the system.
    """
    noted = saved.get("inode")
    return isinstance(noted, list) and noted[1:] == [inode]


def _newborn(there: os.stat_result) -> bool:
    """A run that was killed between the making of its partial file and the first note of it left this."""
    own = there.st_uid == getattr(os, "geteuid", lambda: there.st_uid)()
    return there.st_size == 0 and there.st_nlink == 1 and own
