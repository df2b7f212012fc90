"""Sources for uploads: a path, bytes, an open file, a pipe."""

import io
import os
import stat
import threading
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Optional, Tuple, Union

from smartxfer._system import SYSTEM_FILESYSTEM
from smartxfer.directories import Entry, PathOrEntry, create_anonymous_file, get_os_arguments
from smartxfer.errors import SourceChanged, UsageError
from smartxfer.local_errors import wrap_os_error
from smartxfer.os_text import decode_os_text, resolve_source_path, resolve_target_path
from smartxfer.reprs import short_repr
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.file_size import Copies, Copy, CopySource, has_correct_size, stat_if_size_correct
from smartxfer.transfer.protocols import Source

__all__ = [
    "BytesSource",
    "OpenFileSource",
    "PathSource",
    "SourceLike",
    "as_source_path",
    "as_target_path",
    "get_regular_file_descriptor",
    "is_seekable",
    "is_text_file",
    "open_seekable_source",
    "open_source",
]

#: Bytes of a stream without ``seek`` that are kept in memory; a longer one is spooled to disk.
SPOOL_LIMIT = 8 * 1024 * 1024

SourceLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, Iterable[bytes]]
"""Types of an upload source: a path, bytes, an open binary file or stream, or an iterable of bytes."""

_HAS_PREAD = hasattr(os, "preadv")


