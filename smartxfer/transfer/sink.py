"""Where a download goes: a path, an open file, memory."""

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
"""What a caller may give: a path, a directory, an open binary file, a :class:`MemorySink`.

A symbolic link is followed to its target.  Devices and named pipes are written to, not replaced.
"""


def get_physical_memory() -> Optional[int]:
    """Return the bytes of memory of this machine; None where the system does not say."""
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
        """The bytes so far."""
        return bytes(self._bytes)

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Start empty: memory holds nothing from an earlier run.

        :raises LocalError: it is more than this machine has memory.
        """
        most = get_physical_memory()
        if size is not None and most is not None and size > most:
            raise LocalError(
                f"{size} bytes are more than the memory of this machine, {most} bytes",
                hint="download to a file: give its path",
            )
        self._bytes = bytearray()
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Put the bytes in their place."""
        with self._lock:
            missing = offset - len(self._bytes)
            if missing > 0:
                self._bytes.extend(bytes(missing))
            self._bytes[offset : offset + len(data)] = data

    def restart(self) -> None:
        """Forget the bytes."""
        self._bytes = bytearray()

    def digest(self, algorithm: str) -> str:
        """Hex digest of the bytes."""
        running = new_hash(algorithm)
        running.update(self._bytes)
        return str(running.hexdigest())

    def commit(self) -> None:
        """Nothing to do: ``data`` is there."""

    def suspend(self) -> None:
        """Drop what is not complete."""
        self._bytes = bytearray()


class StreamSink:
    """Writes in order into an open binary file, which is not closed."""

    sequential = True
    path = None

    def __init__(self, file: BinaryIO) -> None:
        self._file: Any = file  # whose write() may return None
        seekable = bool(getattr(file, "seekable", lambda: False)())
        #: Whether bytes can be taken back.
        self.rewindable = seekable
        self._start = file.tell() if seekable else 0
        self._at = 0

    def __repr__(self) -> str:
        return f"StreamSink({self._at} bytes written)"

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Start where the file stands."""
        return []

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Append the bytes."""
        if offset != self._at:
            raise LocalError(
                f"a stream is at byte {self._at} and cannot take byte {offset}",
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
        """Go back to where the file stood; a stream that cannot seek has let its bytes go."""
        if self._at and not self.rewindable:
            raise LocalError(
                "the object must come again from its start, and the stream cannot take bytes back",
                hint="download to a file, or to an open file that can seek",
            )
        if self._at:
            self._file.seek(self._start)
            self._file.truncate()
        self._at = 0

    def digest(self, algorithm: str) -> str:
        """Hex digest of the bytes, read back."""
        if not (self.rewindable and self._file.readable()):
            raise LocalError(
                "the checksum cannot be checked: the open file cannot be read back",
                hint="open it with 'w+b', or download to a path",
            )
        self._file.flush()
        self._file.seek(self._start)
        found = compute_file_digest(self._file, algorithm)
        self._file.seek(self._start + self._at)
        return found

    def commit(self) -> None:
        """Flush, where the file can."""
        try:
            getattr(self._file, "flush", lambda: None)()
        except OSError as error:
            raise wrap_os_error(error, "the open file") from None

    def suspend(self) -> None:
        """Flush; what is there stays."""
        self.commit()


def is_directory_target(target: Any, path: Path) -> bool:
    """Return True where a target is a directory: it exists as one, or its text ends with a slash.

    :param target: as the caller gave it.
    :param path: what it stands for.
    """
    return os.path.isdir(str(path)) or os.fsdecode(target).endswith(("/", os.sep))


def get_target_directory(target: Any) -> Optional[Path]:
    """The directory that the caller gave as a target; None for anything else."""
    path = as_target_path(target)
    return path if path is not None and is_directory_target(target, path) else None


def open_sink(target: Any, name: str) -> Sink:
    """A sink for whatever the caller gave: see :data:`SinkLike`.

    :param name: safe file name, for a directory.
    :raises UsageError: a file opened as text, or nothing one can write to.
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
    """Check a target before anything is requested; returns its path, if it is one.

    :raises UsageError: a file opened as text, or nothing one can write to.
    """
    path = as_target_path(target)
    if path is not None:
        return path
    if is_text_file(target):
        raise UsageError("a file opened as text cannot take bytes", hint="open it with 'wb'")
    if not (hasattr(target, "write_at") or hasattr(target, "write")):
        raise UsageError(
            f"cannot write to a {type(target).__name__}", hint="pass a path, or open(path, 'wb')"
        )
    if getattr(target, "writable", lambda: True)() is False:
        raise UsageError("the open file is not open for writing", hint="open it with 'wb'")
    return None
