"""Recognition of this package's files in a user's directories: part files, state files, temporary files.

They are not sent with a directory, and no download replaces them.  The name alone is not sufficient: a file
that merely ends with ``.part`` belongs to the user.
"""

import contextlib
import logging
import os
import re
import stat
from pathlib import Path
from typing import Optional

from smartxfer._system import open_binary
from smartxfer.errors import LocalError
from smartxfer.transfer.part_file_state import STATE_FILE_HEADER
from smartxfer.transfer.private_files import state_directory
from smartxfer.transfer.temporary_files import is_temporary_name
from smartxfer.transport.json_codec import parse_json

__all__ = ["OwnFileFilter", "is_own_file"]

log = logging.getLogger("smartxfer.transfer")

_PART_FILE_NAME = re.compile(r".+\.part")
_STATE_FILE_NAME = re.compile(r".+\.part\.json")
#: Temporary file that a killed process left when it wrote a state file.
_TEMPORARY_STATE_FILE_NAME = re.compile(r"(?P<partial>.+\.part)\.json(\.[0-9a-f]{8})?\.tmp")
_STATE_KEYS = frozenset(["version", "identity", "size", "runs"])
#: Maximum bytes of a state file, whose number of extents is limited.
_MAX_STATE_FILE_SIZE = 16 * 1024 * 1024
#: Names that this package creates in the state directory.
_STATE_DIRECTORY_ENTRIES = frozenset(["id", "journals", "locks", "written"])


class OwnFileFilter:
    """Recognizes files and directories of this package below a directory that is sent."""

    def __init__(self) -> None:
        self._state_directory: Optional[Path] = None
        with contextlib.suppress(LocalError):  # the state directory is unknown without a home directory
            self._state_directory = Path(os.path.realpath(str(state_directory())))

    def is_skipped(self, path: Path) -> bool:
        """Return True for a file or directory of this package, and log that it is skipped."""
        own = self._is_in_state_directory(path) or is_own_file(path)
        if own:
            log.info("%s is skipped: it belongs to smartxfer", path)
        return own

    def _is_in_state_directory(self, path: Path) -> bool:
        """Return True for the state directory, and for a file of this package in it."""
        if self._state_directory is None:
            return False
        if path.name in _STATE_DIRECTORY_ENTRIES and _is_same_file(path.parent, self._state_directory):
            return True
        if path.name != self._state_directory.name or not _is_same_file(path, self._state_directory):
            return False
        try:
            # The directory is sent if the user keeps other files in it.
            return set(os.listdir(str(path))) <= _STATE_DIRECTORY_ENTRIES
        except OSError:
            return False


def is_own_file(path: Path) -> bool:
    """Return True for a part file, its state file, or a temporary file of this package.

    A part file is recognized by the state file next to it, and a state file by its content.
    """
    name = path.name
    if is_temporary_name(name):
        return _is_regular(path)
    if _PART_FILE_NAME.fullmatch(name):
        return _is_regular(path) and (
            _is_state_file(path.with_name(name + ".json")) or _is_fresh_part_file(path)
        )
    if _STATE_FILE_NAME.fullmatch(name):
        return _is_state_file(path)
    match = _TEMPORARY_STATE_FILE_NAME.fullmatch(name)
    if match is not None:
        return _has_state_file_header(path, if_empty=_is_regular(path.with_name(match["partial"])))
    return False


def _is_fresh_part_file(path: Path) -> bool:
    """Return True if a process was killed while it wrote the first state file of this part file."""
    with contextlib.suppress(OSError):
        return os.stat(str(path)).st_size == 0 and _has_state_file_header(
            path.with_name(path.name + ".json.tmp"), True
        )
    return False


def _is_regular(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(os.lstat(str(path)).st_mode)
    return False


def _is_state_file(path: Path) -> bool:
    if not _has_state_file_header(path, if_empty=False):
        return False
    try:
        if os.stat(str(path)).st_size > _MAX_STATE_FILE_SIZE:
            return False
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and set(document) >= _STATE_KEYS


def _has_state_file_header(path: Path, if_empty: bool) -> bool:
    """Return True if a file begins like a state file.

    :param if_empty: return value for an empty file.
    """
    if not _is_regular(path):
        return False
    try:
        with open_binary(path) as file:
            head = file.read(len(STATE_FILE_HEADER))
    except OSError:
        return False
    return STATE_FILE_HEADER.startswith(head) if head else if_empty


def _is_same_file(first: Path, second: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(str(first), str(second))
    return False