class PathSource:
    """A regular file with a correct size, opened immediately and read at any offset by any thread.

    :param path: its path, or its entry in an open directory.
    """

    def __init__(self, path: PathOrEntry, name: Optional[str] = None) -> None:
        self.path = path.path if isinstance(path, Entry) else path
        self.name = name if name is not None else decode_os_text(path.name)
        self._path_or_entry = path
        self._descriptor = SYSTEM_FILESYSTEM.open(path, os.O_RDONLY)
        self._lock = threading.Lock()
        self._initial_stat = os.fstat(self._descriptor.number)
        if not stat.S_ISREG(self._initial_stat.st_mode):
            self._descriptor.close()
            raise UsageError(
                f"{path} is not a regular file", hint="open a pipe or device and pass the open stream"
            )
        self.size = self._initial_stat.st_size
        self.mtime_ns = self._initial_stat.st_mtime_ns

    def copy_if_size_is_wrong(self) -> Optional[Copy]:
        """Return a copy of the bytes if ``size`` is not their number, else None.

        :raises LocalError: the file cannot be read.
        """
        state = stat_if_size_correct(self._descriptor.number, self.path)
        if state is None:
            return Copies().add(self._descriptor.number, self.path)
        self._initial_stat, self.size, self.mtime_ns = state, state.st_size, state.st_mtime_ns
        return None

    def __repr__(self) -> str:
        return short_repr("PathSource", self.path)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        if _HAS_PREAD:
            return os.preadv(self._descriptor.number, [buffer], offset)
        with self._lock:
            os.lseek(self._descriptor.number, offset, os.SEEK_SET)
            data = os.read(self._descriptor.number, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def descriptor_at(self, offset: int) -> Tuple[int, int]:
        """Return the descriptor of the file, and the offset in it."""
        return self._descriptor.number, offset

    def check_unchanged(self) -> None:
        """Raise SourceChanged if size, modification time or the file itself changed.

        Bytes after the last one are also a change, because they were appended after the size was read.
        """
        name, dir_fd_args = get_os_arguments(self._path_or_entry)
        try:
            open_stat, path_stat = os.fstat(self._descriptor.number), os.stat(name, **dir_fd_args)
        except FileNotFoundError:
            raise SourceChanged(f"{self.path} was removed while it was being read") from None
        before = (self._initial_stat.st_size, self._initial_stat.st_mtime_ns)
        same_file = os.path.samestat(path_stat, self._initial_stat)
        if (open_stat.st_size, open_stat.st_mtime_ns) != before or not same_file:
            raise SourceChanged(f"{self.path} changed while it was being read")
        if self.read_at(memoryview(bytearray(1)), self.size):
            raise SourceChanged(f"{self.path} has more bytes than its size of {self.size}")

    def close(self) -> None:
        """Close the file."""
        self._descriptor.close()


class BytesSource:
    """Bytes in memory; they are not copied."""

    path = None

    def __init__(self, data: Union[bytes, bytearray, memoryview], name: str = "data") -> None:
        self.name = name
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def __repr__(self) -> str:
        return short_repr("BytesSource", self.name, size=self.size)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        part = self._view[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def view_at(self, offset: int, count: int) -> memoryview:
        """Return a view of some of the bytes, without a copy."""
        return self._view[offset : offset + count]

    def check_unchanged(self) -> None:
        """Do nothing: a bytearray cannot be resized while a view of it exists."""

    def close(self) -> None:
        """Release the view of the bytes."""
        self._view.release()


class OpenFileSource:
    """An open seekable binary file, from its current position to its end; it is not closed.

    Threads read a regular file concurrently, via its descriptor.  Any other file is read by one thread at a
    time, because it has one position.
    """

    path = None

    def __init__(self, file: BinaryIO, name: Optional[str] = None, owned: bool = False) -> None:
        self._file = file
        self._owned = owned
        self._lock = threading.Lock()
        self._start = file.tell()
        self.size = self._get_size()
        file.seek(self._start)
        self.name = name if name is not None else _get_file_name(file)
        #: The descriptor is requested for each read: another file may get it if the caller closes this one.
        self._regular = _HAS_PREAD and get_regular_file_descriptor(file) is not None
        self._initial_mtime_ns = self._get_mtime_ns()

    def __repr__(self) -> str:
        return short_repr("OpenFileSource", self.name, size=self.size)

    def read_at(self, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` from ``offset``."""
        if self._regular:
            return os.preadv(self._file.fileno(), [buffer], self._start + offset)
        with self._lock:
            self._file.seek(self._start + offset)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def descriptor_at(self, offset: int) -> Optional[Tuple[int, int]]:
        """Return the descriptor of a regular file, and the offset in it; None for any other."""
        return (self._file.fileno(), self._start + offset) if self._regular else None

    def check_unchanged(self) -> None:
        """Raise SourceChanged if the size, or the modification time of a regular file, changed."""
        with self._lock:
            size = self._get_size()
            self._file.seek(self._start + self.size)
            longer = bool(self._file.read(1))
        if size != self.size or longer:
            raise SourceChanged(f"the size of {self.name} changed while it was being read")
        if self._get_mtime_ns() != self._initial_mtime_ns:
            raise SourceChanged(f"{self.name} changed while it was being read")

    def close(self) -> None:
        """Close the file if it was opened by this package; leave a file of the caller open."""
        if self._owned:
            self._file.close()

    def _get_size(self) -> int:
        self._file.seek(0, io.SEEK_END)
        return max(0, self._file.tell() - self._start)

    def _get_mtime_ns(self) -> Optional[int]:
        return os.fstat(self._file.fileno()).st_mtime_ns if self._regular else None


def as_source_path(value: Any) -> Optional[Path]:
    """Return the path of a source, or None if ``value`` is not a path."""
    return resolve_source_path(value) if isinstance(value, (str, os.PathLike)) else None


def as_target_path(value: Any) -> Optional[Path]:
    """Return the path of a target, or None if ``value`` is not a path."""
    return resolve_target_path(value) if isinstance(value, (str, os.PathLike)) else None


def open_source(source_like: SourceLike, name: Optional[str] = None) -> Source:
    """Open a source for reading.

    A stream without ``seek`` is read to its end first, up to 8 MiB to memory, more to a temporary file.  A
    file whose size is not the number of its bytes is also read to its end first.

    :param source_like: a :data:`SourceLike`, or an entry of an open directory.
    :param name: name in the transfer; by default that of the file.
    :raises UsageError: the source is text, a directory, a device, or a file that is open for writing only.
    :raises FileNotFoundError: the local file does not exist.
    """
    path = source_like if isinstance(source_like, Entry) else as_source_path(source_like)
    if path is not None:
        return _open_path(path, name)
    if isinstance(source_like, (bytes, bytearray, memoryview)):
        return BytesSource(source_like, name or "data")
    source = open_seekable_source(source_like, name)
    if source is not None:
        return source
    if hasattr(source_like, "read"):
        return _spool_file(source_like, name)
    if isinstance(source_like, Iterable) and not isinstance(source_like, str):
        return _spool_chunks(source_like, name or "data")
    raise UsageError(
        f"cannot send a {type(source_like).__name__}", hint="pass a path, bytes, or open(path, 'rb')"
    )


def _open_path(path: PathOrEntry, name: Optional[str]) -> Source:
    try:
        source = PathSource(path, name)
    except OSError as error:
        raise wrap_os_error(error, path, "read") from None
    try:
        copy = source.copy_if_size_is_wrong()
    except BaseException:
        source.close()
        raise
    if copy is None:
        return source
    source.close()
    return CopySource(copy, source.name)


def is_text_file(file: Any) -> bool:
    """Return True if ``file`` was opened as text, including wrappers of ``tempfile``."""
    return isinstance(file, io.TextIOBase) or (hasattr(file, "read") and hasattr(file, "encoding"))


def open_seekable_source(file: Any, name: Optional[str] = None) -> Optional[Source]:
    """Return a source for an open file that can seek, from its current position; None for other objects.

    :raises UsageError: the file was opened as text, or for writing only.
    """
    if is_text_file(file):
        name = name or _get_file_name(file)
        raise UsageError(f"{name!r} was opened as text", hint="open it in binary mode: open(path, 'rb')")
    if getattr(file, "readable", lambda: True)() is False:
        raise UsageError("the open file is not open for reading", hint="open it with 'rb'")
    if not (hasattr(file, "read") and is_seekable(file)):
        return None
    return OpenFileSource(file, name) if has_correct_size(file) else _spool_file(file, name)


def is_seekable(file: Any) -> bool:
    """Return True if an open file can seek."""
    try:
        # SpooledTemporaryFile of older Python versions can seek, but has no method `seekable`.
        if not getattr(file, "seekable", lambda: True)():
            return False
        position = file.tell()
        file.seek(0, io.SEEK_END)
        file.seek(position)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def get_regular_file_descriptor(file: Any) -> Optional[int]:
    """Return the descriptor of an open regular file; None for any other object.

    Wrappers such as ``GzipFile`` also have ``fileno``, but return other bytes than the descriptor.
    """
    if type(file) in (io.BufferedReader, io.BufferedRandom, io.BufferedWriter):
        file = file.raw
    if type(file) is not io.FileIO:
        return None
    number = file.fileno()
    return number if stat.S_ISREG(os.fstat(number).st_mode) else None


def _spool_file(file: Any, name: Optional[str]) -> Source:
    """Return a source with the rest of an open file or stream."""
    return _spool_chunks(iter(lambda: file.read(BLOCK_SIZE), b""), name or _get_file_name(file))


def _spool_chunks(chunks: Iterable[bytes], name: str) -> Source:
    """Return a source with all chunks, which are kept in memory or in a temporary file without a name."""
    spool: BinaryIO = io.BytesIO()
    try:
        for piece in chunks:
            if not isinstance(piece, (bytes, bytearray, memoryview)):
                raise UsageError(
                    f"the stream {name!r} returned {type(piece).__name__}, not bytes",
                    hint="open it in binary mode: open(path, 'rb')",
                )
            if isinstance(spool, io.BytesIO) and spool.tell() + memoryview(piece).nbytes > SPOOL_LIMIT:
                spool = _move_spool_to_disk(spool)
            _write_spool(spool, piece)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return OpenFileSource(spool, name, owned=True)


def _move_spool_to_disk(memory: io.BytesIO) -> BinaryIO:
    """Move the spooled bytes from memory to a temporary file without a name; return the file."""
    try:
        file = create_anonymous_file()
    except OSError as error:
        raise wrap_os_error(error, "the temporary file for a stream") from None
    try:
        _write_spool(file, memory.getvalue())
    except BaseException:
        file.close()
        raise
    memory.close()
    return file


def _write_spool(spool: BinaryIO, chunk: Union[bytes, bytearray, memoryview]) -> None:
    try:
        spool.write(chunk)
    except OSError as error:
        raise wrap_os_error(error, "the temporary file for a stream") from None


def _get_file_name(file: Any) -> str:
    name = getattr(file, "name", None)
    return decode_os_text(os.path.basename(name)) if isinstance(name, str) and name[:1] != "<" else "data"
