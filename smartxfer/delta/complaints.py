"""What the operating system says, as our exceptions."""

import errno

from smartxfer.errors import DiskFull, LocalError, SmartxferError
from smartxfer.system_text import too_long

__all__ = ["local_error"]

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def local_error(error: OSError, what: str) -> OSError:
    """What to raise when ``what`` could not be done; ours and a missing file stay what they are."""
    if isinstance(error, (SmartxferError, FileNotFoundError)):
        return error
    kind = DiskFull if error.errno in _FULL else LocalError
    reason = str(error.strerror or error)
    if error.errno == errno.ENAMETOOLONG:
        reason = too_long(str(error.filename or what))
    return kind(f"cannot {what}: {reason}", errno=error.errno)
