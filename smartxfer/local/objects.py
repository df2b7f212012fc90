"""Stored bytes: one sparse file per object, named by its number and nothing else."""

import mimetypes
import os
import tempfile
from typing import IO, Any, Callable, Optional, Protocol

from smartxfer.errors import UsageError
from smartxfer.local.body import Body

#: Bytes of a body held at a time.
PIECE = 1 << 20


#: Media type of what is not known.
OCTETS = "application/octet-stream"
#: The types of Python itself, so that they are the same on every machine.
_TYPES = mimetypes.MimeTypes()


def media_type(name: str) -> str:
    """Return the media type of a file by its name alone."""
    # Behind a directory, so that a colon does not make it a URL.
    return _TYPES.guess_type("x/" + name.rsplit("/", 1)[-1], strict=False)[0] or OCTETS


def private_directory(path: str) -> str:
    """Make a directory that only its owner reads; neither it nor what is in it may be a link.

    :param path: the directory; its parent exists.
    :return: the path.
    :raises UsageError: it is a link, holds one, or is something else than a directory.
    """
    if os.path.islink(path):
        raise UsageError(f"{path} is a symbolic link; the data directory must not be one")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{path} is not a directory") from None
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise UsageError(f"{entry.path} is a symbolic link, which has no place there")
    return path


class Objects:
    """Objects under a directory.

    :param root: the directory; made where missing.
    """

    def __init__(self, root: str) -> None:
        self._root = private_directory(root)
        self._no_follow = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

    def path(self, number: int) -> str:
        """Where an object lies."""
        return os.path.join(self._root, str(int(number)))

    def size(self, number: int) -> int:
        """Bytes of an object up to its last one; 0 where there is none."""
        try:
            return os.stat(self.path(number)).st_size
        except FileNotFoundError:
            return 0

    def open(self, number: int) -> int:
        """Descriptor of an object for writing; it is made where missing."""
        return os.open(self.path(number), os.O_RDWR | os.O_CREAT | self._no_follow, 0o600)

    def delete(self, number: int) -> None:
        """Remove an object, if it is there."""
        try:
            os.unlink(self.path(number))
        except FileNotFoundError:
            pass  # Nothing was ever written.

    def receive(self, number: int, offset: int, body: Body) -> int:
        """Write a body into an object as it comes.

        :param number: the object.
        :param offset: where its first byte goes.
        :return: bytes written.
        """
        descriptor = self.open(number)
        try:
            return pour(body, lambda view, at: write_all(descriptor, view, offset + at), body.length)
        finally:
            os.close(descriptor)

    def spool(self) -> IO[bytes]:
        """A nameless file beside the objects, for bytes that are not yet trusted."""
        return tempfile.TemporaryFile(dir=self._root, buffering=0)

    def adopt(self, number: int, offset: int, spool: IO[bytes], count: int) -> int:
        """Copy the first ``count`` bytes of a spool into an object at ``offset``.

        :return: bytes written.
        """
        descriptor = self.open(number)
        try:
            done = 0
            copy = getattr(os, "copy_file_range", None)
            try:
                while copy is not None and done < count:
                    moved = copy(spool.fileno(), descriptor, count - done, done, offset + done)
                    if not moved:
                        break
                    done += moved
            except OSError:
                pass  # Not across these file systems: copied below.
            spool.seek(done)
            while done < count:
                piece = spool.read(min(PIECE, count - done))
                if not piece:
                    break
                write_all(descriptor, memoryview(piece), offset + done)
                done += len(piece)
            return done
        finally:
            os.close(descriptor)


class Stream(Protocol):
    """Where bytes come from."""

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``; 0 at the end."""


def pour(body: Stream, sink: Callable[[memoryview, int], Any], length: Optional[int] = None) -> int:
    """Read a body to its end through one reused buffer.

    :param sink: called with each piece and its position.
    :param length: how many are announced; None where nobody said.
    :return: bytes read.
    """
    size = PIECE if length is None else min(PIECE, max(length, 1))
    buffer = memoryview(bytearray(size))
    at = 0
    while True:
        count = body.readinto(buffer)
        if not count:
            return at
        sink(buffer[:count], at)
        at += count


def write_all(descriptor: int, view: memoryview, offset: int) -> None:
    """Write every byte of ``view`` at ``offset``."""
    if not hasattr(os, "pwrite"):
        os.lseek(descriptor, offset, os.SEEK_SET)
        while view:
            view = view[os.write(descriptor, view) :]
        return
    while view:
        count = os.pwrite(descriptor, view, offset)
        view = view[count:]
        offset += count


def spool_hashed(body: Body, spool: IO[bytes], update: Callable[[memoryview], None]) -> int:
    """Write a body into a spool, and show each piece to a MAC on the way.

    :param update: takes in the next piece.
    :return: bytes written.
    """

    def sink(view: memoryview, _at: int) -> None:
        update(view)
        while view:
            view = view[spool.write(view) or 0 :]

    return pour(body, sink, body.length)
