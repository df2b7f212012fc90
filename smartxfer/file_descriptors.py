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

__all__ = ["FileDescriptor"]


class FileDescriptor:
    """An open file descriptor, closed with this object at the latest.

    Python runs the handler of a signal between two steps of its own code.  The call in ``fd = os.open(...)``
    is one step and the assignment the next: Ctrl-C between them leaves a descriptor that nothing closes.
    Here C code does both.

    :param open_function: opens it, by C code alone: ``os.open`` or ``os.dup``.
    :param arguments: of ``open_function``.
    """

    def __init__(self, open_function: Callable[..., int], *arguments: Any, **keywords: Any) -> None:
        held: List[int] = []
        self._fds = held
        self._close: Callable[[], Any] = functools.partial(collections.deque, map(os.close, held), 0)
        held.extend(itertools.starmap(functools.partial(open_function, *arguments, **keywords), [()]))
        #: Its number; -1 once it is closed.
        self.number = held[0]

    def close(self) -> None:
        """Close it, once."""
        self.number = -1
        self._close()

    def to_binary_file(self, mode: str, buffering: int = -1) -> BinaryIO:
        """Return a binary file object that owns the descriptor from now on.

        :param mode: and buffering: of ``open()``.
        :raises IsADirectoryError: it is a directory.
        """
        file: BinaryIO = self._to_file(mode=mode, buffering=buffering)
        return file

    def to_text_file(self, mode: str, encoding: str) -> TextIO:
        """Return a text file object that owns the descriptor from now on.

        :param mode: and encoding: of ``open()``.
        :raises IsADirectoryError: it is a directory.
        """
        file: TextIO = self._to_file(mode=mode, encoding=encoding)
        return file

    def _to_file(self, **open_args: Any) -> Any:
        if stat.S_ISDIR(os.fstat(self.number).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        [file] = map(functools.partial(io.open, **open_args), map(self._fds.pop, [0]))
        self.number = -1
        return file

    def __enter__(self) -> "FileDescriptor":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    # Without code in Python: a handler that ran in a finalizer would have its KeyboardInterrupt swallowed.
    __del__ = property(operator.attrgetter("_close"))
