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

#: Names of the strong and of the weak sum, by the magic of a signature.
KIND_BY_MAGIC = {
    0x72730136: ("md4", "rollsum"),
    0x72730137: ("blake2", "rollsum"),
    0x72730146: ("md4", "rabinkarp"),
    0x72730147: ("blake2", "rabinkarp"),
}


@attrs.frozen
class Signature:
    """Properties of a signature, from its header and its length.

    :param magic: the first four bytes as a number; SmartFile uses 0x72730136.
    :param hash: ``"md4"`` or ``"blake2"``: the strong sum.
    :param weak: ``"rollsum"`` or ``"rabinkarp"``: the weak sum.
    :param block_length: bytes of the old file per block; the last block may be shorter.
    :param strong_length: bytes stored of each strong sum.
    :param blocks: number of blocks.
    """

    magic: int
    hash: str
    weak: str
    block_length: int
    strong_length: int
    blocks: int

    @property
    def size(self) -> int:
        """Size of the signature in bytes, header included."""
        return HEADER_SIZE + self.blocks * (4 + self.strong_length)

    def header(self) -> bytes:
        """Return the first 12 bytes."""
        return struct.pack(">III", self.magic, self.block_length, self.strong_length)

    def check_basis(self, size: int) -> None:
        """Raise DeltaError if a file of ``size`` bytes has another number of blocks."""
        expected = -(-size // self.block_length)
        if self.blocks != expected:
            raise DeltaError(
                f"the signature has {self.blocks} blocks, but a file of {size} bytes has {expected}: "
                "it is truncated, or belongs to another file"
            )


def parse_header(start: bytes, length: int) -> Signature:
    """Parse the header of a signature.

    :param start: the first 12 bytes.
    :param length: length of the signature in bytes.
    :raises DeltaError: the header is invalid, or the signature is truncated.
    """
    if len(start) < HEADER_SIZE:
        raise DeltaError(f"not a signature: only {len(start)} bytes")
    magic, block, strong = struct.unpack(">III", start[:HEADER_SIZE])
    if magic not in KIND_BY_MAGIC:
        raise DeltaError(f"not a signature: it begins with {start[:4].hex()}")
    hash_name, weak = KIND_BY_MAGIC[magic]
    if not 1 <= block <= MAX_BLOCK_LENGTH:
        raise DeltaError(f"invalid block length {block} in the signature: 1 to {MAX_BLOCK_LENGTH} are valid")
    if not 1 <= strong <= MAX_STRONG_LENGTHS[hash_name]:
        raise DeltaError(f"invalid length {strong} of the {hash_name} sums in the signature")
    blocks, rest = divmod(length - HEADER_SIZE, 4 + strong)
    if rest:
        raise DeltaError(f"truncated signature: block {blocks + 1} has only {rest} bytes")
    return Signature(magic, hash_name, weak, block, strong, blocks)
