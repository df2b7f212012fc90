"""The system's librsync, through its job interface: buffers in, buffers out.

Source: SmartFile protocol, section 9.
"""

import ctypes
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type

from smartxfer.delta.backend import ReadInto, Write
from smartxfer.delta.headers import HEADER, Signature
from smartxfer.errors import DeltaError, DeltaUnavailable

__all__ = ["Librsync", "LoadedSignature"]

_DONE = 0
_BLOCKED = 1
_BAD_MAGIC = 104
_BUFFER = 256 * 1024
_QUIET = 0  # only "the system is unusable" goes to standard error


class _Buffers(ctypes.Structure):
    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_size_t),
        ("eof_in", ctypes.c_int),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_size_t),
    )


#: Every function that is called: result, arguments.  Pointers are wider than the default of ctypes.
_FUNCTIONS: Tuple[Tuple[str, Any, List[Any]], ...] = (
    ("rs_sig_begin", ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]),
    ("rs_loadsig_begin", ctypes.c_void_p, [ctypes.POINTER(ctypes.c_void_p)]),
    ("rs_build_hash_table", ctypes.c_int, [ctypes.c_void_p]),
    ("rs_delta_begin", ctypes.c_void_p, [ctypes.c_void_p]),
    ("rs_job_iter", ctypes.c_int, [ctypes.c_void_p, ctypes.POINTER(_Buffers)]),
    ("rs_job_free", ctypes.c_int, [ctypes.c_void_p]),
    ("rs_free_sumset", None, [ctypes.c_void_p]),
    ("rs_strerror", ctypes.c_char_p, [ctypes.c_int]),
    ("rs_trace_set_level", None, [ctypes.c_int]),
)


def _version(said: bytes) -> str:
    """The number alone: some say ``librsync 2.3.2``."""
    return said.decode("ascii", "replace").split(" ")[-1]


class Librsync:
    """A loaded library.

    :param library: what ctypes loaded.
    :raises DeltaUnavailable: it is no librsync, or one from before 1.0.
    """

    def __init__(self, library: Any) -> None:
        try:
            for name, result, arguments in _FUNCTIONS:
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
            first = ctypes.c_char.in_dll(library, "rs_librsync_version")
        except (AttributeError, ValueError) as error:
            raise DeltaUnavailable(f"not librsync: {error}") from None
        #: Such as ``"2.3.2"``.
        self.version = _version(ctypes.string_at(ctypes.addressof(first)))
        if self.version.startswith("0."):
            # Its rs_sig_begin takes two arguments.
            raise DeltaUnavailable(f"librsync {self.version} is too old: 1.0 is needed")
        self._library = library
        library.rs_trace_set_level(_QUIET)

    def signature(self, block: int, strong: int, magic: int, read: ReadInto, write: Write) -> None:
        """Write the signature of what ``read`` gives."""
        # Whole blocks are summed where they lie; a buffer of other length has each one copied first.
        room = max(1, _BUFFER // block) * block if block <= _BUFFER else _BUFFER
        self._run(self._library.rs_sig_begin(block, strong, magic), read, write, room)

    def load(self, header: Signature, read: ReadInto) -> "LoadedSignature":
        """Take a signature into memory.

        :param header: the checked header, which is not read again.
        :param read: gives the blocks.
        """
        return LoadedSignature(self, header, read)

    def _run(self, job: Optional[int], read: ReadInto, write: Write, room: int = _BUFFER) -> None:
        """Run a job to its end, and free it."""
        if not job:
            raise DeltaError(f"librsync {self.version} refuses the job")
        try:
            self._drive(job, read, write, room)
        finally:
            self._library.rs_job_free(job)

    def _drive(self, job: int, read: ReadInto, write: Write, room: int) -> None:
        # ctypes lets the interpreter lock go in each call, so that other threads work on.
        incoming, outgoing = bytearray(room), bytearray(_BUFFER)
        first_in = ctypes.addressof(ctypes.c_char.from_buffer(incoming))
        first_out = ctypes.addressof(ctypes.c_char.from_buffer(outgoing))
        view_in, view_out = memoryview(incoming), memoryview(outgoing)
        buffers = _Buffers(avail_in=0, eof_in=0)
        while True:
            left = buffers.avail_in
            if left:
                ctypes.memmove(first_in, buffers.next_in, left)
            if not buffers.eof_in and left < room:
                count = read(view_in[left:])
                buffers.eof_in = not count
                left += count
            buffers.next_in, buffers.avail_in = first_in, left
            buffers.next_out, buffers.avail_out = first_out, _BUFFER
            result = self._library.rs_job_iter(job, ctypes.byref(buffers))
            made = _BUFFER - buffers.avail_out
            if made:
                write(view_out[:made])
            if result == _DONE:
                return
            if result != _BLOCKED:
                raise self._error(result)
            if buffers.eof_in and not made and buffers.avail_in == left:
                raise DeltaError("librsync does not come to an end")

    def _error(self, result: int) -> Exception:
        if result == _BAD_MAGIC:
            # The magic was checked before: only the library does not know it.
            return DeltaUnavailable(
                f"librsync {self.version} is too old for this kind of signature", hint="install 2.2 or newer"
            )
        said = self._library.rs_strerror(result) or b""
        return DeltaError(f"librsync: {said.decode('ascii', 'replace')}")


class LoadedSignature:
    """A signature in memory, for one thread: looking up counts in it without a lock.

    Free it by a ``with`` block.
    """

    def __init__(self, owner: Librsync, header: Signature, read: ReadInto) -> None:
        self._owner = owner
        self._library = owner._library
        self._pointer = ctypes.c_void_p()
        start = [header.header()]

        def read_on(view: memoryview) -> int:
            if not start:
                return read(view)
            view[:HEADER] = start.pop()
            return HEADER

        job = self._library.rs_loadsig_begin(ctypes.byref(self._pointer))
        try:
            owner._run(job, read_on, lambda data: None)
            result = self._library.rs_build_hash_table(self._pointer)
            if result != _DONE:
                raise owner._error(result)
        except BaseException:
            self.free()
            raise

    def delta(self, read: ReadInto, write: Write) -> None:
        """Write the delta to what ``read`` gives."""
        self._owner._run(self._library.rs_delta_begin(self._pointer), read, write)

    def free(self) -> None:
        """Give the memory back."""
        if self._pointer.value:
            self._library.rs_free_sumset(self._pointer)
            self._pointer = ctypes.c_void_p()

    def __enter__(self) -> "LoadedSignature":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.free()
