"""What the operating system says, as our exceptions."""

import errno

from smartxfer.errors import DiskFull, LocalError, SmartxferError

__all__ = ["local_error"]

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


def local_error(error: OSError, what: str) -> OSError:
    """What to raise when ``what`` could not be done; ours and a missing file stay what they are."""
    if isinstance(error, (SmartxferError, FileNotFoundError)):
        return error
    kind = DiskFull if error.errno in _FULL else LocalError
    made = kind(f"cannot {what}: {error.strerror or error}")
    made.errno = error.errno
    return made
