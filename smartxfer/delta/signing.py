"""Signatures: made of the old file, and read."""

from typing import Optional

from smartxfer.delta.headers import HEADER, MAGICS, Signature, parse_header
from smartxfer.delta.inputs import AnyFile, Input
from smartxfer.delta.loading import librsync
from smartxfer.delta.parts import signature_by_parts, worth_parts
from smartxfer.delta.side_by_side import count_workers
from smartxfer.delta.sizes import block_length_for, check_lengths
from smartxfer.delta.target import Target

__all__ = ["header_of", "read_signature", "signature"]

_BLOCK = 64 * 1024
_NUMBERS = {kind: magic for magic, kind in MAGICS.items()}


def signature(
    source: AnyFile,
    target: AnyFile,
    *,
    block_length: Optional[int] = None,
    strong_length: int = 8,
    hash: str = "md4",  # noqa: A002 - the word that librsync and rdiff have for it
) -> int:
    """Write the signature of the old file: a weak and a strong sum of each of its blocks.

    :param source: the old file: a path, or an open binary file or stream, read from where it stands.
    :param target: a path, which gets the signature in one step, or an open binary file.
    :param block_length: bytes of a block; None: :func:`block_length_for` the size, where that is known.
    :param strong_length: bytes kept of each strong sum, up to 16 for MD4 and 32 for BLAKE2.
    :param hash: ``"md4"``, which SmartFile and every librsync read, or ``"blake2"``.
    :return: bytes written.
    :raises DeltaUnavailable: no librsync.
    :raises SourceChanged: the file changed meanwhile.
    :raises UsageError: a number out of range, something that is no binary file, or the source as target.
    :raises FileNotFoundError: no such file.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, sections 7 and 9.
    """
    check_lengths(1 if block_length is None else block_length, strong_length, hash)
    library = librsync()
    magic = _NUMBERS[hash, "rollsum"]
    workers = count_workers()
    out = Target(target)
    with Input(source, "source") as old, out:
        out.refuse(old)
        block = block_length_for(old.size) if block_length is None else block_length
        if workers > 1 and worth_parts(old, block):
            header = Signature(magic, hash, "rollsum", block, strong_length, 0)
            signature_by_parts(library, old, header, out, workers)
        else:
            library.signature(block, strong_length, magic, old.readinto, out.write)
        old.check_unchanged()
    return out.written


def read_signature(file: AnyFile, basis_size: Optional[int] = None) -> Signature:
    """Read the header of a signature, and check its length.

    :param file: a path, or an open binary file, which is left where it stood; a stream that cannot seek is
        read to its end.
    :param basis_size: bytes of the old file, where that is known: a signature that lost whole blocks can be
        found out in no other way.
    :raises DeltaError: no signature, one that is cut short, or one of a file of another size.
    :raises UsageError: something that is no binary file.
    :raises FileNotFoundError: no such file.
    :raises LocalError: the file cannot be read.

    Source: SmartFile protocol, section 9.
    """
    with Input(file, "signature") as given:
        header = header_of(given)
        given.rewind()
    if basis_size is not None:
        header.check_basis(basis_size)
    return header


def header_of(source: Input) -> Signature:
    """The checked header of an open signature, of which no more is read where its size is known."""
    buffer = memoryview(bytearray(_BLOCK))
    start = b""
    while len(start) < HEADER:
        count = source.readinto(buffer[: HEADER - len(start)])
        if not count:
            break
        start += bytes(buffer[:count])
    if source.size is not None:
        return parse_header(start, source.size)
    length = len(start)
    while True:
        count = source.readinto(buffer)
        if not count:
            return parse_header(start, length)
        length += count
