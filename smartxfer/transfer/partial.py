"""A file on its way: ``name.part`` and, beside it, ``name.part.json`` that says what is in it.

The side file names the object, its size and the checksummed extents written so far.  Checksums are checked
before anything is built upon, so that a tail lost in a crash is fetched again.
"""

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from smartxfer.directories import Directory, Entry, is_directory, open_entry
from smartxfer.errors import LocalError, SmartxferError, TargetExists
from smartxfer.local_errors import local_error
from smartxfer.reprs import short_repr
from smartxfer.seams import SYSTEM_CLOCK, SYSTEM_FILES, Clock, Files
from smartxfer.system_text import target_path
from smartxfer.transfer import locking
from smartxfer.transfer.buffers import BLOCK
from smartxfer.transfer.digest import CRC32, Check, digest_of
from smartxfer.transfer.disk import refuse_too_large
from smartxfer.transfer.existing import Guard, Kept
from smartxfer.transfer.part_note import stat_of
from smartxfer.transfer.partfile import PartFile, beside
from smartxfer.transfer.protocols import Extent
from smartxfer.transfer.replaced import replaced_file
from smartxfer.transfer.runs import MOST_RUNS, Runs, joined
from smartxfer.transfer.written import sums_of

__all__ = ["FileSink"]

log = logging.getLogger("smartxfer.transfer")

_SAVE_EVERY = 1.0
#: Checksums of extents that are remembered of a finished file; of one in more extents the whole is summed.
_MOST_SUMS = 64
#: Bytes that a side file may need on a full disk.
_NOTE_ROOM = 64 * 1024


