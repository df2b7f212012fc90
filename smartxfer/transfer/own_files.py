"""Recognize our own files in a user's directories: partial files, state files, temporary files.

They are not sent with a directory, and no download is given their name.  A name alone proves nothing: a file
that merely ends in ``.part`` is the user's.
"""

import contextlib
import logging
import os
import re
import stat
from pathlib import Path
from typing import Optional

from smartxfer.errors import LocalError
from smartxfer.seams import open_binary
from smartxfer.transfer.part_note import BEGINNING
from smartxfer.transfer.private_files import state_directory
from smartxfer.transfer.temporary import is_temporary
from smartxfer.transport.json import parse_json

__all__ = ["OwnFiles", "is_own"]

log = logging.getLogger("smartxfer.transfer")

_PARTIAL = re.compile(r".+\.part")
_STATE = re.compile(r".+\.part\.json")
#: What a process that was killed leaves of the writing of a state file.
_STATE_TEMPORARY = re.compile(r"(?P<partial>.+\.part)\.json(\.[0-9a-f]{8})?\.tmp")
_STATE_KEYS = frozenset(["version", "identity", "size", "runs"])
#: Bytes; the number of runs in a state file is bounded, and so is its size.
_LARGEST_STATE = 16 * 1024 * 1024
#: What we make in the state directory.
_IN_STATE_DIRECTORY = frozenset(["id", "journals", "locks", "written"])


class OwnFiles:
    """Recognizes our own files and directories below a directory that is sent."""

    def __init__(self) -> None:
        self._state: Optional[Path] = None
        with contextlib.suppress(LocalError):  # no home directory, so that there is no state
            self._state = Path(os.path.realpath(str(state_directory())))

    def skipped(self, path: Path) -> bool:
        """Return True for a file or directory of ours, which is left out; the log tells."""
        own = self._is_state(path) or is_own(path)
        if own:
            log.info("%s is skipped: it belongs to smartxfer", path)
        return own

    def _is_state(self, path: Path) -> bool:
        """Tell whether this is the state directory, or something of ours in it."""
        if self._state is None:
            return False
        if path.name in _IN_STATE_DIRECTORY and _same(path.parent, self._state):
            return True
        if path.name != self._state.name or not _same(path, self._state):
            return False
        try:
            return set(os.listdir(str(path))) <= _IN_STATE_DIRECTORY  # the user keeps other files there, too
        except OSError:
            return False


def is_own(path: Path) -> bool:
    """Return True for a partial file, the state file beside it, or a temporary file of ours.

    A partial file is one that has a state file beside it; what a state file is, its content tells.
    """
    name = path.name
    if is_temporary(name):
        return _is_regular(path)
    if _PARTIAL.fullmatch(name):
        return _is_regular(path) and (_is_state_file(path.with_name(name + ".json")) or _is_newborn(path))
    if _STATE.fullmatch(name):
        return _is_state_file(path)
    match = _STATE_TEMPORARY.fullmatch(name)
    if match is not None:
        return _is_begun(path, empty=_is_regular(path.with_name(match["partial"])))
    return False


def _is_newborn(path: Path) -> bool:
    """Tell whether a process was killed when it wrote the first state file of this partial file."""
    with contextlib.suppress(OSError):
        return os.stat(str(path)).st_size == 0 and _is_begun(path.with_name(path.name + ".json.tmp"), True)
    return False


def _is_regular(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISREG(os.lstat(str(path)).st_mode)
    return False


def _is_state_file(path: Path) -> bool:
    if not _is_begun(path, empty=False):
        return False
    try:
        if os.stat(str(path)).st_size > _LARGEST_STATE:
            return False
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and set(found) >= _STATE_KEYS


def _is_begun(path: Path, empty: bool) -> bool:
    """Tell whether a file has the first bytes of a state file.

    :param empty: the answer for a file without bytes.
    """
    if not _is_regular(path):
        return False
    try:
        with open_binary(path) as file:
            head = file.read(len(BEGINNING))
    except OSError:
        return False
    return BEGINNING.startswith(head) if head else empty


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(str(one), str(other))
    return False
