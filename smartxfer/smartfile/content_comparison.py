"""Which files on the server have the content of a local one.

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

#: Checksums that are asked for in one task.
_CHECKSUM_BATCH_SIZE = 100


def find_identical_files(api: SmartFileApi, pairs: Sequence[Tuple[Path, Optional[Info]]]) -> Dict[str, str]:
    """Return the paths on the server whose file has the bytes of the local one, with their digest."""
    alike = {info.path: path for path, info in pairs if info is not None and get_file_size(path) == info.size}
    paths = list(alike)
    held: Dict[str, str] = {}
    for start in range(0, len(paths), _CHECKSUM_BATCH_SIZE):
        held.update(api.get_checksums(paths[start : start + _CHECKSUM_BATCH_SIZE], CHECKSUM_ALGORITHM))
    return {path: digest for path, digest in held.items() if _has_digest(alike[path], digest)}


def get_file_size(path: Path) -> int:
    """Bytes of a regular file; -1 where there is none that can be looked at."""
    try:
        return measure_file_size(path) if stat.S_ISREG(os.stat(str(path)).st_mode) else -1
    except OSError:
        return -1


def _has_digest(path: Path, digest: str) -> bool:
    """Tell whether a file has this digest; one that cannot be read has not."""
    try:
        return compute_file_digest(path, CHECKSUM_ALGORITHM) == digest
    except OSError as error:
        if is_resource_error(error):
            raise wrap_os_error(error, path, "read") from None
        return False
