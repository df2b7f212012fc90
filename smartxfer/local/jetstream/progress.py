"""Counters of the transfer that is being copied, ahead of those in the database."""

import threading

import attrs

#: Bytes of a block.
BLOCK = 256


def blocks(size: int) -> int:
    """Return the number of blocks for a number of bytes."""
    return -(-size // BLOCK)


@attrs.define(eq=False)
class LiveProgress:
    """Progress of a running transfer.

    :param id: its id.
    :param number: index of the current file in the manifest.
    :param offset: bytes of that file that arrived.
    """

    id: int
    number: int
    offset: int
    blocks_sent: int
    blocks_acked: int
    retransmitted: int
    bytes_sent: int
    #: Set to stop the copying: suspended, failed, deleted, or the server ends.
    control: threading.Event = attrs.field(factory=threading.Event)

    def sent(self, size: int) -> None:
        """Count a sent piece."""
        self.blocks_sent += blocks(size)
        self.bytes_sent += size

    def acked(self, size: int) -> None:
        """Count an acknowledged piece."""
        self.blocks_acked += blocks(size)
        self.offset += size
