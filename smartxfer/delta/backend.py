"""The library for signatures and deltas, as its callers see it.

Buffers in, buffers out: files, threads and parts are the business of its callers.
"""

from typing import Any, Callable, ContextManager, Protocol

from smartxfer.delta.headers import Signature

__all__ = ["Backend", "Loaded", "ReadInto", "Write"]

ReadInto = Callable[[memoryview], int]
"""Fills a buffer with the next bytes; 0 at the end."""

Write = Callable[[memoryview], Any]
"""Takes bytes, which hold until it returns."""


class Loaded(Protocol):
    """A signature in memory, for one thread."""

    def delta(self, read: ReadInto, write: Write) -> None:
        """Write the delta to what ``read`` gives: magic, commands, end.

        :raises DeltaError: it cannot be made.
        """


class Backend(Protocol):
    """Used by several threads at once."""

    def signature(self, block: int, strong: int, magic: int, read: ReadInto, write: Write) -> None:
        """Write the signature of what ``read`` gives: the header, and the sums of each block.

        :param block: bytes of a block.
        :param strong: bytes kept of each strong sum.
        :param magic: a key of :data:`~smartxfer.delta.headers.MAGICS`.
        """

    def load(self, header: Signature, read: ReadInto) -> ContextManager[Loaded]:
        """Take a signature into memory; the end of the ``with`` block gives the memory back.

        :param header: the checked header, which is not read again.
        :param read: gives the blocks.
        :raises DeltaError: the blocks are not those of a signature.
        :raises DeltaUnavailable: this kind of signature is not known.
        """
