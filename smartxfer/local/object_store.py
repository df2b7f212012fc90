"""Stored bytes: one sparse file per object, named by its number and nothing else."""

import mimetypes
import os
import tempfile
from typing import IO, Any, Callable, Optional, Protocol

from smartxfer.errors import UsageError
from smartxfer.local.request_body import RequestBody

#: Size of the buffer for a body in bytes.
PIECE = 1 << 20


#: Media type of unknown files.
OCTETS = "application/octet-stream"
#: Python's own table, because that of the system differs between machines.
_TYPES = mimetypes.MimeTypes()


def media_type(name: str) -> str:
    """Return the media type of a file by its name alone."""
    # With a directory, because the name alone could be parsed as a URL if it contains a colon.
    return _TYPES.guess_type("x/" + name.rsplit("/", 1)[-1], strict=False)[0] or OCTETS


def private_directory(path: str) -> str:
    """Create a directory that only its owner can read; neither it nor its entries may be links.

    :param path: the directory; its parent exists.
    :return: the path.
    :raises UsageError: it is a link, contains one, or is not a directory.
    """
    if os.path.islink(path):
        raise UsageError(f"the data directory {path} is a symbolic link", hint="pass the path of a directory")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{path} is not a directory", hint="pass the path of a directory") from None
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise UsageError(
                    f"{entry.path} is a symbolic link, which a data directory must not contain",
                    hint="remove the link, or pass another directory",
                )
    return path


class ObjectStore:
    """Objects under a directory.

    :param root: the directory; created if missing.
    """

    def __init__(self, root: str) -> None:
        self._root = private_directory(root)
        self._no_follow = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

    def path(self, number: int) -> str:
        """Return the path of an object."""
        return os.path.join(self._root, str(int(number)))

    def size(self, number: int) -> int:
        """Return the size of an object in bytes; 0 if it does not exist."""
        try:
            return os.stat(self.path(number)).st_size
        except FileNotFoundError:
            return 0

    def open(self, number: int) -> int:
        """Open an object for writing, created if missing; return the descriptor."""
        return os.open(self.path(number), os.O_RDWR | os.O_CREAT | self._no_follow, 0o600)

    def delete(self, number: int) -> None:
        """Remove an object, if it is there."""
        try:
            os.unlink(self.path(number))
        except FileNotFoundError:
            pass  # The object was never written.

    def receive(self, number: int, offset: int, body: RequestBody) -> int:
        """Write a body into an object while it is received.

        :param number: the object.
        :param offset: position of its first byte in the object.
        :return: bytes written.
        """
        descriptor = self.open(number)
        try:
            return copy_body(
                body, lambda view, position: write_all(descriptor, view, offset + position), body.length
            )
        finally:
            os.close(descriptor)

    def spool(self) -> IO[bytes]:
        """Return an unnamed file in the store, for bytes that are not verified yet."""
        return tempfile.TemporaryFile(dir=self._root, buffering=0)

    def copy_from_spool(self, number: int, offset: int, spool: IO[bytes], count: int) -> int:
        """Copy the first ``count`` bytes of a spool into an object at ``offset``.

        :return: bytes written.
        """
        descriptor = self.open(number)
        try:
            done = 0
            copy = getattr(os, "copy_file_range", None)
            try:
                while copy is not None and done < count:
                    copied = copy(spool.fileno(), descriptor, count - done, done, offset + done)
                    if not copied:
                        break
                    done += copied
            except OSError:
                pass  # Not possible between these file systems: copy below.
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


class Readable(Protocol):
    """Source of bytes."""

    def readinto(self, view: memoryview) -> int:
        """Read some bytes into ``view``; 0 at the end."""


def copy_body(body: Readable, write: Callable[[memoryview, int], Any], length: Optional[int] = None) -> int:
    """Copy a body to its end with one buffer.

    :param write: called with each piece and its position.
    :param length: announced number of bytes, None if unknown.
    :return: bytes read.
    """
    size = PIECE if length is None else min(PIECE, max(length, 1))
    buffer = memoryview(bytearray(size))
    position = 0
    while True:
        count = body.readinto(buffer)
        if not count:
            return position
        write(buffer[:count], position)
        position += count


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


def spool_and_hash(body: RequestBody, spool: IO[bytes], update: Callable[[memoryview], None]) -> int:
    """Write a body into a spool file, and pass each piece to a MAC or digest.

    :param update: receives the next piece.
    :return: bytes written.
    """

    def sink(view: memoryview, _at: int) -> None:
        update(view)
        while view:
            view = view[spool.write(view) or 0 :]

    return copy_body(body, sink, body.length)
