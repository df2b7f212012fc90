"""Comparison of files on the server with local files, by checksum.

Source: SmartFile protocol, section 5.
"""

import os
import stat
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from smartxfer.local_errors import is_resource_error, wrap_os_error
from smartxfer.smartfile.api import SmartFileApi
from smartxfer.smartfile.delta_sync import CHECKSUM_ALGORITHM
from smartxfer.smartfile.models import Info
from smartxfer.transfer.digest import compute_file_digest
from smartxfer.transfer.file_size import measure_file_size

__all__ = ["find_identical_files", "get_file_size"]

#: Maximum number of files in one checksum task.
_CHECKSUM_BATCH_SIZE = 100


def find_identical_files(api: SmartFileApi, pairs: Sequence[Tuple[Path, Optional[Info]]]) -> Dict[str, str]:
    """Return digests by path on the server, of the files whose content equals that of the local file."""
    candidates = {
        info.path: path for path, info in pairs if info is not None and get_file_size(path) == info.size
    }
    paths = list(candidates)
    digests: Dict[str, str] = {}
    for start in range(0, len(paths), _CHECKSUM_BATCH_SIZE):
        digests.update(api.get_checksums(paths[start : start + _CHECKSUM_BATCH_SIZE], CHECKSUM_ALGORITHM))
    return {path: digest for path, digest in digests.items() if _has_digest(candidates[path], digest)}


def get_file_size(path: Path) -> int:
    """Return the size of a regular file in bytes; -1 if it is missing, inaccessible or not regular."""
    try:
        return measure_file_size(path) if stat.S_ISREG(os.stat(str(path)).st_mode) else -1
    except OSError:
        return -1


def _has_digest(path: Path, digest: str) -> bool:
    """Return True if a file has this digest, False also if it cannot be read."""
    try:
        return compute_file_digest(path, CHECKSUM_ALGORITHM) == digest
    except OSError as error:
        if is_resource_error(error):
            raise wrap_os_error(error, path, "read") from None
        return False
