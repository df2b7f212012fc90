"""Protocols of the library that computes signatures and deltas.

The library works on buffers.  Its callers handle files, threads and parts.
"""

from typing import Any, Callable, ContextManager, Protocol

from smartxfer.delta.signature_header import Signature

__all__ = ["Backend", "LoadedSignatureProtocol", "ReadInto", "Write"]

ReadInto = Callable[[memoryview], int]
"""Function that fills a buffer with the next bytes and returns their number, 0 at the end."""

Write = Callable[[memoryview], Any]
"""Function that receives bytes; the buffer is valid until the function returns."""


class LoadedSignatureProtocol(Protocol):
    """A signature in memory, for one thread."""

    def write_delta(self, read: ReadInto, write: Write) -> None:
        """Write the delta of the bytes from ``read``: magic, commands, end command.

        :raises DeltaError: the delta cannot be computed.
        """


class Backend(Protocol):
    """A library that several threads can use concurrently."""

    def write_signature(
        self, block_length: int, strong_length: int, magic: int, read: ReadInto, write: Write
    ) -> None:
        """Write the signature of the bytes from ``read``: the header, and the sums of each block.

        :param block_length: bytes per block.
        :param strong_length: bytes stored of each strong sum.
        :param magic: a key of :data:`~smartxfer.delta.signature_header.KIND_BY_MAGIC`.
        """

    def load_signature(self, header: Signature, read: ReadInto) -> ContextManager[LoadedSignatureProtocol]:
        """Load a signature into memory, which is freed at the end of the ``with`` block.

        :param header: the validated header, which is not read again.
        :param read: returns the blocks.
        :raises DeltaError: the blocks are invalid.
        :raises LibrsyncNotFound: the library does not support this kind of signature.
        """
