"""Where librsync is on this machine."""

import ctypes
import ctypes.util
import functools
import os
import sys
from typing import List

from smartxfer.delta.librsync import Librsync
from smartxfer.errors import DeltaUnavailable

__all__ = ["available", "librsync"]


def _names() -> List[str]:
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
def _load(named: str) -> Librsync:
    for name in [named] if named else _names():
        try:
            return Librsync(ctypes.CDLL(name))
        except OSError as error:
            if named:
                raise DeltaUnavailable(
                    f"SMARTXFER_LIBRSYNC names {named!r}, which cannot be loaded: {error}"
                ) from None
    found = ctypes.util.find_library("rsync")
    if found:
        try:
            return Librsync(ctypes.CDLL(found))
        except OSError:
            pass  # the answer below says it all
    raise DeltaUnavailable("there is no librsync on this machine")


def librsync() -> Librsync:
    """The library, loaded at the first call.

    The environment variable ``SMARTXFER_LIBRSYNC`` names another one, or its path.

    :raises DeltaUnavailable: there is none.
    """
    return _load(os.environ.get("SMARTXFER_LIBRSYNC", ""))


def available() -> bool:
    """Whether signatures and deltas can be made on this machine; patches always can."""
    try:
        librsync()
    except DeltaUnavailable:
        return False
    return True
