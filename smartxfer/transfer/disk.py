"""What the operating system says of the local disk, as our exceptions."""

import errno
from pathlib import Path
from typing import Union

from smartxfer.errors import DiskFull, LocalError

__all__ = ["local_error"]

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def local_error(error: OSError, what: Union[str, Path]) -> LocalError:
    """Our exception for a failed write to ``what``; one that is ours already stays."""
    if isinstance(error, LocalError):
        return error
    kind = DiskFull if error.errno in _FULL else LocalError
    made = kind(f"cannot write {what}: {error.strerror or error}")
    made.errno = error.errno
    return made
