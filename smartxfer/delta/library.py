"""Search for librsync on this machine."""

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
                    f"cannot load {explicit_name!r}, which SMARTXFER_LIBRSYNC names: {error}"
                ) from None
    path = ctypes.util.find_library("rsync")
    if path:
        try:
            return Librsync(ctypes.CDLL(path))
        except OSError:
            pass  # reported below, as a missing library
    raise LibrsyncNotFound("librsync is not installed on this machine")


def get_librsync() -> Librsync:
    """Return the library, which is loaded by the first call.

    The environment variable ``SMARTXFER_LIBRSYNC`` selects a library by name or path.

    :raises LibrsyncNotFound: librsync is not installed, or cannot be loaded.
    """
    return _load_library(os.environ.get("SMARTXFER_LIBRSYNC", ""))


def available() -> bool:
    """Return True if librsync is installed, which signatures and deltas need; patches do not need it."""
    try:
        get_librsync()
    except LibrsyncNotFound:
        return False
    return True
