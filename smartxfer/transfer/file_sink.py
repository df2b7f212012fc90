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

from smartxfer._system import SYSTEM_CLOCK, SYSTEM_FILESYSTEM, Clock, FileSystem
from smartxfer.directories import Directory, Entry, is_directory, open_entry
from smartxfer.errors import LocalError, SmartxferError, TargetExists
from smartxfer.local_errors import wrap_os_error
from smartxfer.os_text import resolve_target_path
from smartxfer.reprs import short_repr
from smartxfer.transfer import file_locks
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.digest import CRC32, IncrementalChecksum, compute_file_digest
from smartxfer.transfer.disk import require_free_space
from smartxfer.transfer.download_history import compute_extent_checksums
from smartxfer.transfer.existing_files import ExistingFilePolicy, RetainedFile
from smartxfer.transfer.extent_map import MAX_EXTENTS, ExtentMap, merge_adjacent_pairs
from smartxfer.transfer.part_file import PartFile, sibling_path
from smartxfer.transfer.part_file_state import lstat_or_none
from smartxfer.transfer.protocols import Extent
from smartxfer.transfer.target_file import check_target_file

__all__ = ["FileSink"]

log = logging.getLogger("smartxfer.transfer")

_SAVE_INTERVAL = 1.0
#: Checksums of extents that are remembered of a finished file; of one in more extents the whole is summed.
_MAX_RECORDED_EXTENTS = 64
#: Bytes that a side file may need on a full disk.
_STATE_FILE_RESERVE = 64 * 1024


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
        files: FileSystem = SYSTEM_FILESYSTEM,
        clock: Clock = SYSTEM_CLOCK,
        root: Optional[Directory] = None,
    ) -> None:
        self.path = resolve_target_path(path) if root is None else Path(path)
        # Asked about existing files; None replaces them.
        self.existing_file_policy: Optional[ExistingFilePolicy] = None
        # The existing file that was kept.
        self.retained_file: Optional[RetainedFile] = None
        # What vouches for the bytes of the partial file; only changed before it is begun.
        self.checksum: IncrementalChecksum = CRC32
        self._files = files
        self._clock = clock
        self._follow = follow
        self._root = root
        #: Of the path itself, or of where the symbolic link leads; open from :meth:`begin` on.
        self._directory: Optional[Directory] = None
        self._part: Optional[PartFile] = None
        #: The file that will be replaced, as it was found.
        self._replaced_stat: Optional[os.stat_result] = None
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: stop -> (start, checksum) of each run of bytes written.
        self._extents: ExtentMap = {}
        self._extents_lock = threading.Lock()
        #: Held while the side file is written; taken before the other.
        self._save_lock = threading.Lock()
        self._saved_at = clock.monotonic()

    def __repr__(self) -> str:
        return short_repr("FileSink", self.path)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Extent]:
        """Take the lock, find what an earlier run left, and check it.

        :raises AlreadyInProgress: another process writes the same file.
        :raises LocalError: the target is a directory or a device, or cannot be written.
        :raises DiskFull: the disk has not enough room.
        """
        renames = self.existing_file_policy is not None and self.existing_file_policy.exists == "rename"
        self._size, self._identity = size, identity
        try:
            target = open_entry(self.path, follow=self._follow, root=self._root)
            self._directory = target.directory
            if is_directory(target) and not renames:
                raise LocalError(f"{self.path} is a directory", hint="give the name of a file")
            if self.existing_file_policy is not None:
                self.retained_file = self.existing_file_policy.find_retained_file(target, size, identity)
                if self.retained_file is not None:
                    self._remove_leftovers(target, identity)
                    self._close()
                    return []
            self._replaced_stat = None if renames else self._check_target(target)
            self._part = PartFile(target, self._files)
            # What replaces a private file is private from its first byte on.
            self._resume(self._part.open(0o666 if self._replaced_stat is None else 0o600))
            self._check_free_space()
        except OSError as error:
            self._abort_begin()
            if isinstance(error, SmartxferError):
                raise  # the guard could not ask the server
            raise wrap_os_error(error, self.path) from None
        except BaseException:
            self._close()
            raise
        return [(start, stop) for stop, (start, _) in self._extents.items()]

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` and take it into account."""
        view, at = memoryview(data), offset
        try:
            while view:
                count = self._files.pwrite(self._open_part.fd, view[:BLOCK_SIZE], at)
                view, at = view[count:], at + count
        except OSError as error:
            raise wrap_os_error(error, self.path) from None
        with self._extents_lock:
            start, before = self._extents.pop(offset, (offset, 0))
        checksum = self.checksum.update(before, data, offset)
        with self._extents_lock:
            self._extents[at] = (start, checksum)
            if len(self._extents) > MAX_EXTENTS:
                self._extents = merge_adjacent_pairs(self._extents, self.checksum)
            due = self._clock.monotonic() - self._saved_at >= _SAVE_INTERVAL
            # From the first note of its bytes on a copy of the partial file is recognised.
            first = self._open_part.set_fingerprint(data, offset) if len(data) else False
        if due or (first and at - offset != self._size):
            self._save()

    def restart(self) -> None:
        """Empty the partial file."""
        with self._extents_lock:
            self._extents.clear()
        self._open_part.truncate(0)

    def digest(self, algorithm: str) -> str:
        """Hex digest of the partial file."""
        with self._open_part.open_for_reading() as file:
            return compute_file_digest(file, algorithm)

    def commit(self) -> None:
        """Check the length and give the file its name.

        :raises TargetExists: another file has the name that a server chose, and was to be kept.
        """
        try:
            there = os.fstat(self._open_part.fd)
            if self._size is not None and there.st_size != self._size:
                raise LocalError(
                    f"{self._open_part.path} holds {there.st_size} bytes, not {self._size}",
                    hint="run again, and let no other program write to this file",
                )
            self._open_part.check_not_replaced()
            if self.existing_file_policy is None:
                self._rename_part(self._open_part.target, False)
            else:
                self._rename_by_policy(self.existing_file_policy, there.st_size)
            self._open_part.remove_state_file()
        except OSError as error:
            self._save()
            if self._size is None and isinstance(error, TargetExists):
                self._open_part.remove()  # it could not be resumed
            raise wrap_os_error(error, self.path) from None
        finally:
            self._close()

    def suspend(self) -> None:
        """Save what is there for a later run; an empty partial file is not kept."""
        try:
            if self._part is not None and self._part.fd >= 0:
                if not self._extents or self._part.not_resumable:
                    self._part.remove()
                elif not self._save():
                    self._shrink_to_save_state()
                    self._save()
        finally:  # a second Ctrl-C leaves no lock behind
            self._close()

    @property
    def explicit(self) -> bool:
        """False where a server chose the name."""
        return self._follow

    @property
    def _open_part(self) -> PartFile:
        assert self._part is not None, "begin() comes first"
        return self._part

    def _abort_begin(self) -> None:
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

    def _rename_by_policy(self, guard: ExistingFilePolicy, size: int) -> None:
        """Give the file its name, or keep the one that has it."""
        if self.checksum is CRC32 and len(self._extents) <= _MAX_RECORDED_EXTENTS:
            sums = sorted((start, stop, value) for stop, (start, value) in self._extents.items())
        else:
            with self._open_part.open_for_reading() as file:
                sums = compute_extent_checksums(file, [(0, size)])
        chosen, self.retained_file = guard.rename_or_retain(
            self._open_part.path, self._open_part.target, self._rename_part
        )
        if self.retained_file is not None:
            self._open_part.remove()
            return
        if chosen != self._open_part.target:
            self.path = chosen.path
        guard.record_download(chosen, size, sums)

    def _rename_part(self, target: Entry, only_if_free: bool) -> None:
        """Give the partial file a name.

        :param only_if_free: only if the name is free.
        """
        before = None if only_if_free else self._check_target(target) or self._replaced_stat
        if before is not None:
            self._files.copy_owner_and_mode(before, self._open_part.fd, target)
            self._open_part.restrict_mode()
        if not file_locks.HAS_FLOCK:
            self._open_part.close()  # Windows renames no open file
        try:
            if only_if_free:
                self._files.rename_no_replace(self._open_part.path, target)
            else:
                self._files.replace(self._open_part.path, target)
        except OSError:
            if before is not None:
                self._open_part.restore_owner()
            raise
        self._open_part.restore_mode()

    def remove_leftovers(self, identity: Dict[str, Any]) -> None:
        """Remove what a broken run left of an object that is there, in whatever state it was then.

        :param identity: what of its identity does not change.
        """
        with contextlib.suppress(OSError):
            target = open_entry(self.path, follow=self._follow, root=self._root)
            with target.directory:
                self._remove_leftovers(target, identity)

    def _remove_leftovers(self, target: Entry, identity: Dict[str, Any]) -> None:
        if (
            lstat_or_none(sibling_path(target, ".part")) is None
            and lstat_or_none(sibling_path(target, ".part.json")) is None
        ):
            return
        file = PartFile(target, self._files)
        with contextlib.suppress(OSError):  # another process writes it, or the directory is read-only
            saved = file.open(0o600)
            noted = saved.get("identity", identity)
            if isinstance(noted, dict) and all(noted.get(key) == identity[key] for key in identity):
                file.remove()
        file.close()

    def _check_target(self, target: Entry) -> Optional[os.stat_result]:
        return check_target_file(target, self.path, follow=self._follow)

    # -- the partial file -------------------------------------------------------------------------------

    def _resume(self, saved: Dict[str, Any]) -> None:
        """Take over what an earlier run wrote of the same object."""
        self._extents = {}
        if not saved:
            self._save()
        elif saved.get("identity") == self._identity and saved.get("size") == self._size:
            length = os.fstat(self._open_part.fd).st_size
            if self._size is not None and length > self._size:
                self._open_part.truncate(self._size)  # else no run could ever complete it
            self._extents = self._verify_extents(saved.get("runs"), length)
        else:
            self._open_part.truncate(0)
        if self._open_part.is_copy:
            self._save()

    def _save(self) -> bool:
        with self._save_lock:
            return self._write_state_file()

    def _write_state_file(self) -> bool:
        with self._extents_lock:
            self._saved_at = self._clock.monotonic()
            runs = [[start, stop, checksum] for stop, (start, checksum) in self._extents.items()]
        try:
            self._open_part.save({"identity": self._identity, "size": self._size, "runs": runs})
        except OSError as error:
            log.warning("cannot note how far %s is: %s", self.path, error)
            return False
        return True

    def _shrink_to_save_state(self) -> None:
        """Give up the last bytes of the partial file: on a full disk the note about the others needs room."""
        with self._extents_lock, contextlib.suppress(OSError):  # a failing disk costs the resume, no more
            last = max(self._extents)
            start, noted = self._extents.pop(last)
            keep = max(
                start, (last - _STATE_FILE_RESERVE) // self.checksum.block_size * self.checksum.block_size
            )
            kept = self._compute_checksum(start, keep)
            good = kept is not None and self._compute_checksum(keep, last, kept) == noted
            self._open_part.truncate(keep)
            if kept is not None and good and keep > start:
                self._extents[keep] = (start, kept)

    def _verify_extents(self, runs: Any, length: int) -> Dict[int, Tuple[int, int]]:
        """Those of the noted runs whose bytes are really there."""
        good = {}
        for run in runs if isinstance(runs, list) else ():
            try:
                start, stop, checksum = map(int, run)
            except (TypeError, ValueError, OverflowError):
                continue
            if not 0 <= start < stop <= length:
                continue
            if self._compute_checksum(start, stop) == checksum:
                good[stop] = (start, checksum)
            else:
                part = self._open_part.path
                log.warning("bytes %d to %d of %s are damaged and are fetched again", start, stop, part)
        return good

    def _compute_checksum(self, start: int, stop: int, initial: int = 0) -> Optional[int]:
        """The checksum of the bytes [start, stop); None where some of them are not there.

        :param initial: that of the bytes before them.
        """
        at = start
        os.lseek(self._open_part.fd, start, os.SEEK_SET)
        step = max(BLOCK_SIZE // self.checksum.block_size, 1) * self.checksum.block_size
        while at < stop:
            wanted, data = min(step, stop - at), b""
            while len(data) < wanted:
                more = os.read(self._open_part.fd, wanted - len(data))
                if not more:
                    return None
                data += more
            initial, at = self.checksum.update(initial, data, at), at + wanted
        return initial

    def _check_free_space(self) -> None:
        """Refuse what the disk cannot hold.

        :raises DiskFull: it has not enough room.
        """
        if self._size is None:
            return
        try:
            free = self._files.free_space(self._open_part.target.directory.path)
        except OSError as error:  # it is found out on the way
            log.debug("%s: the free space is not known: %s", self.path, error)
            return
        held = sum(stop - start for stop, (start, _) in self._extents.items())
        allocated = getattr(os.fstat(self._open_part.fd), "st_blocks", 0) * 512
        require_free_space(self.path, self._size - min(self._size, max(held, allocated)), free)
