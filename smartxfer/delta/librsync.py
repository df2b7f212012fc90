"""Bindings of the system's librsync, through its job interface, which works on buffers.

Source: SmartFile protocol, section 9.
"""

import ctypes
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type

from smartxfer.delta.backend import ReadInto, Write
from smartxfer.delta.signature_header import HEADER_SIZE, Signature
from smartxfer.errors import DeltaError, LibrsyncNotFound

__all__ = ["Librsync", "LoadedSignature"]

_DONE = 0
_BLOCKED = 1
_BAD_MAGIC = 104
_BUFFER_SIZE = 256 * 1024
_TRACE_EMERGENCY = 0  # only "the system is unusable" goes to standard error


class _Buffers(ctypes.Structure):
    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_size_t),
        ("eof_in", ctypes.c_int),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_size_t),
    )


#: Functions with result and argument types; ctypes would truncate pointers to ``int`` by default.
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


def _parse_version(text: bytes) -> str:
    """Return the number alone: some builds report ``librsync 2.3.2``."""
    return text.decode("ascii", "replace").split(" ")[-1]


class Librsync:
    """A loaded library.

    :param library: the library, as loaded by ctypes.
    :raises LibrsyncNotFound: the library is not librsync, or older than 1.0.
    """

    def __init__(self, library: Any) -> None:
        try:
            for name, result, arguments in _FUNCTIONS:
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
            first = ctypes.c_char.in_dll(library, "rs_librsync_version")
        except (AttributeError, ValueError) as error:
            raise LibrsyncNotFound(f"{library._name!r} is not librsync: {error}") from None
        #: Such as ``"2.3.2"``.
        self.version = _parse_version(ctypes.string_at(ctypes.addressof(first)))
        if self.version.startswith("0."):
            # Its rs_sig_begin takes two arguments.
            raise LibrsyncNotFound(
                f"{library._name!r}: librsync {self.version} is too old",
                hint="install librsync 1.0 or newer",
            )
        self._library = library
        library.rs_trace_set_level(_TRACE_EMERGENCY)

    def write_signature(
        self, block_length: int, strong_length: int, magic: int, read: ReadInto, write: Write
    ) -> None:
        """Write the signature of the bytes from ``read``."""
        # librsync hashes complete blocks in place; if the buffer is not a multiple, it copies each block.
        buffer_size = (
            max(1, _BUFFER_SIZE // block_length) * block_length
            if block_length <= _BUFFER_SIZE
            else _BUFFER_SIZE
        )
        self._run_job(
            self._library.rs_sig_begin(block_length, strong_length, magic), read, write, buffer_size
        )

    def load_signature(self, header: Signature, read: ReadInto) -> "LoadedSignature":
        """Load a signature into memory.

        :param header: the validated header, which is not read again.
        :param read: returns the blocks.
        """
        return LoadedSignature(self, header, read)

    def _run_job(
        self, job: Optional[int], read: ReadInto, write: Write, buffer_size: int = _BUFFER_SIZE
    ) -> None:
        """Run a job to its end and free it."""
        if not job:
            raise DeltaError(f"librsync {self.version} rejected the parameters of the job")
        try:
            self._iterate_job(job, read, write, buffer_size)
        finally:
            self._library.rs_job_free(job)

    def _iterate_job(self, job: int, read: ReadInto, write: Write, buffer_size: int) -> None:
        # ctypes releases the interpreter lock during each call, so other threads run in parallel.
        incoming, outgoing = bytearray(buffer_size), bytearray(_BUFFER_SIZE)
        first_in = ctypes.addressof(ctypes.c_char.from_buffer(incoming))
        first_out = ctypes.addressof(ctypes.c_char.from_buffer(outgoing))
        view_in, view_out = memoryview(incoming), memoryview(outgoing)
        buffers = _Buffers(avail_in=0, eof_in=0)
        while True:
            left = buffers.avail_in
            if left:
                ctypes.memmove(first_in, buffers.next_in, left)
            if not buffers.eof_in and left < buffer_size:
                count = read(view_in[left:])
                buffers.eof_in = not count
                left += count
            buffers.next_in, buffers.avail_in = first_in, left
            buffers.next_out, buffers.avail_out = first_out, _BUFFER_SIZE
            result = self._library.rs_job_iter(job, ctypes.byref(buffers))
            written = _BUFFER_SIZE - buffers.avail_out
            if written:
                write(view_out[:written])
            if result == _DONE:
                return
            if result != _BLOCKED:
                raise self._build_error(result)
            if buffers.eof_in and not written and buffers.avail_in == left:
                raise DeltaError("librsync made no progress at the end of the input")

    def _build_error(self, result: int) -> Exception:
        if result == _BAD_MAGIC:
            # The magic is valid, as it was checked before; this version of the library does not support it.
            return LibrsyncNotFound(
                f"librsync {self.version} is too old for this kind of signature",
                hint="install librsync 2.2 or newer",
            )
        message = self._library.rs_strerror(result) or b""
        return DeltaError(f"librsync: {message.decode('ascii', 'replace')}")


class LoadedSignature:
    """A signature in memory, for one thread: a lookup updates counters in it without a lock.

    Use it in a ``with`` block, which frees it.
    """

    def __init__(self, librsync: Librsync, header: Signature, read: ReadInto) -> None:
        self._librsync = librsync
        self._library = librsync._library
        self._pointer = ctypes.c_void_p()
        unread_header = [header.header()]

        def read_header_first(view: memoryview) -> int:
            if not unread_header:
                return read(view)
            view[:HEADER_SIZE] = unread_header.pop()
            return HEADER_SIZE

        job = self._library.rs_loadsig_begin(ctypes.byref(self._pointer))
        try:
            librsync._run_job(job, read_header_first, lambda data: None)
            result = self._library.rs_build_hash_table(self._pointer)
            if result != _DONE:
                raise librsync._build_error(result)
        except BaseException:
            self.free()
            raise

    def write_delta(self, read: ReadInto, write: Write) -> None:
        """Write the delta of the bytes from ``read``."""
        self._librsync._run_job(self._library.rs_delta_begin(self._pointer), read, write)

    def free(self) -> None:
        """Free the memory; a second call does nothing."""
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
