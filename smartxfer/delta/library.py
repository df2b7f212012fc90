"""Where librsync is on this machine."""

import ctypes
import ctypes.util
import functools
import os
import sys
from typing import List

from smartxfer.delta.librsync import Librsync
from smartxfer.errors import LibrsyncNotFound

__all__ = ["available", "get_librsync"]


def _get_library_names() -> List[str]:
    if sys.platform == "win32":
        return ["librsync.dll", "rsync.dll", "librsync-2.dll"]
    if sys.platform == "darwin":
        return [
            "librsync.2.dylib",
            "librsync.dylib",
            "/opt/homebrew/lib/librsync.2.dylib",
            "/opt/local/lib/librsync.2.dylib",
        ]
    return ["librsync.so.2", "librsync.so"]


@functools.lru_cache(maxsize=4)
def _load_library(explicit_name: str) -> Librsync:
    for name in [explicit_name] if explicit_name else _get_library_names():
        try:
            return Librsync(ctypes.CDLL(name))
        except OSError as error:
            if explicit_name:
                raise LibrsyncNotFound(
                    f"SMARTXFER_LIBRSYNC names {explicit_name!r}, which cannot be loaded: {error}"
                ) from None
    found = ctypes.util.find_library("rsync")
    if found:
        try:
            return Librsync(ctypes.CDLL(found))
        except OSError:
            pass  # the answer below says it all
    raise LibrsyncNotFound("there is no librsync on this machine")


def get_librsync() -> Librsync:
    """The library, loaded at the first call.

    The environment variable ``SMARTXFER_LIBRSYNC`` names another one, or its path.

    :raises LibrsyncNotFound: there is none.
    """
    return _load_library(os.environ.get("SMARTXFER_LIBRSYNC", ""))


def available() -> bool:
    """Whether signatures and deltas can be made on this machine; patches always can."""
    try:
        get_librsync()
    except LibrsyncNotFound:
        return False
    return True
