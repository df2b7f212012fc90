"""Computing and reading of signatures."""

from typing import Optional

from smartxfer.delta.input_file import AnyFile, InputFile
from smartxfer.delta.library import get_librsync
from smartxfer.delta.output_file import OutputFile
from smartxfer.delta.parallel import is_worth_parallel, write_signature_parallel
from smartxfer.delta.signature_header import HEADER_SIZE, KIND_BY_MAGIC, Signature, parse_header
from smartxfer.delta.sizes import block_length_for, validate_lengths
from smartxfer.delta.worker_threads import resolve_worker_count

__all__ = ["read_header", "read_signature", "signature"]

_BUFFER_SIZE = 64 * 1024
_MAGIC_BY_KIND = {kind: magic for magic, kind in KIND_BY_MAGIC.items()}


def signature(
    source: AnyFile,
    target: AnyFile,
    *,
    block_length: Optional[int] = None,
    strong_length: int = 8,
    hash: str = "md4",  # noqa: A002 - the name that librsync and rdiff use
) -> int:
    """Write the signature of the old file: a weak and a strong sum of each of its blocks.

    :param source: the old file: a path, or an open binary file or stream, read from its current position.
    :param target: a path, which is replaced atomically, or an open binary file.
    :param block_length: bytes per block; None: the result of :func:`block_length_for`.
    :param strong_length: bytes stored of each strong sum, up to 16 for MD4 and 32 for BLAKE2.
    :param hash: ``"md4"``, which SmartFile and every librsync support, or ``"blake2"``.
    :return: bytes written.
    :raises LibrsyncNotFound: librsync is not installed.
    :raises SourceChanged: the file changed while it was read.
    :raises UsageError: a number is out of range, an argument is not a binary file, or the target is the
        source.
    :raises FileNotFoundError: a file does not exist.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, sections 7 and 9.
    """
    validate_lengths(1 if block_length is None else block_length, strong_length, hash)
    library = get_librsync()
    magic = _MAGIC_BY_KIND[hash, "rollsum"]
    workers = resolve_worker_count()
    out = OutputFile(target)
    with InputFile(source, "source") as old, out:
        out.reject_same_file(old)
        block = block_length_for(old.size) if block_length is None else block_length
        if workers > 1 and is_worth_parallel(old, block):
            header = Signature(magic, hash, "rollsum", block, strong_length, 0)
            write_signature_parallel(library, old, header, out, workers)
        else:
            library.write_signature(block, strong_length, magic, old.readinto, out.write)
        old.check_unchanged()
    return out.bytes_written


def read_signature(file: AnyFile, basis_size: Optional[int] = None) -> Signature:
    """Read the header of a signature and check its length.

    :param file: a path, or an open binary file, whose position is restored; a stream that cannot seek is
        read to its end.
    :param basis_size: size of the old file in bytes, if known: nothing else reveals that complete blocks of
        the signature are missing.
    :raises DeltaError: the signature is invalid or truncated, or belongs to a file of another size.
    :raises UsageError: the argument is not a binary file.
    :raises FileNotFoundError: the file does not exist.
    :raises LocalError: the file cannot be read.

    Source: SmartFile protocol, section 9.
    """
    with InputFile(file, "signature") as source:
        header = read_header(source)
        source.rewind()
    if basis_size is not None:
        header.check_basis(basis_size)
    return header


def read_header(source: InputFile) -> Signature:
    """Read and validate the header of an open signature; a stream is read to its end to find its length."""
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    start = b""
    while len(start) < HEADER_SIZE:
        count = source.readinto(buffer[: HEADER_SIZE - len(start)])
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