class FileSink:
    """Writes ``path`` by way of a partial file, which a later run goes on from.

    A file that is there already is replaced: the new one keeps its mode and, where that is possible, its
    owner and group.

    :param path: the final name; it comes into being complete, in one step.
    :param follow: replace the target of a symbolic link; False replaces the link itself.
    :param root: an open directory above ``path``: no directory between them may be a symbolic link.
    """

    sequential = False

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        *,
        follow: bool = True,
        files: Files = SYSTEM_FILES,
        clock: Clock = SYSTEM_CLOCK,
        root: Optional[Directory] = None,
    ) -> None:
        self.path = target_path(path) if root is None else Path(path)
        # Asked about existing files; None replaces them.
        self.guard: Optional[Guard] = None
        # The existing file that was kept.
        self.kept: Optional[Kept] = None
        # What vouches for the bytes of the partial file; only changed before it is begun.
        self.check: Check = CRC32
        self._files = files
        self._clock = clock
        self._follow = follow
        self._root = root
        #: Of the path itself, or of where the symbolic link leads; open from :meth:`begin` on.
        self._directory: Optional[Directory] = None
        self._part: Optional[PartFile] = None
        #: The file that will be replaced, as it was found.
        self._before: Optional[os.stat_result] = None
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: stop -> (start, checksum) of each run of bytes written.
        self._runs: Runs = {}
        self._mutex = threading.Lock()
        #: Held while the side file is written; taken before the other.
        self._saving = threading.Lock()
        self._saved_at = clock.monotonic()

    def __repr__(self) -> str:
        return short_repr("FileSink", self.path)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Extent]:
        """Take the lock, find what an earlier run left, and check it.

        :raises InProgress: another process writes the same file.
        :raises LocalError: the target is a directory or a device, or cannot be written.
        :raises DiskFull: the disk has not enough room.
        """
        renames = self.guard is not None and self.guard.exists == "rename"
        self._size, self._identity = size, identity
        try:
            target = open_entry(self.path, follow=self._follow, root=self._root)
            self._directory = target.directory
            if is_directory(target) and not renames:
                raise LocalError(f"{self.path} is a directory", hint="give the name of a file")
            if self.guard is not None:
                self.kept = self.guard.before(target, size, identity)
                if self.kept is not None:
                    self._clear(target, identity)
                    self._close()
                    return []
            self._before = None if renames else self._look(target)
            self._part = PartFile(target, self._files)
            # What replaces a private file is private from its first byte on.
            self._resume(self._part.open(0o666 if self._before is None else 0o600))
            self._check_space()
        except OSError as error:
            self._give_up()
            if isinstance(error, SmartxferError):
                raise  # the guard could not ask the server
            raise local_error(error, self.path) from None
        except BaseException:
            self._close()
            raise
        return [(start, stop) for stop, (start, _) in self._runs.items()]

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` and take it into account."""
        view, at = memoryview(data), offset
        try:
            while view:
                count = self._files.pwrite(self._file.fd, view[:BLOCK], at)
                view, at = view[count:], at + count
        except OSError as error:
            raise local_error(error, self.path) from None
        with self._mutex:
            start, before = self._runs.pop(offset, (offset, 0))
        checksum = self.check.add(before, data, offset)
        with self._mutex:
            self._runs[at] = (start, checksum)
            if len(self._runs) > MOST_RUNS:
                self._runs = joined(self._runs, self.check)
            due = self._clock.monotonic() - self._saved_at >= _SAVE_EVERY
            # From the first note of its bytes on a copy of the partial file is recognised.
            first = self._file.prove(data, offset) if len(data) else False
        if due or (first and at - offset != self._size):
            self._save()

    def restart(self) -> None:
        """Empty the partial file."""
        with self._mutex:
            self._runs.clear()
        self._file.truncate(0)

    def digest(self, algorithm: str) -> str:
        """Hex digest of the partial file."""
        with self._file.reading() as file:
            return digest_of(file, algorithm)

    def commit(self) -> None:
        """Check the length and give the file its name.

        :raises TargetExists: another file has the name that a server chose, and was to be kept.
        """
        try:
            there = os.fstat(self._file.fd)
            if self._size is not None and there.st_size != self._size:
                raise LocalError(f"{self._file.path} holds {there.st_size} bytes, not {self._size}")
            self._file.check()
            if self.guard is None:
                self._put(self._file.target, False)
            else:
                self._put_guarded(self.guard, there.st_size)
            self._file.forget()
        except OSError as error:
            self._save()
            if self._size is None and isinstance(error, TargetExists):
                self._file.remove()  # it could not be resumed
            raise local_error(error, self.path) from None
        finally:
            self._close()

    def leave(self) -> None:
        """Save what is there for a later run; an empty partial file is not kept."""
        try:
            if self._part is not None and self._part.fd >= 0:
                if not self._runs or self._part.once:
                    self._part.remove()
                elif not self._save():
                    self._make_room()
                    self._save()
        finally:  # a second Ctrl-C leaves no lock behind
            self._close()

    @property
    def explicit(self) -> bool:
        """False where a server chose the name."""
        return self._follow

    @property
    def _file(self) -> PartFile:
        assert self._part is not None, "begin() comes first"
        return self._part

    def _give_up(self) -> None:
        """Close what was opened; what an earlier run left stays as it is, a new partial file is removed."""
        if self._part is not None and self._part.fd >= 0:
            with contextlib.suppress(OSError):
                if not os.fstat(self._part.fd).st_size:
                    self._part.remove()
        self._close()

    def _close(self) -> None:
        """Close the partial file and its directory."""
        if self._part is not None:
            self._part.close()
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def _put_guarded(self, guard: Guard, size: int) -> None:
        """Give the file its name, or keep the one that has it."""
        if self.check is CRC32 and len(self._runs) <= _MOST_SUMS:
            sums = sorted((start, stop, value) for stop, (start, value) in self._runs.items())
        else:
            with self._file.reading() as file:
                sums = sums_of(file, [(0, size)])
        chosen, self.kept = guard.finish(self._file.path, self._file.target, self._put)
        if self.kept is not None:
            self._file.remove()
            return
        if chosen != self._file.target:
            self.path = chosen.path
        guard.wrote(chosen, size, sums)

    def _put(self, target: Entry, new: bool) -> None:
        """Give the partial file a name.

        :param new: only if the name is free.
        """
        before = None if new else self._look(target) or self._before
        if before is not None:
            self._files.copy_owner_and_mode(before, self._file.fd, target)
            self._file.withhold()
        if not locking.AVAILABLE:
            self._file.close()  # Windows renames no open file
        try:
            if new:
                self._files.rename_new(self._file.path, target)
            else:
                self._files.replace(self._file.path, target)
        except OSError:
            if before is not None:
                self._file.reclaim()
            raise
        self._file.publish()

    def clear(self, about: Dict[str, Any]) -> None:
        """Remove what a broken run left of an object that is there, in whatever state it was then.

        :param about: what of its identity does not change.
        """
        with contextlib.suppress(OSError):
            target = open_entry(self.path, follow=self._follow, root=self._root)
            with target.directory:
                self._clear(target, about)

    def _clear(self, target: Entry, about: Dict[str, Any]) -> None:
        if stat_of(beside(target, ".part")) is None and stat_of(beside(target, ".part.json")) is None:
            return
        file = PartFile(target, self._files)
        with contextlib.suppress(OSError):  # another process writes it, or the directory is read-only
            saved = file.open(0o600)
            noted = saved.get("identity", about)
            if isinstance(noted, dict) and all(noted.get(key) == about[key] for key in about):
                file.remove()
        file.close()

    def _look(self, target: Entry) -> Optional[os.stat_result]:
        return replaced_file(target, self.path, follow=self._follow)

    # -- the partial file -------------------------------------------------------------------------------

    def _resume(self, saved: Dict[str, Any]) -> None:
        """Take over what an earlier run wrote of the same object."""
        self._runs = {}
        if not saved:
            self._save()
        elif saved.get("identity") == self._identity and saved.get("size") == self._size:
            length = os.fstat(self._file.fd).st_size
            if self._size is not None and length > self._size:
                self._file.truncate(self._size)  # else no run could ever complete it
            self._runs = self._checked(saved.get("runs"), length)
        else:
            self._file.truncate(0)
        if self._file.copied:
            self._save()

    def _save(self) -> bool:
        with self._saving:
            return self._write_side()

    def _write_side(self) -> bool:
        with self._mutex:
            self._saved_at = self._clock.monotonic()
            runs = [[start, stop, checksum] for stop, (start, checksum) in self._runs.items()]
        try:
            self._file.save({"identity": self._identity, "size": self._size, "runs": runs})
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
            self._file.truncate(keep)
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
                part = self._file.path
                log.warning("bytes %d to %d of %s are damaged and are fetched again", start, stop, part)
        return good

    def _checksum(self, start: int, stop: int, found: int = 0) -> Optional[int]:
        """The checksum of the bytes [start, stop); None where some of them are not there.

        :param found: that of the bytes before them.
        """
        at = start
        os.lseek(self._file.fd, start, os.SEEK_SET)
        step = max(BLOCK // self.check.grain, 1) * self.check.grain
        while at < stop:
            wanted, data = min(step, stop - at), b""
            while len(data) < wanted:
                more = os.read(self._file.fd, wanted - len(data))
                if not more:
                    return None
                data += more
            found, at = self.check.add(found, data, at), at + wanted
        return found

    def _check_space(self) -> None:
        """Refuse what the disk cannot hold.

        :raises DiskFull: it has not enough room.
        """
        if self._size is None:
            return
        try:
            free = self._files.free_space(self._file.target.directory.path)
        except OSError as error:  # it is found out on the way
            log.debug("%s: the free space is not known: %s", self.path, error)
            return
        held = sum(stop - start for stop, (start, _) in self._runs.items())
        allocated = getattr(os.fstat(self._file.fd), "st_blocks", 0) * 512
        refuse_too_large(self.path, self._size - min(self._size, max(held, allocated)), free)
