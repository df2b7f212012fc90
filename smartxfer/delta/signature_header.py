"""The header of a signature.

Source: SmartFile protocol, section 9.
"""

import struct

import attrs

from smartxfer.delta.sizes import MAX_BLOCK_LENGTH, MAX_STRONG_LENGTHS
from smartxfer.errors import DeltaError

__all__ = ["HEADER_SIZE", "KIND_BY_MAGIC", "Signature", "parse_header"]

#: Bytes of a signature before its first block.
HEADER_SIZE = 12

#: hash and weak sum, by the magic of a signature.
KIND_BY_MAGIC = {
    0x72730136: ("md4", "rollsum"),
    0x72730137: ("blake2", "rollsum"),
    0x72730146: ("md4", "rabinkarp"),
    0x72730147: ("blake2", "rabinkarp"),
}


@attrs.frozen
class Signature:
    """What the header of a signature says.

    :param magic: the first four bytes as a number: 0x72730136 is what SmartFile speaks.
    :param hash: ``"md4"`` or ``"blake2"``: the strong sum.
    :param weak: ``"rollsum"`` or ``"rabinkarp"``: the weak sum.
    :param block_length: bytes of the old file in each block; the last one may be shorter.
    :param strong_length: bytes kept of each strong sum.
    :param blocks: how many blocks there are.
    """

    magic: int
    hash: str
    weak: str
    block_length: int
    strong_length: int
    blocks: int

    @property
    def size(self) -> int:
        """Bytes of the whole signature."""
        return HEADER_SIZE + self.blocks * (4 + self.strong_length)

    def header(self) -> bytes:
        """The first 12 bytes."""
        return struct.pack(">III", self.magic, self.block_length, self.strong_length)

    def check_basis(self, size: int) -> None:
        """Raise DeltaError when a file of ``size`` bytes has another number of blocks."""
        wanted = -(-size // self.block_length)
        if self.blocks != wanted:
            raise DeltaError(
                f"the signature has {self.blocks} blocks, but a file of {size} bytes has {wanted}: "
                "it is cut short, or of another file"
            )


def parse_header(start: bytes, length: int) -> Signature:
    """What a signature of ``length`` bytes says in its first 12, ``start``.

    :raises DeltaError: no signature, one with impossible lengths, or one that is cut short.
    """
    if len(start) < HEADER_SIZE:
        raise DeltaError(f"no signature: only {len(start)} bytes")
    magic, block, strong = struct.unpack(">III", start[:HEADER_SIZE])
    if magic not in KIND_BY_MAGIC:
        raise DeltaError(f"no signature: it begins with {start[:4].hex()}")
    hash_name, weak = KIND_BY_MAGIC[magic]
    if not 1 <= block <= MAX_BLOCK_LENGTH:
        raise DeltaError(f"a signature of blocks of {block} bytes; 1 to {MAX_BLOCK_LENGTH} are possible")
    if not 1 <= strong <= MAX_STRONG_LENGTHS[hash_name]:
        raise DeltaError(f"a signature with {strong} bytes of {hash_name} for each block")
    blocks, rest = divmod(length - HEADER_SIZE, 4 + strong)
    if rest:
        raise DeltaError(f"the signature is cut short: {rest} bytes of block {blocks + 1}")
    return Signature(magic, hash_name, weak, block, strong, blocks)
