"""Deltas: in one go for streams and small files, by parts for big ones."""

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
    """Write what makes the new file of the old one that the signature is of.

    :param signature: a path, or an open binary file or stream, read from where it stands to its end.
    :param source: the new file: a path, or an open binary file or stream, read from where it stands.
    :param target: a path, which gets the delta in one step, or an open binary file.
    :param workers: threads for a big file; None: as many as there are processors, up to 4.
    :return: bytes written.
    :raises DeltaError: no signature, or one that is cut short.
    :raises LibrsyncNotFound: no librsync, or one that does not know this kind of signature.
    :raises SourceChanged: a file changed meanwhile.
    :raises UsageError: something that is no binary file, or a source as target.
    :raises FileNotFoundError: no such file.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, section 9.
    """
    most = resolve_worker_count(workers)
    library = get_librsync()
    out = OutputFile(target)
    # Each thread loads the signature for itself, and its length is known before it is believed.
    with InputFile(signature, "signature", spool=True) as sums, InputFile(source, "source") as new, out:
        out.reject_same_file(sums)
        out.reject_same_file(new)
        _write_delta(library, sums, new, out, most)
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
    """The delta to a file that has no old one; in commands of a block, as rdiff cuts it."""
    step = min(header.block_length, _BUFFER_SIZE)
    buffer = memoryview(bytearray(_BUFFER_SIZE // step * step))
    before = encode_literal(step)
    out.write(DELTA_MAGIC)
    filled = len(buffer)
    while filled == len(buffer):
        filled = 0
        while filled < len(buffer):
            count = readinto(buffer[filled:])
            if not count:
                break
            filled += count
        whole = filled // step * step
        out.write(b"".join(before + bytes(buffer[at : at + step]) for at in range(0, whole, step)))
        if whole < filled:
            out.write(encode_literal(filled - whole) + bytes(buffer[whole:filled]))
    out.write(DELTA_END)
