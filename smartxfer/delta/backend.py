"""The library for signatures and deltas, as its callers see it.

Buffers in, buffers out: files, threads and parts are the business of its callers.
"""

from typing import Any, Callable, ContextManager, Protocol

from smartxfer.delta.signature_header import Signature

__all__ = ["Backend", "LoadedSignatureProtocol", "ReadInto", "Write"]

ReadInto = Callable[[memoryview], int]
"""Fills a buffer with the next bytes; 0 at the end."""

Write = Callable[[memoryview], Any]
"""Takes bytes, which hold until it returns."""


class LoadedSignatureProtocol(Protocol):
    """A signature in memory, for one thread."""

    def write_delta(self, read: ReadInto, write: Write) -> None:
        """Write the delta to what ``read`` gives: magic, commands, end.

        :raises DeltaError: it cannot be made.
        """


class Backend(Protocol):
    """Used by several threads at once."""

    def write_signature(
        self, block_length: int, strong_length: int, magic: int, read: ReadInto, write: Write
    ) -> None:
        """Write the signature of what ``read`` gives: the header, and the sums of each block.

        :param block_length: bytes of a block.
        :param strong_length: bytes kept of each strong sum.
        :param magic: a key of :data:`~smartxfer.delta.signature_header.MAGICS`.
        """

    def load_signature(self, header: Signature, read: ReadInto) -> ContextManager[LoadedSignatureProtocol]:
        """Take a signature into memory; the end of the ``with`` block gives the memory back.

        :param header: the checked header, which is not read again.
        :param read: gives the blocks.
        :raises DeltaError: the blocks are not those of a signature.
        :raises LibrsyncNotFound: this kind of signature is not known.
        """
