"""Which files on the server have the content of a local one.

Source: SmartFile protocol, section 5.
"""

import os
import stat
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from smartxfer.local_errors import is_resource_error, local_error
from smartxfer.smartfile.calls import Calls
from smartxfer.smartfile.models import Info
from smartxfer.smartfile.resync import ALGORITHM
from smartxfer.transfer.digest import digest_of
from smartxfer.transfer.true_size import true_size

__all__ = ["same_content", "size_of"]

#: Checksums that are asked for in one task.
_BATCH = 100


def same_content(calls: Calls, pairs: Sequence[Tuple[Path, Optional[Info]]]) -> Dict[str, str]:
    """Return the paths on the server whose file has the bytes of the local one, with their digest."""
    alike = {
        info.path: path
        for path, info in pairs
        if info is not None and size_of(path) == info.size
    }
    paths = list(alike)
    held: Dict[str, str] = {}
    for start in range(0, len(paths), _BATCH):
        held.update(calls.checksums(paths[start : start + _BATCH], ALGORITHM))
    return {path: digest for path, digest in held.items() if _has(alike[path], digest)}


def size_of(path: Path) -> int:
    """Bytes of a regular file; -1 where there is none that can be looked at."""
    try:
        return true_size(path) if stat.S_ISREG(os.stat(str(path)).st_mode) else -1
    except OSError:
        return -1


def _has(path: Path, digest: str) -> bool:
    """Tell whether a file has this digest; one that cannot be read has not."""
    try:
        return digest_of(path, ALGORITHM) == digest
    except OSError as error:
        if is_resource_error(error):
            raise local_error(error, path, "read") from None
        return False
