"""Deltas, computed by one thread for streams and small files, and in parallel for large files."""

from typing import Optional

from smartxfer.delta.backend import Backend, ReadInto
from smartxfer.delta.commands import DELTA_END, DELTA_MAGIC, encode_literal
from smartxfer.delta.input_file import AnyFile, InputFile, InputSlice
from smartxfer.delta.library import get_librsync
from smartxfer.delta.make_signature import read_header
from smartxfer.delta.output_file import OutputFile
from smartxfer.delta.parallel import is_worth_parallel, limit_delta_workers, write_delta_parallel
from smartxfer.delta.signature_header import HEADER_SIZE, Signature
from smartxfer.delta.weak_sums import reject_collisions
from smartxfer.delta.worker_threads import resolve_worker_count

__all__ = ["delta"]

_BUFFER_SIZE = 64 * 1024


def delta(signature: AnyFile, source: AnyFile, target: AnyFile, *, workers: Optional[int] = None) -> int:
    """Write the delta that turns the old file, given by its signature, into the new file.

    :param signature: a path, or an open binary file or stream, read from its current position to its end.
    :param source: the new file: a path, or an open binary file or stream, read from its current position.
    :param target: a path, which is replaced atomically, or an open binary file.
    :param workers: threads for a large file; None: one per processor, up to 4.
    :return: bytes written.
    :raises DeltaError: the signature is invalid or truncated.
    :raises LibrsyncNotFound: librsync is not installed, or does not support this kind of signature.
    :raises SourceChanged: a file changed while it was read.
    :raises UsageError: an argument is not a binary file, or the target is a file that is also read.
    :raises FileNotFoundError: a file does not exist.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, section 9.
    """
    max_workers = resolve_worker_count(workers)
    library = get_librsync()
    out = OutputFile(target)
    # A stream is spooled, because each thread loads the signature, and because its length is checked first.
    with InputFile(signature, "signature", spool=True) as sums, InputFile(source, "source") as new, out:
        out.reject_same_file(sums)
        out.reject_same_file(new)
        _write_delta(library, sums, new, out, max_workers)
        new.check_unchanged()
    return out.bytes_written


def _write_delta(
    library: Backend, signature: InputFile, source: InputFile, output: OutputFile, workers: int
) -> None:
    header = read_header(signature)
    workers = limit_delta_workers(header, workers)
    reject_collisions(header, InputSlice(signature, HEADER_SIZE, header.size).readinto)
    if not header.blocks:
        _write_all_literal(header, source.readinto, output)
    elif workers > 1 and is_worth_parallel(source, header.block_length):
        write_delta_parallel(library, header, signature, source, output, workers)
    else:
        with library.load_signature(
            header, InputSlice(signature, HEADER_SIZE, header.size).readinto
        ) as loaded:
            loaded.write_delta(source.readinto, output.write)
    signature.check_unchanged()
    signature.mark_read()


def _write_all_literal(header: Signature, readinto: ReadInto, out: OutputFile) -> None:
    """Write the delta for an empty old file, in literal commands of one block each, as rdiff does."""
    step = min(header.block_length, _BUFFER_SIZE)
    buffer = memoryview(bytearray(_BUFFER_SIZE // step * step))
    command = encode_literal(step)
    out.write(DELTA_MAGIC)
    filled = len(buffer)
    while filled == len(buffer):
        filled = 0
        while filled < len(buffer):
            count = readinto(buffer[filled:])
            if not count:
                break
            filled += count
        complete = filled // step * step
        out.write(b"".join(command + bytes(buffer[at : at + step]) for at in range(0, complete, step)))
        if complete < filled:
            out.write(encode_literal(filled - complete) + bytes(buffer[complete:filled]))
    out.write(DELTA_END)
