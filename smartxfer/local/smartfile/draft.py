"""Bytes on their way into the file tree."""

import os
import secrets
from typing import BinaryIO, cast

__all__ = ["Draft"]


class Draft:
    """A temporary file that becomes part of the tree, or nothing.

    As a context manager it is discarded at the end, unless the tree took it over.

    :param directory: where it lies.
    """

    def __init__(self, directory: str) -> None:
        self._name = secrets.token_hex(16)
        #: Where it lies.
        self.path = os.path.join(directory, self._name)
        #: The file, open for reading and writing.
        self.stream: BinaryIO = cast("BinaryIO", open(self.path, "x+b"))  # noqa: SIM115 - closed by discard or take
        self._taken = False

    def size(self) -> int:
        """Bytes written so far."""
        self.stream.flush()
        return os.fstat(self.stream.fileno()).st_size

    def take(self, directory: str) -> str:
        """Close it and move it into another directory.

        :return: its name there.
        """
        self.stream.close()
        os.replace(self.path, os.path.join(directory, self._name))
        self._taken = True
        return self._name

    def discard(self) -> None:
        """Close and remove it, unless it was taken."""
        if not self._taken:
            self._taken = True
            self.stream.close()
            os.unlink(self.path)

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()
