"""State file ``name.part.json``: the part file that it describes, the extents in it, and its fingerprint.

A part file is identified by a fingerprint of its first bytes, so that downloads are also resumed in a copied,
moved or restored directory.  The inode number identifies a part file that lost these bytes in a crash.
"""

import contextlib
import json
import logging
import os
import stat
from typing import Any, Dict, List, Optional, Set, Union

from smartxfer._system import FileSystem, open_binary
from smartxfer.directories import Entry, get_os_arguments, lstat
from smartxfer.error_values import evolve_error
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.digest import crc32
from smartxfer.transfer.private_files import NotPrivate, find_privacy_problem, read_private, write_atomic
from smartxfer.transport.json_codec import parse_json

__all__ = [
    "STATE_FILE_HEADER",
    "PartFileState",
    "compute_fingerprint",
    "has_same_inode",
    "has_target_owner",
    "lstat_or_none",
    "unlink_quietly",
]

log = logging.getLogger("smartxfer.transfer")

_VERSION = 1
#: First bytes of a state file.
STATE_FILE_HEADER = b'{"version": '
#: Maximum number of bytes that a fingerprint covers.
_FINGERPRINT_SIZE = 64 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class PartFileState:
    """The state file of one part file."""

    def __init__(self, part: Entry, files: FileSystem, warned: Set[str]) -> None:
        self.entry = part.with_name(part.name + ".json")
        self._temporary = part.with_name(part.name + ".json.tmp")
        self._part = part
        self._files = files
        self._warned = warned

    def load(self) -> Optional[Dict[str, Any]]:
        """Return its contents; empty if it is missing, None if it belongs to another program or user.

        :raises LocalError: it cannot be read, so that its owner is unknown.
        """
        try:
            saved = parse_json(read_private(self.entry))
        except FileNotFoundError:
            return {}
        except NotPrivate as error:
            self.warn(str(error))
            return None
        except ValueError:
            return None
        except OSError as error:
            wrapped = wrap_os_error(error, self.entry.path, "read")
            hint = wrapped.own_hint or "make it readable, or remove it to begin again"
            raise evolve_error(wrapped, hint=hint) from None
        if isinstance(saved, dict) and saved.get("version") == _VERSION:
            return saved
        self.warn(f"{self.entry} has an unknown version and is not changed")
        return None

    def save(self, contents: Dict[str, Any]) -> None:
        """Write the state file.

        :raises OSError: it cannot be written.
        """
        write_atomic(self.entry, json.dumps({"version": _VERSION, **contents}), self._files)

    def remove(self) -> None:
        """Remove the state file, and the temporary file that a killed process may have left."""
        with contextlib.suppress(OSError):
            if self.is_writable():
                unlink_quietly(self._temporary)
        unlink_quietly(self.entry)

    def is_writable(self) -> bool:
        """Return False if a file of another program has the name of the temporary file.

        A killed process of this package may also have left a file with that name.

        :raises OSError: the file cannot be read, so that its owner is unknown.
        """
        stat_result = lstat_or_none(self._temporary)
        if stat_result is None or not stat.S_ISREG(stat_result.st_mode):
            return stat_result is None
        try:
            with open_binary(self._temporary) as file:
                return STATE_FILE_HEADER.startswith(file.read(len(STATE_FILE_HEADER)))
        except FileNotFoundError:
            return True
        except PermissionError:
            return False

    def owns(self, saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
        """Return True if the part file belongs to this user, and is the saved one or a copy of it.

        :raises OSError: the part file cannot be read.
        """
        if not (
            has_same_inode(saved, part_stat)
            or _is_fresh_leftover(part_stat)
            or self._matches_fingerprint(saved.get("proof"), part_stat)
        ):
            return False
        reason = find_privacy_problem(part_stat, links=False, modes=False)
        if reason is not None:
            self.warn(f"{self._part}: {reason}")
        return reason is None

    def describes(self, saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
        """Return True if the saved state describes this part file, not an earlier one."""
        return has_same_inode(saved, part_stat) or self._matches_fingerprint(saved.get("proof"), part_stat)

    def warn(self, text: str) -> None:
        """Log once why a part file is not resumed."""
        if text not in self._warned:
            self._warned.add(text)
            log.warning("a part file is not resumed: %s", text)

    def _matches_fingerprint(self, fingerprint: Any, part_stat: os.stat_result) -> bool:
        """Return True if the part file contains the bytes of a fingerprint.

        :raises OSError: it cannot be read.
        """
        if not isinstance(fingerprint, list) or [type(value) for value in fingerprint] != [int, int, int]:
            return False
        start, stop, checksum = fingerprint
        if not 0 <= start < stop <= min(part_stat.st_size, start + _FINGERPRINT_SIZE):
            return False
        if find_privacy_problem(part_stat, links=False, modes=False) is not None:
            return False
        with self._files.open(self._part, os.O_RDONLY | _NO_FOLLOW) as opened, opened.to_binary_file(
            "rb"
        ) as file:
            file.seek(start)
            return bool(crc32(file.read(stop - start)) == checksum)


def compute_fingerprint(data: Union[bytes, memoryview], offset: int) -> List[int]:
    """Return the fingerprint of a part file: start, stop and CRC-32 of some of its bytes."""
    first = memoryview(data)[:_FINGERPRINT_SIZE]
    return [offset, offset + len(first), crc32(first)]


def has_same_inode(saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
    """Return True if the state file contains the inode number of a part file.

    The device number is not compared, because it may change when the system is restarted.
    """
    inode = saved.get("inode")
    return isinstance(inode, list) and inode[1:] == [part_stat.st_ino]


def has_target_owner(saved: Dict[str, Any], part_stat: os.stat_result, target: Entry) -> bool:
    """Return True for a part file of root whose process was killed after it had set the owner of the target.

    It is not resumed, because that user may have changed it.
    """
    if getattr(os, "geteuid", lambda: 1)() != 0 or not has_same_inode(saved, part_stat):
        return False
    target_stat = lstat_or_none(target)
    return target_stat is not None and target_stat.st_uid == part_stat.st_uid != 0


def unlink_quietly(entry: Entry) -> None:
    """Remove a file; log an error instead of raising it."""
    try:
        name, where = get_os_arguments(entry)
        os.unlink(name, **where)
    except OSError as error:
        log.debug("cannot remove %s: %s", entry, error)


def lstat_or_none(entry: Entry) -> Optional[os.stat_result]:
    """Return the stat result of an entry; None if it does not exist."""
    try:
        return lstat(entry)
    except FileNotFoundError:
        return None


def _is_fresh_leftover(part_stat: os.stat_result) -> bool:
    """Return True for the part file of a process that was killed before it first wrote the state file."""
    own = part_stat.st_uid == getattr(os, "geteuid", lambda: part_stat.st_uid)()
    return stat.S_ISREG(part_stat.st_mode) and part_stat.st_size == 0 and part_stat.st_nlink == 1 and own
