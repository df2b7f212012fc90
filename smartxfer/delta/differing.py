"""Deltas: in one go for streams and small files, by parts for big ones."""

from typing import Optional

from smartxfer.delta.backend import Backend, ReadInto
from smartxfer.delta.collisions import check_sums
from smartxfer.delta.commands import DELTA_MAGIC, END, literal
from smartxfer.delta.headers import HEADER, Signature
from smartxfer.delta.inputs import AnyFile, Input, Slice
from smartxfer.delta.loading import librsync
from smartxfer.delta.parts import delta_by_parts, delta_workers, worth_parts
from smartxfer.delta.side_by_side import count_workers
from smartxfer.delta.signing import header_of
from smartxfer.delta.target import Target

__all__ = ["delta"]

_BLOCK = 64 * 1024


def delta(signature: AnyFile, source: AnyFile, target: AnyFile, *, workers: Optional[int] = None) -> int:
    """Write what makes the new file of the old one that the signature is of.

    :param signature: a path, or an open binary file or stream, read from where it stands to its end.
    :param source: the new file: a path, or an open binary file or stream, read from where it stands.
    :param target: a path, which gets the delta in one step, or an open binary file.
    :param workers: threads for a big file; None: as many as there are processors, up to 4.
    :return: bytes written.
    :raises DeltaError: no signature, or one that is cut short.
    :raises DeltaUnavailable: no librsync, or one that does not know this kind of signature.
    :raises SourceChanged: a file changed meanwhile.
    :raises UsageError: something that is no binary file, or a source as target.
    :raises FileNotFoundError: no such file.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, section 9.
    """
    most = count_workers(workers)
    library = librsync()
    out = Target(target)
    # Each thread loads the signature for itself, and its length is known before it is believed.
    with Input(signature, "signature", kept=True) as sums, Input(source, "source") as new, out:
        out.refuse(sums)
        out.refuse(new)
        _delta(library, sums, new, out, most)
        new.check_unchanged()
    return out.written


def _delta(library: Backend, sums: Input, new: Input, out: Target, workers: int) -> None:
    header = header_of(sums)
    workers = delta_workers(header, workers)
    check_sums(header, Slice(sums, HEADER, header.size).readinto)
    if not header.blocks:
        _all_literal(header, new.readinto, out)
    elif workers > 1 and worth_parts(new, header.block_length):
        delta_by_parts(library, header, sums, new, out, workers)
    else:
        with library.load(header, Slice(sums, HEADER, header.size).readinto) as loaded:
            loaded.delta(new.readinto, out.write)
    sums.check_unchanged()
    sums.pass_over()


def _all_literal(header: Signature, readinto: ReadInto, out: Target) -> None:
    """The delta to a file that has no old one; in commands of a block, as rdiff cuts it."""
    step = min(header.block_length, _BLOCK)
    buffer = memoryview(bytearray(_BLOCK // step * step))
    before = literal(step)
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
            out.write(literal(filled - whole) + bytes(buffer[whole:filled]))
    out.write(END)
