"""Warnings about files with secrets that other users of the machine may access."""

import logging
import os
import stat
import threading
from typing import Any, Set, Tuple

__all__ = ["warn_if_shared"]

log = logging.getLogger("smartxfer.credentials")

_OTHER_USERS_MODE = stat.S_IRWXG | stat.S_IRWXO
_warned: Set[Tuple[str, int, int]] = set()
_lock = threading.Lock()


def warn_if_shared(path: Any, stat_result: os.stat_result) -> None:
    """Warn of a file with a secret that other users may access by its mode, once per file and process.

    :param stat_result: of the file.
    """
    mode = stat.S_IMODE(stat_result.st_mode)
    if os.name != "posix" or not mode & _OTHER_USERS_MODE:
        return
    key = (str(path), stat_result.st_dev, stat_result.st_ino)
    with _lock:
        known = key in _warned
        _warned.add(key)
    if not known:
        log.warning(
            "credentials: %s contains a secret, but its mode %04o lets other users access it (chmod 600 %s)",
            *(path, mode, path),
        )
