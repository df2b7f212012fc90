"""``name.part.json``: which partial file it describes, what is in it, and the proof that it is ours.

Partial files are recognised by the first bytes that were noted, so that a copied, moved or restored directory
is continued.  The number of the inode recognises one that lost these bytes in a crash.
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
#: First bytes of a side file.
STATE_FILE_HEADER = b'{"version": '
#: Bytes of a proof.
_FINGERPRINT_SIZE = 64 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class PartFileState:
    """The side file of one partial file."""

    def __init__(self, part: Entry, files: FileSystem, warned: Set[str]) -> None:
        self.entry = part.with_name(part.name + ".json")
        self._temporary = part.with_name(part.name + ".json.tmp")
        self._part = part
        self._files = files
        self._warned = warned

    def load(self) -> Optional[Dict[str, Any]]:
        """Return its contents; empty where it is missing, None where it is not ours to write.

        :raises LocalError: it cannot be read; that says nothing about whose it is.
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
            made = wrap_os_error(error, self.entry.path, "read")
            hint = made.own_hint or "make it readable, or remove it to begin again"
            raise evolve_error(made, hint=hint) from None
        if isinstance(saved, dict) and saved.get("version") == _VERSION:
            return saved
        self.warn(f"{self.entry} is of an unknown version and is left alone")
        return None

    def save(self, about: Dict[str, Any]) -> None:
        """Write it.

        :raises OSError: it cannot be written.
        """
        write_atomic(self.entry, json.dumps({"version": _VERSION, **about}), self._files)

    def remove(self) -> None:
        """Remove it, and what a killed process left of writing it."""
        with contextlib.suppress(OSError):
            if self.is_writable():
                unlink_quietly(self._temporary)
        unlink_quietly(self.entry)

    def is_writable(self) -> bool:
        """Return False if another program's file has the name under which it is written first.

        A process that was killed may have left one of ours there.

        :raises OSError: the file cannot be read; that says nothing about whose it is.
        """
        found = lstat_or_none(self._temporary)
        if found is None or not stat.S_ISREG(found.st_mode):
            return found is None
        try:
            with open_binary(self._temporary) as file:
                return STATE_FILE_HEADER.startswith(file.read(len(STATE_FILE_HEADER)))
        except FileNotFoundError:
            return True
        except PermissionError:
            return False

    def owns(self, saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
        """Return True if the partial file is of this user, and is the one that was noted, or a copy of it.

        :raises OSError: the partial file cannot be read.
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
        """Return True if what is noted is about these bytes, and not about an earlier partial file."""
        return has_same_inode(saved, part_stat) or self._matches_fingerprint(saved.get("proof"), part_stat)

    def warn(self, text: str) -> None:
        """Log once why a file is not used."""
        if text not in self._warned:
            self._warned.add(text)
            log.warning("a partial file is not resumed: %s", text)

    def _matches_fingerprint(self, proof: Any, part_stat: os.stat_result) -> bool:
        """Return True if the partial file has the bytes that were noted first.

        :raises OSError: it cannot be read.
        """
        if not isinstance(proof, list) or len(proof) != 3 or any(type(value) is not int for value in proof):
            return False
        start, stop, checksum = proof
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
    """Return what recognises a partial file by some bytes of it: start, stop and CRC-32."""
    first = memoryview(data)[:_FINGERPRINT_SIZE]
    return [offset, offset + len(first), crc32(first)]


def has_same_inode(saved: Dict[str, Any], part_stat: os.stat_result) -> bool:
    """Return True if the side file names the inode of a partial file.

    The number of the device is not compared: it may be another one after a restart of the system.
    """
    noted = saved.get("inode")
    return isinstance(noted, list) and noted[1:] == [part_stat.st_ino]


def has_target_owner(saved: Dict[str, Any], part_stat: os.stat_result, target: Entry) -> bool:
    """Return True for a partial file of the superuser that got the owner of its target before a kill.

    It is of no more use: that user may have changed it.
    """
    if getattr(os, "geteuid", lambda: 1)() != 0 or not has_same_inode(saved, part_stat):
        return False
    before = lstat_or_none(target)
    return before is not None and before.st_uid == part_stat.st_uid != 0


def unlink_quietly(entry: Entry) -> None:
    """Remove a file of ours; one that is gone already, or stays, is only logged."""
    try:
        name, where = get_os_arguments(entry)
        os.unlink(name, **where)
    except OSError as error:
        log.debug("cannot remove %s: %s", entry, error)


def lstat_or_none(entry: Entry) -> Optional[os.stat_result]:
    """Return the state of an entry; None where there is none."""
    try:
        return lstat(entry)
    except FileNotFoundError:
        return None


def _is_fresh_leftover(part_stat: os.stat_result) -> bool:
    """Return True for what a run leaves that is killed between making its partial file and the first note."""
    own = part_stat.st_uid == getattr(os, "geteuid", lambda: part_stat.st_uid)()
    return stat.S_ISREG(part_stat.st_mode) and part_stat.st_size == 0 and part_stat.st_nlink == 1 and own
