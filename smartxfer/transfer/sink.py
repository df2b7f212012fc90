"""Sinks for downloads: a path, an open file, memory."""

import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Optional, Union

from smartxfer.errors import LocalError, UsageError
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.device_sink import DeviceSink, is_device
from smartxfer.transfer.digest import compute_file_digest, new_hash
from smartxfer.transfer.file_sink import FileSink
from smartxfer.transfer.protocols import Extent, Sink
from smartxfer.transfer.source import as_target_path, is_text_file

__all__ = [
    "FileSink",
    "MemorySink",
    "SinkLike",
    "StreamSink",
    "get_target_directory",
    "is_directory_target",
    "open_sink",
    "validate_sink",
]

SinkLike = Union[str, "os.PathLike[str]", BinaryIO, "MemorySink", Sink]
"""Types of a download target: a path, a directory, an open binary file, or a :class:`MemorySink`.

A symbolic link is followed to its target.  Devices and named pipes are written to, not replaced.
"""


def get_physical_memory() -> Optional[int]:
    """Return the bytes of memory of this machine; None if they are unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


class MemorySink:
    """Keeps the bytes in memory; read them from ``data``."""

    sequential = False
    path = None

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"MemorySink({len(self._bytes)} bytes)"

    @property
    def data(self) -> bytes:
        """The bytes received so far."""
        return bytes(self._bytes)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Discard earlier bytes.

        :raises LocalError: the object is larger than the memory of this machine.
        """
        limit = get_physical_memory()
        if size is not None and limit is not None and size > limit:
            raise LocalError(
                f"{size} bytes are more than the memory of this machine, {limit} bytes",
                hint="pass a path, to download to a file",
            )
        self._bytes = bytearray()
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Store the bytes at their offset."""
        with self._lock:
            missing = offset - len(self._bytes)
            if missing > 0:
                self._bytes.extend(bytes(missing))
            self._bytes[offset : offset + len(data)] = data

    def restart(self) -> None:
        """Discard the bytes."""
        self._bytes = bytearray()

    def digest(self, algorithm: str) -> str:
        """Return the hex digest of the bytes."""
        running = new_hash(algorithm)
        running.update(self._bytes)
        return str(running.hexdigest())

    def commit(self) -> None:
        """Do nothing: ``data`` is complete."""

    def suspend(self) -> None:
        """Discard the incomplete bytes."""
        self._bytes = bytearray()


class StreamSink:
    """Writes in order to an open binary file, which is not closed."""

    sequential = True
    path = None

    def __init__(self, file: BinaryIO) -> None:
        self._file: Any = file  # its write() may return None
        seekable = bool(getattr(file, "seekable", lambda: False)())
        #: True if bytes can be written again from the start.
        self.rewindable = seekable
        self._start = file.tell() if seekable else 0
        self._at = 0

    def __repr__(self) -> str:
        return f"StreamSink({self._at} bytes written)"

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Start at the current position of the file."""
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Append the bytes."""
        if offset != self._at:
            raise LocalError(
                f"cannot write byte {offset} to the stream: its position is {self._at}",
                hint="download to a path, or to a file that can seek",
            )
        view = memoryview(data)
        try:
            while view:
                count = self._file.write(view)
                view = view[len(view) if count is None else count :]
        except OSError as error:
            raise wrap_os_error(error, "the open file") from None
        self._at += len(data)

    def restart(self) -> None:
        """Return to the first position.

        :raises LocalError: bytes were written, and the file cannot seek.
        """
        if self._at and not self.rewindable:
            raise LocalError(
                "the download must restart from its beginning, but the stream cannot be rewound",
                hint="download to a path, or to an open file that can seek",
            )
        if self._at:
            self._file.seek(self._start)
            self._file.truncate()
        self._at = 0

    def digest(self, algorithm: str) -> str:
        """Read the bytes back and return their hex digest."""
        if not (self.rewindable and self._file.readable()):
            raise LocalError(
                "cannot verify the checksum: the open file cannot be read back",
                hint="open it with 'w+b', or download to a path",
            )
        self._file.flush()
        self._file.seek(self._start)
        digest = compute_file_digest(self._file, algorithm)
        self._file.seek(self._start + self._at)
        return digest

    def commit(self) -> None:
        """Flush the file, if it has a ``flush`` method."""
        try:
            getattr(self._file, "flush", lambda: None)()
        except OSError as error:
            raise wrap_os_error(error, "the open file") from None

    def suspend(self) -> None:
        """Flush the file; the written bytes remain."""
        self.commit()


def is_directory_target(target: Any, path: Path) -> bool:
    """Return True if a target is an existing directory, or its text ends with a slash.

    :param target: as the caller passed it.
    :param path: the path of the target.
    """
    return os.path.isdir(str(path)) or os.fsdecode(target).endswith(("/", os.sep))


def get_target_directory(target: Any) -> Optional[Path]:
    """Return the path of a target that is a directory; None for any other target."""
    path = as_target_path(target)
    return path if path is not None and is_directory_target(target, path) else None


def open_sink(target: Any, name: str) -> Sink:
    """Return a sink for a :data:`SinkLike`.

    :param name: safe file name, for a directory.
    :raises UsageError: the target is a file opened as text, or cannot be written to.
    """
    path = validate_sink(target)
    if path is not None:
        inside = is_directory_target(target, path)
        if not inside and is_device(path):
            return DeviceSink(path)
        return FileSink(path / name, follow=False) if inside else FileSink(path)
    if hasattr(target, "write_at"):
        sink: Sink = target
        return sink
    return StreamSink(target)


def validate_sink(target: Any) -> Optional[Path]:
    """Check a target before a request is sent; return its path, or None for another target.

    :raises UsageError: the target is a file opened as text, or cannot be written to.
    """
    path = as_target_path(target)
    if path is not None:
        return path
    if is_text_file(target):
        raise UsageError("cannot write bytes to a file opened as text", hint="open it with 'wb'")
    if not (hasattr(target, "write_at") or hasattr(target, "write")):
        raise UsageError(
            f"cannot write to a {type(target).__name__}", hint="pass a path, or open(path, 'wb')"
        )
    if getattr(target, "writable", lambda: True)() is False:
        raise UsageError("the open file is not open for writing", hint="open it with 'wb'")
    return None
