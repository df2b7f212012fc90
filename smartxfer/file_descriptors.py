"""File descriptors that are always owned by an object, so that Ctrl-C does not leave them open."""

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

    Python runs signal handlers between bytecode instructions.  In ``fd = os.open(...)``, Ctrl-C between the
    call and the assignment leaves a descriptor that is never closed.  Here C code does both.

    :param open_function: opens the descriptor, implemented in C: ``os.open`` or ``os.dup``.
    :param arguments: of ``open_function``.
    """

    def __init__(self, open_function: Callable[..., int], *arguments: Any, **keywords: Any) -> None:
        fds: List[int] = []
        self._fds = fds
        self._close: Callable[[], Any] = functools.partial(collections.deque, map(os.close, fds), 0)
        fds.extend(itertools.starmap(functools.partial(open_function, *arguments, **keywords), [()]))
        #: The number of the descriptor; -1 once it is closed.
        self.number = fds[0]

    def close(self) -> None:
        """Close the descriptor, once."""
        self.number = -1
        self._close()

    def to_binary_file(self, mode: str, buffering: int = -1) -> BinaryIO:
        """Return a binary file object that owns the descriptor from now on.

        :param mode: of ``open()``.
        :param buffering: of ``open()``.
        :raises IsADirectoryError: it is a directory.
        """
        file: BinaryIO = self._to_file(mode=mode, buffering=buffering)
        return file

    def to_text_file(self, mode: str, encoding: str) -> TextIO:
        """Return a text file object that owns the descriptor from now on.

        :param mode: of ``open()``.
        :param encoding: of ``open()``.
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

    # No Python code: a KeyboardInterrupt that is raised in a finalizer would be ignored.
    __del__ = property(operator.attrgetter("_close"))
