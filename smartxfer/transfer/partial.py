"""A file on its way: ``name.part`` and, beside it, ``name.part.json`` that says what is in it.

The side file names the object, its size, the inode of the partial file and the checksummed extents written
so far.  A partial file that the side file does not own is never opened.  Checksums are checked before
anything is built upon, so that a tail lost in a crash is fetched again.
"""

import contextlib
import json
import logging
import os
import stat
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from smartxfer.errors import LocalError
from smartxfer.seams import SYSTEM_CLOCK, SYSTEM_FILES, Clock, Files
from smartxfer.transfer.digest import CRC32, Check, digest_of, quick
from smartxfer.transfer.disk import local_error, refuse_mount_point
from smartxfer.transfer.journal import Lock, write_whole
from smartxfer.transfer.protocols import Extent
from smartxfer.transport.json import parse_json

__all__ = ["FileSink"]

log = logging.getLogger("smartxfer.transfer")

_VERSION = 1
_SAVE_EVERY = 1.0
_BLOCK = 1024 * 1024
#: Bytes that a side file may need on a full disk.
_NOTE_ROOM = 64 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_LONGEST_NAME = 255 - len(".9.part.json.tmp")


class FileSink:
    """Writes ``path`` by way of a partial file, which a later run goes on from.

    A file that is there already is replaced: the new one keeps its mode and, where that is possible, its
    owner and group.

    :param path: the final name; it comes into being complete, in one step.
    :param follow: replace the target of a symbolic link; False replaces the link itself.
    """

    sequential = False

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        *,
        follow: bool = True,
        files: Files = SYSTEM_FILES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = Path(os.fsdecode(os.fspath(path))).expanduser()
        # What vouches for the bytes of the partial file; only changed before it is begun.
        self.check: Check = CRC32
        self._files = files
        self._clock = clock
        self._follow = follow
        self._fd = -1
        #: The path itself, or where the symbolic link leads.
        self._target = self._part = self._side = self.path
        #: The file that will be replaced, as it was found.
        self._before: Optional[os.stat_result] = None
        #: Device and inode of the partial file.
        self._owned: List[int] = []
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: stop -> (start, checksum) of each run of bytes written.
        self._runs: Dict[int, Tuple[int, int]] = {}
        self._mutex = threading.Lock()
        #: Held while the side file is written; taken before the other.
        self._saving = threading.Lock()
        self._saved_at = clock.monotonic()
        self._lock: Optional[Lock] = None

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Extent]:
        """Take the lock, find what an earlier run left, and check it.

        :raises InProgress: another process writes the same file.
        :raises LocalError: the target is a directory or a device, or cannot be written.
        """
        if self.path.is_dir():
            raise LocalError(f"{self.path} is a directory", hint="give the name of a file")
        self._size, self._identity = size, identity
        try:
            if self._follow and self.path.is_symlink():
                self._target = Path(os.path.realpath(str(self.path)))
            self._before = self._look()
        except OSError as error:
            raise local_error(error, self.path) from None
        self._lock = Lock.of_target(self._target)
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            for number in range(1, 10):
                self._part = _beside(self._target, ".part" if number == 1 else f".{number}.part")
                self._side = self._part.with_name(self._part.name + ".json")
                if self._open():
                    self._warn_of_space()
                    return [(start, stop) for stop, (start, _) in self._runs.items()]
            raise LocalError(f"partial files of others stand beside {self.path}")
        except OSError as error:
            self.leave()
            raise local_error(error, self.path) from None

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` and take it into account."""
        view, at = memoryview(data), offset
        try:
            while view:
                count = self._files.pwrite(self._fd, view[:_BLOCK], at)
                view, at = view[count:], at + count
        except OSError as error:
            raise local_error(error, self.path) from None
        with self._mutex:
            start, before = self._runs.pop(offset, (offset, 0))
        checksum = self.check.add(before, data, offset)
        with self._mutex:
            self._runs[at] = (start, checksum)
            due = self._clock.monotonic() - self._saved_at >= _SAVE_EVERY
        if due:
            self._save()

    def restart(self) -> None:
        """Empty the partial file."""
        with self._mutex:
            self._runs.clear()
        os.ftruncate(self._fd, 0)

    def digest(self, algorithm: str) -> str:
        """Hex digest of the partial file."""
        return digest_of(self._part, algorithm)

    def commit(self) -> None:
        """Check the length and give the file its name."""
        try:
            there = os.fstat(self._fd)
            if self._size is not None and there.st_size != self._size:
                raise LocalError(f"{self._part} holds {there.st_size} bytes, not {self._size}")
            if _inode(os.lstat(str(self._part))) != self._owned:
                raise LocalError(f"another file was put in the place of {self._part}")
            self._before = self._look() or self._before
            if self._before is not None:
                self._files.copy_owner_and_mode(self._before, self._fd)
            self._close()
            self._files.replace(self._part, self._target)
        except OSError as error:
            self._save()
            raise local_error(error, self.path) from None
        finally:
            self._unlock()
        _unlink(self._side)

    def leave(self) -> None:
        """Save what is there for a later run; an empty partial file is not kept."""
        if self._fd >= 0:
            if self._runs:
                if not self._save():
                    self._make_room()
                    self._save()
            else:
                for path in (self._part, self._side):
                    _unlink(path)
            self._close()
        self._unlock()

    def _look(self) -> Optional[os.stat_result]:
        """The file that will be replaced; None where the name is free, or a link is to be replaced.

        :raises LocalError: something else has the name, or the file is a mount point.
        """
        try:
            found = os.lstat(str(self._target))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(found.st_mode) and not self._follow:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise LocalError(f"{self.path} is not a regular file", hint="pass an open file: open(path, 'wb')")
        refuse_mount_point(self._target)
        return found

    # -- the partial file -------------------------------------------------------------------------------

    def _open(self) -> bool:
        """Open our partial file, or a new one; False when the name is taken by another's."""
        saved = self._load()
        if saved is None:
            return False
        self._runs = {}
        try:
            there = os.lstat(str(self._part))
        except FileNotFoundError:
            # What replaces a private file is private from its first byte on.
            mode = 0o666 if self._before is None else 0o600
            self._fd = self._files.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, mode)
            self._owned = _inode(os.fstat(self._fd))
            self._save()
            return True
        ours = saved.get("inode") == _inode(there) or _newborn(saved, there)
        if not (ours and stat.S_ISREG(there.st_mode)):
            return False
        self._fd = self._files.open(self._part, os.O_RDWR | _NO_FOLLOW)
        self._owned = _inode(os.fstat(self._fd))
        if self._owned != _inode(there):
            self._close()
            return False
        if not saved:
            self._save()
        elif saved.get("identity") == self._identity and saved.get("size") == self._size:
            self._runs = self._checked(saved.get("runs"), there.st_size)
        else:
            os.ftruncate(self._fd, 0)
        return True

    def _load(self) -> Optional[Dict[str, Any]]:
        """What the side file says; empty where there is none, None where it is not ours to write."""
        try:
            saved = parse_json(self._side.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            return None
        if isinstance(saved, dict) and saved.get("version") == _VERSION:
            return saved
        log.warning("%s is of an unknown version and is left alone", self._side)
        return None

    def _save(self) -> bool:
        with self._saving:
            return self._write_side()

    def _write_side(self) -> bool:
        with self._mutex:
            self._saved_at = self._clock.monotonic()
            runs = [[start, stop, checksum] for stop, (start, checksum) in self._runs.items()]
        state = {
            "version": _VERSION,
            "inode": self._owned,
            "identity": self._identity,
            "size": self._size,
            "runs": runs,
        }
        try:
            write_whole(self._side, json.dumps(state), self._files)
        except OSError as error:
            log.warning("cannot note how far %s is: %s", self.path, error)
            return False
        return True

    def _make_room(self) -> None:
        """Give up the last bytes of the partial file: on a full disk the note about the others needs room."""
        with self._mutex, contextlib.suppress(OSError):  # a failing disk costs the resume, no more
            last = max(self._runs)
            start, noted = self._runs.pop(last)
            keep = max(start, (last - _NOTE_ROOM) // self.check.grain * self.check.grain)
            kept = self._checksum(start, keep)
            good = kept is not None and self._checksum(keep, last, kept) == noted
            os.ftruncate(self._fd, keep)
            if kept is not None and good and keep > start:
                self._runs[keep] = (start, kept)

    def _checked(self, runs: Any, length: int) -> Dict[int, Tuple[int, int]]:
        """Those of the noted runs whose bytes are really there."""
        good = {}
        for run in runs if isinstance(runs, list) else ():
            try:
                start, stop, checksum = map(int, run)
            except (TypeError, ValueError, OverflowError):
                continue
            if not 0 <= start < stop <= length:
                continue
            if self._checksum(start, stop) == checksum:
                good[stop] = (start, checksum)
            else:
                log.warning("bytes %d to %d of %s are damaged and are fetched again", start, stop, self._part)
        return good

    def _checksum(self, start: int, stop: int, found: int = 0) -> Optional[int]:
        """The checksum of the bytes [start, stop); None where some of them are not there.

        :param found: that of the bytes before them.
        """
        at = start
        os.lseek(self._fd, start, os.SEEK_SET)
        step = max(_BLOCK // self.check.grain, 1) * self.check.grain
        while at < stop:
            wanted, data = min(step, stop - at), b""
            while len(data) < wanted:
                more = os.read(self._fd, wanted - len(data))
                if not more:
                    return None
                data += more
            found, at = self.check.add(found, data, at), at + wanted
        return found

    def _warn_of_space(self) -> None:
        if self._size is None:
            return
        free = self._files.free_space(self._target.parent)
        needed = self._size - sum(stop - start for stop, (start, _) in self._runs.items())
        if needed > free:
            log.warning("%s needs %d bytes and %d are free", self.path, needed, free)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _beside(path: Path, suffix: str) -> Path:
    """``path`` with a suffix, its stem cut where the name would grow too long."""
    name, raw = path.name, os.fsencode(path.name)
    if len(raw) > _LONGEST_NAME:
        name = raw[: _LONGEST_NAME - 9].decode("utf-8", "ignore") + f"-{quick(raw):08x}"
    return path.with_name(name + suffix)


def _inode(found: os.stat_result) -> List[int]:
    return [found.st_dev, found.st_ino]


def _newborn(saved: Dict[str, Any], there: os.stat_result) -> bool:
    """A run that was killed between the making of its partial file and the first note of it left this."""
    own = there.st_uid == getattr(os, "geteuid", lambda: there.st_uid)()
    return not saved and there.st_size == 0 and there.st_nlink == 1 and own


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        log.debug("cannot remove %s: %s", path, error)
