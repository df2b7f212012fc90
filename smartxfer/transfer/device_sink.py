"""Sink for pipes, terminals, devices and open descriptors, which are written in order and not replaced."""

import contextlib
import errno
import os
import re
import select
import stat
import time
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Union

from smartxfer.errors import LocalError, SmartxferError
from smartxfer.file_descriptors import FileDescriptor
from smartxfer.local_errors import wrap_os_error
from smartxfer.transfer.buffers import BLOCK_SIZE
from smartxfer.transfer.protocols import Extent
from smartxfer.transport import Attempt

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]

__all__ = ["DeviceSink", "is_device"]

#: Paths of the open descriptors of this process.
_DESCRIPTOR_PATH = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})\Z")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
#: Seconds to wait for the reader of a named pipe.
_READER_TIMEOUT = 1.0
_POLL_INTERVAL = 0.1
#: Number of bytes that a writable pipe accepts without blocking.
_PIPE_BLOCK_SIZE = getattr(select, "PIPE_BUF", 512)


def is_device(path: Path) -> bool:
    """Return True if ``path`` is a device, a pipe or an open descriptor, not a file to replace."""
    if os.name == "nt":
        return False
    if _parse_descriptor(path) is not None:
        return True
    try:
        mode = os.stat(str(path)).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _parse_descriptor(path: Path) -> Optional[int]:
    match = _DESCRIPTOR_PATH.match(str(path))
    return int(match[1]) if match else _STANDARD.get(str(path))


class DeviceSink:
    """Writes in order to a device, a named pipe or an open descriptor that a path names.

    :param path: of the device; it is opened when the download begins.
    """

    sequential = True

    def __init__(self, path: Path) -> None:
        self.path = path
        #: True if bytes can be written again from the start.
        self.rewindable = False
        self._descriptor: Optional[FileDescriptor] = None
        self._at = self._start = 0
        self._block_size = BLOCK_SIZE
        self._regular = False
        #: The attempt that receives the bytes.
        self._attempt: Optional[Attempt] = None

    def set_attempt(self, attempt: Attempt) -> None:
        """Set the attempt that receives the next bytes; waiting for a slow reader does not stall it."""
        self._attempt = attempt

    def begin(self, size: Optional[int], identity: Dict[str, Any]) -> Iterable[Extent]:
        """Open the device.

        :raises LocalError: it cannot be opened, or no process reads from the named pipe.
        """
        try:
            self._descriptor = self._open()
            stat_result = os.fstat(self._fd)
            self._regular = stat.S_ISREG(stat_result.st_mode)
            seekable = self._regular or stat.S_ISBLK(stat_result.st_mode)
            self._start = os.lseek(self._fd, 0, os.SEEK_CUR) if seekable else 0
            # Rewinding must not truncate the user's bytes, and has no effect on a descriptor for appending.
            at_end = self._start == stat_result.st_size and not _is_append_only(self._fd)
            self.rewindable = at_end if self._regular else seekable
            # A longer write to a blocking descriptor could block, and Ctrl-C could not interrupt it.
            self._block_size = _PIPE_BLOCK_SIZE if not seekable and os.get_blocking(self._fd) else BLOCK_SIZE
        except OSError as error:
            self.suspend()
            raise wrap_os_error(error, self.path) from None
        return []

    @property
    def _fd(self) -> int:
        return -1 if self._descriptor is None else self._descriptor.number

    def _open(self) -> FileDescriptor:
        number = _parse_descriptor(self.path)
        if number is not None:
            return _duplicate_descriptor(number)
        ends_at = time.monotonic() + _READER_TIMEOUT
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        while True:
            try:
                # Without O_NONBLOCK, opening a pipe without a reader would block forever.
                return FileDescriptor(os.open, str(self.path), flags)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
            if time.monotonic() >= ends_at:
                raise LocalError(
                    f"no process reads from {self.path}", hint="start the reader of the pipe first"
                )
            time.sleep(_POLL_INTERVAL / 2)

    def write_at(self, data: Union[bytes, memoryview], offset: int) -> None:
        """Append the bytes.

        :raises LocalError: the offset is not the current position, or the write fails.
        """
        if offset != self._at:
            raise LocalError(
                f"cannot write byte {offset} to {self.path}: its position is {self._at}",
                hint="download to a regular file, or with max_workers=1",
            )
        view = memoryview(data)
        try:
            while view:
                self._wait_writable()
                try:
                    view = view[os.write(self._fd, view[: self._block_size]) :]
                except BlockingIOError:
                    continue
        except SmartxferError:
            raise  # the call is ending
        except OSError as error:
            raise wrap_os_error(error, self.path) from None
        self._at += len(data)

    def _wait_writable(self) -> None:
        """Wait until bytes can be written, with stall detection off: a slow reader is not a stalled server.

        :raises SmartxferError: the call was cancelled during the wait.
        """
        attempt = self._attempt
        if attempt is not None:
            in_flight, attempt.body_in_flight = attempt.body_in_flight, False
        while not _is_writable(self._fd):
            if attempt is not None and attempt.abort_error is not None:
                raise attempt.abort_error
        if attempt is not None:
            attempt.body_in_flight = in_flight

    def restart(self) -> None:
        """Rewind to the first byte.

        :raises LocalError: bytes were written, and the device cannot be rewound.
        """
        if self._at and not self.rewindable:
            raise LocalError(
                f"the download must restart from its beginning, but {self.path} cannot be rewound",
                hint="download to a file",
            )
        if self._at:
            os.lseek(self._fd, self._start, os.SEEK_SET)
            if self._regular:
                os.ftruncate(self._fd, self._start)
        self._at = 0

    def digest(self, algorithm: str) -> str:
        """Raise, because the written bytes cannot be read back.

        :raises LocalError: always.
        """
        raise LocalError(
            f"cannot verify the checksum: {self.path} cannot be read back",
            hint="download to a regular file, or leave out checksum=",
        )

    def commit(self) -> None:
        """Close the device."""
        self.suspend()

    def suspend(self) -> None:
        """Close the device; the written bytes remain."""
        opened, self._descriptor = self._descriptor, None
        if opened is not None:
            opened.close()


def _duplicate_descriptor(number: int) -> FileDescriptor:
    """Return a duplicate of a descriptor, if possible one that does not block."""
    if stat.S_ISFIFO(os.fstat(number).st_mode):
        with contextlib.suppress(OSError):  # not Linux, or a pipe that another user created
            return FileDescriptor(
                os.open, f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )
    return FileDescriptor(os.dup, number)


def _is_writable(fd: int) -> bool:
    """Wait a short time for a descriptor; return True if it is writable."""
    try:
        return bool(select.select([], [fd], [], _POLL_INTERVAL)[1])
    except ValueError:  # select() supports only small descriptor numbers
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        return bool(poll.poll(_POLL_INTERVAL * 1000))


def _is_append_only(fd: int) -> bool:
    """Return True if each write appends to the file."""
    system: Any = _fcntl
    return bool(system is not None and system.fcntl(fd, system.F_GETFL) & os.O_APPEND)
