"""File descriptors that have an owner from the first moment, so that Ctrl-C leaves none open."""

import collections
import errno
import functools
import io
import itertools
import operator
import os
import stat
from typing import Any, BinaryIO, Callable, List, TextIO

__all__ = ["Descriptor"]


class Descriptor:
    """An open file descriptor, closed with this object at the latest.

    Python runs the handler of a signal between two steps of its own code.  The call in ``fd = os.open(...)``
    is one step and the assignment the next: Ctrl-C between them leaves a descriptor that nothing closes.
    Here C code does both.

    :param opening: opens it, by C code alone: ``os.open`` or ``os.dup``.
    :param arguments: of ``opening``.
    """

    def __init__(self, opening: Callable[..., int], *arguments: Any, **keywords: Any) -> None:
        held: List[int] = []
        self._held = held
        self._close: Callable[[], Any] = functools.partial(collections.deque, map(os.close, held), 0)
        held.extend(itertools.starmap(functools.partial(opening, *arguments, **keywords), [()]))
        #: Its number; -1 once it is closed.
        self.number = held[0]

    def close(self) -> None:
        """Close it, once."""
        self.number = -1
        self._close()

    def binary(self, mode: str, buffering: int = -1) -> BinaryIO:
        """Return a binary file object that owns the descriptor from now on.

        :param mode: and buffering: of ``open()``.
        :raises IsADirectoryError: it is a directory.
        """
        file: BinaryIO = self._file(mode=mode, buffering=buffering)
        return file

    def text(self, mode: str, encoding: str) -> TextIO:
        """Return a text file object that owns the descriptor from now on.

        :param mode: and encoding: of ``open()``.
        :raises IsADirectoryError: it is a directory.
        """
        file: TextIO = self._file(mode=mode, encoding=encoding)
        return file

    def _file(self, **how: Any) -> Any:
        if stat.S_ISDIR(os.fstat(self.number).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        [file] = map(functools.partial(io.open, **how), map(self._held.pop, [0]))
        self.number = -1
        return file

    def __enter__(self) -> "Descriptor":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    # Without code in Python: a handler that ran in a finalizer would have its KeyboardInterrupt swallowed.
    __del__ = property(operator.attrgetter("_close"))
