"""What a caller may give as a file: a path, an open file, a stream."""

import io
import os
import stat
from typing import Any, BinaryIO, Optional, Union

from smartxfer.errors import LocalError, UsageError

__all__ = ["AnyFile", "can_seek", "descriptor_of", "end_of", "fill", "is_path", "is_text"]

AnyFile = Union[str, "os.PathLike[str]", BinaryIO]
"""A path or an open binary file."""


def is_path(thing: Any) -> bool:
    """Whether ``thing`` names a file."""
    return isinstance(thing, (str, os.PathLike))


def is_text(file: Any) -> bool:
    """Whether ``file`` was opened as text."""
    return isinstance(file, io.TextIOBase) or hasattr(file, "encoding")


def descriptor_of(file: Any) -> Optional[int]:
    """The descriptor of an open regular file that is just that; None for all else.

    A ``GzipFile`` and many a wrapper have a ``fileno`` too, but its bytes are others.
    """
    if type(file) in (io.BufferedReader, io.BufferedRandom, io.BufferedWriter):
        file = file.raw
    if type(file) is not io.FileIO:
        return None
    number = file.fileno()
    return number if stat.S_ISREG(os.fstat(number).st_mode) else None


def can_seek(file: Any) -> bool:
    """Whether a stream can go back."""
    try:
        if not file.seekable():
            return False
        file.tell()
    except (AttributeError, OSError, ValueError):
        # `seekable` is missing in wrappers of older Pythons that can seek all the same.
        return not hasattr(file, "seekable") and hasattr(file, "seek") and hasattr(file, "tell")
    return True


def end_of(file: Any, back_to: int) -> int:
    """Where a stream ends; it stands at ``back_to`` then."""
    file.seek(0, io.SEEK_END)
    end = int(file.tell())
    file.seek(back_to)
    return end


def fill(file: Any, view: memoryview, what: str) -> int:
    """Fill ``view`` from someone's stream; what that raises is the caller's to see."""
    if hasattr(file, "readinto"):
        count = file.readinto(view)
        if count is None:
            raise LocalError(f"the {what} has no bytes yet", hint="give a stream that waits for them")
        return int(count)
    data = file.read(len(view))
    if data is None:
        raise LocalError(f"the {what} has no bytes yet", hint="give a stream that waits for them")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(f"the {what} gives {type(data).__name__}, not bytes")
    if len(data) > len(view):
        raise LocalError(f"the {what} gives more bytes than it was asked for")
    view[: len(data)] = data
    return len(data)
