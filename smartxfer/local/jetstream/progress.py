"""Counters of the transfer that is being copied, ahead of those in the database."""

import threading

import attrs

#: Bytes of a block.
BLOCK = 256


def blocks(size: int) -> int:
    """Blocks of that many bytes."""
    return -(-size // BLOCK)


@attrs.define(eq=False)
class Live:
    """A transfer under way.

    :param id: its id.
    :param number: which file of its manifest is copied, from 0.
    :param offset: bytes of that file that arrived.
    """

    id: int
    number: int
    offset: int
    blocks_sent: int
    blocks_acked: int
    retransmitted: int
    bytes_sent: int
    #: Set to make the copying stop: suspended, failed, deleted, or the server ends.
    control: threading.Event = attrs.field(factory=threading.Event)

    def sent(self, size: int) -> None:
        """Count a piece that leaves."""
        self.blocks_sent += blocks(size)
        self.bytes_sent += size

    def acked(self, size: int) -> None:
        """Count a piece that arrived."""
        self.blocks_acked += blocks(size)
        self.offset += size
