"""Sink for a local file: writes to the part file ``name.part``, whose state is in ``name.part.json``.

The state file contains the identity of the object, its size, and the extents written so far with their
checksums.  A resumed download verifies them first, and fetches bytes again that were lost in a crash.
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
#: Number of extents whose checksums are recorded for a complete file; for more extents, one checksum of the
#: whole file is recorded.
_MAX_RECORDED_EXTENTS = 64
#: Bytes that are freed for the state file on a full disk.
_STATE_FILE_RESERVE = 64 * 1024


class FileSink:
    """Writes ``path`` via a part file, from which a later run can resume.

    An existing file is replaced atomically: the new one keeps its mode and, if possible, its owner and group.

    :param path: the final name.
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
        # Decides about existing files; None replaces them.
        self.existing_file_policy: Optional[ExistingFilePolicy] = None
        # The existing file that was kept instead of the download.
        self.retained_file: Optional[RetainedFile] = None
        # Checksum that validates the part file before resuming; only changed before begin().
        self.checksum: IncrementalChecksum = CRC32
        self._files = files
        self._clock = clock
        self._follow = follow
        self._root = root
        #: Directory of the path, or of the target of the symbolic link; open from :meth:`begin` on.
        self._directory: Optional[Directory] = None
        self._part: Optional[PartFile] = None
        #: State of the file that will be replaced.
        self._replaced_stat: Optional[os.stat_result] = None
        self._size: Optional[int] = None
        self._identity: Dict[str, Any] = {}
        #: stop -> (start, checksum) of each written extent.
        self._extents: ExtentMap = {}
        self._extents_lock = threading.Lock()
        #: Held while the state file is written; acquired before ``_extents_lock``.
        self._save_lock = threading.Lock()
        self._saved_at = clock.monotonic()

    def __repr__(self) -> str:
        return short_repr("FileSink", self.path)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> List[Extent]:
        """Lock the part file and verify what an earlier run wrote; return the valid extents.

        :raises AlreadyInProgress: another process writes the same file.
        :raises LocalError: the target is a directory or a device, or cannot be written.
        :raises DiskFull: the disk has not enough free space.
        """
        renames = self.existing_file_policy is not None and self.existing_file_policy.exists == "rename"
        self._size, self._identity = size, identity
        try:
            target = open_entry(self.path, follow=self._follow, root=self._root)
            self._directory = target.directory
            if is_directory(target) and not renames:
                raise LocalError(f"{self.path} is a directory", hint="pass the path of a file")
            if self.existing_file_policy is not None:
                self.retained_file = self.existing_file_policy.find_retained_file(target, size, identity)
                if self.retained_file is not None:
                    self._remove_leftovers(target, identity)
                    self._close()
                    return []
            self._replaced_stat = None if renames else self._check_target(target)
            self._part = PartFile(target, self._files)
            # A file that replaces a private one must be private from its first byte on.
            self._resume(self._part.open(0o666 if self._replaced_stat is None else 0o600))
            self._check_free_space()
        except OSError as error:
            self._abort_begin()
            if isinstance(error, SmartxferError):
                raise  # the existing_file_policy could not query the server
            raise wrap_os_error(error, self.path) from None
        except BaseException:
            self._close()
            raise
        return [(start, stop) for stop, (start, _) in self._extents.items()]

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Write all of ``data`` and record the extent."""
        view, stop = memoryview(data), offset
        try:
            while view:
                count = self._files.pwrite(self._open_part.fd, view[:BLOCK_SIZE], stop)
                view, stop = view[count:], stop + count
        except OSError as error:
            raise wrap_os_error(error, self.path) from None
        with self._extents_lock:
            start, checksum = self._extents.pop(offset, (offset, 0))
        checksum = self.checksum.update(checksum, data, offset)
        with self._extents_lock:
            self._extents[stop] = (start, checksum)
            if len(self._extents) > MAX_EXTENTS:
                self._extents = merge_adjacent_pairs(self._extents, self.checksum)
            due = self._clock.monotonic() - self._saved_at >= _SAVE_INTERVAL
            # A copy of the part file is recognized from the time when its first bytes are recorded.
            first = self._open_part.set_fingerprint(data, offset) if len(data) else False
        if due or (first and stop - offset != self._size):
            self._save()

    def restart(self) -> None:
        """Truncate the part file to 0 bytes."""
        with self._extents_lock:
            self._extents.clear()
        self._open_part.truncate(0)

    def digest(self, algorithm: str) -> str:
        """Return the hex digest of the part file."""
        with self._open_part.open_for_reading() as file:
            return compute_file_digest(file, algorithm)

    def commit(self) -> None:
        """Check the size and rename the part file to its final name.

        :raises TargetExists: the server chose the name of an existing file, which must be kept.
        """
        try:
            size = os.fstat(self._open_part.fd).st_size
            if self._size is not None and size != self._size:
                raise LocalError(
                    f"{self._open_part.path} has {size} bytes, not {self._size}",
                    hint="run again, and let no other program write to this file",
                )
            self._open_part.check_not_replaced()
            if self.existing_file_policy is None:
                self._rename_part(self._open_part.target, False)
            else:
                self._rename_by_policy(self.existing_file_policy, size)
            self._open_part.remove_state_file()
        except OSError as error:
            self._save()
            if self._size is None and isinstance(error, TargetExists):
                self._open_part.remove()  # without a size it cannot be resumed
            raise wrap_os_error(error, self.path) from None
        finally:
            self._close()

    def suspend(self) -> None:
        """Save the state for a later run; remove an empty part file."""
        try:
            if self._part is not None and self._part.fd >= 0:
                if not self._extents or self._part.not_resumable:
                    self._part.remove()
                elif not self._save():
                    self._shrink_to_save_state()
                    self._save()
        finally:  # also after a second Ctrl-C, which must not leave a lock
            self._close()

    @property
    def explicit(self) -> bool:
        """False if the server chose the name."""
        return self._follow

    @property
    def _open_part(self) -> PartFile:
        assert self._part is not None, "begin() comes first"
        return self._part

    def _abort_begin(self) -> None:
        """Close the files.  Keep the part file of an earlier run, remove a new one."""
        if self._part is not None and self._part.fd >= 0:
            with contextlib.suppress(OSError):
                if not os.fstat(self._part.fd).st_size:
                    self._part.remove()
        self._close()

    def _close(self) -> None:
        """Close the part file and its directory."""
        if self._part is not None:
            self._part.close()
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def _rename_by_policy(self, policy: ExistingFilePolicy, size: int) -> None:
        """Rename the part file, or keep an existing file instead."""
        if self.checksum is CRC32 and len(self._extents) <= _MAX_RECORDED_EXTENTS:
            checksums = sorted((start, stop, value) for stop, (start, value) in self._extents.items())
        else:
            with self._open_part.open_for_reading() as file:
                checksums = compute_extent_checksums(file, [(0, size)])
        chosen, self.retained_file = policy.rename_or_retain(
            self._open_part.path, self._open_part.target, self._rename_part
        )
        if self.retained_file is not None:
            self._open_part.remove()
            return
        if chosen != self._open_part.target:
            self.path = chosen.path
        policy.record_download(chosen, size, checksums)

    def _rename_part(self, target: Entry, only_if_free: bool) -> None:
        """Rename the part file to ``target``.

        :param only_if_free: raise FileExistsError instead of replacing an existing file.
        """
        replaced = None if only_if_free else self._check_target(target) or self._replaced_stat
        if replaced is not None:
            self._files.copy_owner_and_mode(replaced, self._open_part.fd, target)
            self._open_part.restrict_mode()
        if not file_locks.HAS_FLOCK:
            self._open_part.close()  # Windows cannot rename an open file
        try:
            if only_if_free:
                self._files.rename_no_replace(self._open_part.path, target)
            else:
                self._files.replace(self._open_part.path, target)
        except OSError:
            if replaced is not None:
                self._open_part.restore_owner()
            raise
        self._open_part.restore_mode()

    def remove_leftovers(self, identity: Dict[str, Any]) -> None:
        """Remove the part file of an interrupted run for an object that is complete now.

        :param identity: the items of its identity that are the same for all versions of the object.
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
        part = PartFile(target, self._files)
        with contextlib.suppress(OSError):  # another process writes it, or the directory is read-only
            saved = part.open(0o600)
            saved_identity = saved.get("identity", identity)
            if isinstance(saved_identity, dict) and all(
                saved_identity.get(key) == identity[key] for key in identity
            ):
                part.remove()
        part.close()

    def _check_target(self, target: Entry) -> Optional[os.stat_result]:
        return check_target_file(target, self.path, follow=self._follow)

    # -- the part file ----------------------------------------------------------------------------------

    def _resume(self, saved: Dict[str, Any]) -> None:
        """Load the extents that an earlier run wrote, if they are of the same object."""
        self._extents = {}
        if not saved:
            self._save()
        elif saved.get("identity") == self._identity and saved.get("size") == self._size:
            length = os.fstat(self._open_part.fd).st_size
            if self._size is not None and length > self._size:
                self._open_part.truncate(self._size)  # a longer file would fail in commit() every time
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
            log.warning("cannot save the state of the download of %s: %s", self.path, error)
            return False
        return True

    def _shrink_to_save_state(self) -> None:
        """Truncate the part file on a full disk, to free space for the state file."""
        with self._extents_lock, contextlib.suppress(OSError):  # only the resume is lost on a failing disk
            stop = max(self._extents)
            start, recorded = self._extents.pop(stop)
            new_stop = max(
                start, (stop - _STATE_FILE_RESERVE) // self.checksum.block_size * self.checksum.block_size
            )
            checksum = self._compute_checksum(start, new_stop)
            is_intact = checksum is not None and self._compute_checksum(new_stop, stop, checksum) == recorded
            self._open_part.truncate(new_stop)
            if checksum is not None and is_intact and new_stop > start:
                self._extents[new_stop] = (start, checksum)

    def _verify_extents(self, runs: Any, length: int) -> Dict[int, Tuple[int, int]]:
        """Return the recorded extents whose checksums are correct."""
        verified = {}
        for run in runs if isinstance(runs, list) else ():
            try:
                start, stop, checksum = map(int, run)
            except (TypeError, ValueError, OverflowError):
                continue
            if not 0 <= start < stop <= length:
                continue
            if self._compute_checksum(start, stop) == checksum:
                verified[stop] = (start, checksum)
            else:
                part = self._open_part.path
                log.warning("bytes %d to %d of %s are damaged and will be fetched again", start, stop, part)
        return verified

    def _compute_checksum(self, start: int, stop: int, initial: int = 0) -> Optional[int]:
        """Return the checksum of the bytes [start, stop); None if the file ends before.

        :param initial: checksum of the preceding bytes.
        """
        position = start
        os.lseek(self._open_part.fd, start, os.SEEK_SET)
        block_size = max(BLOCK_SIZE // self.checksum.block_size, 1) * self.checksum.block_size
        while position < stop:
            size, data = min(block_size, stop - position), b""
            while len(data) < size:
                more = os.read(self._open_part.fd, size - len(data))
                if not more:
                    return None
                data += more
            initial, position = self.checksum.update(initial, data, position), position + size
        return initial

    def _check_free_space(self) -> None:
        """Check that the disk has space for the missing bytes.

        :raises DiskFull: the free space is too small.
        """
        if self._size is None:
            return
        try:
            free = self._files.free_space(self._open_part.target.directory.path)
        except OSError as error:  # a write will fail if the disk is full
            log.debug("%s: the free space is unknown: %s", self.path, error)
            return
        written = sum(stop - start for stop, (start, _) in self._extents.items())
        allocated = getattr(os.fstat(self._open_part.fd), "st_blocks", 0) * 512
        require_free_space(self.path, self._size - min(self._size, max(written, allocated)), free)
