"""Big regular files, cut at multiples of the block length and worked on by several threads.

Source: SmartFile protocol, section 9.
"""

import functools
import threading
from typing import IO, Iterator, List, Optional, Tuple

from smartxfer.delta.backend import Backend
from smartxfer.delta.commands import DELTA_MAGIC, END
from smartxfer.delta.headers import HEADER, Signature
from smartxfer.delta.inputs import Input, Slice
from smartxfer.delta.side_by_side import Check, in_threads, watched
from smartxfer.delta.target import Target
from smartxfer.local_errors import local_error

__all__ = ["delta_by_parts", "delta_workers", "signature_by_parts", "worth_parts"]

#: Smaller files are done before a second thread has started.
_LEAST_SIZE = 4 * 1024 * 1024
#: Blocks longer than this leave too little to cut, and each thread holds two of them.
_MOST_BLOCK = 1024 * 1024
_SIGNED_AT_ONCE = 8 * 1024 * 1024
_SUMS_AT_ONCE = 1024 * 1024
#: Bytes that the loaded signatures of all threads may take.
_LOADED = 24 * 1024 * 1024
#: Parts of a delta: enough that no thread waits long for another, few enough that the cuts cost little.
_PARTS_EACH = 2
_BLOCK = 256 * 1024

Extent = Tuple[int, int]


def worth_parts(source: Input, block: int) -> bool:
    """Whether several threads get through ``source`` sooner than one."""
    return (
        source.regular
        and source.size is not None
        and source.size >= max(_LEAST_SIZE, 8 * block)
        and block <= _MOST_BLOCK
    )


def delta_workers(header: Signature, workers: int) -> int:
    """How many threads may each load that signature without taking much memory."""
    # Sums double their room as they come; the table has up to four pointers for each block.
    loaded = header.blocks * (2 * (4 + header.strong_length) + 32)
    return max(1, min(workers, _LOADED // max(1, loaded)))


def _cut(size: int, most: int, block: int) -> Iterator[Extent]:
    """Stretches of up to ``most`` bytes, each but the last of whole blocks."""
    step = max(block, most // block * block)
    return ((at, min(size, at + step)) for at in range(0, size, step))


def signature_by_parts(library: Backend, source: Input, header: Signature, out: Target, workers: int) -> None:
    """Write the signature of a regular file: that of each part, without its header."""
    assert source.size is not None
    source.pass_over()
    block, strong = header.block_length, header.strong_length
    most = min(_SIGNED_AT_ONCE, max(1, _SUMS_AT_ONCE // (4 + strong)) * block)
    out.write(header.header())

    def sign(extent: Extent, check: Check) -> memoryview:
        made = bytearray()
        read = watched(check, Slice(source, *extent).readinto)
        library.signature(block, strong, header.magic, read, made.extend)
        return memoryview(made)[HEADER:]

    extents = _cut(source.size, most, block)
    in_threads((functools.partial(sign, extent) for extent in extents), workers, out.write)


def delta_by_parts(
    library: Backend, header: Signature, sums: Input, source: Input, out: Target, workers: int
) -> None:
    """Write the delta to a regular file: that of each part, without its magic and its end.

    What the parts make goes to temporary files first, for a delta may be as large as the file.

    :param sums: the signature, a regular file.
    """
    assert source.size is not None
    source.pass_over()
    parts = list(_cut(source.size, -(-source.size // (workers * _PARTS_EACH)), header.block_length))
    made: List[Optional[IO[bytes]]] = [None] * len(parts)
    todo = iter(range(len(parts)))
    turn = threading.Lock()
    try:

        def work(check: Check) -> None:
            blocks = watched(check, Slice(sums, HEADER, header.size).readinto)
            with library.load(header, blocks) as loaded:
                while True:
                    with turn:
                        number = next(todo, None)
                    if number is None:
                        return
                    spool = made[number] = _spool(out)
                    read = watched(check, Slice(source, *parts[number]).readinto)
                    loaded.delta(read, functools.partial(_keep, spool))

        in_threads([work] * min(workers, len(parts)), workers, lambda done: None)
        out.write(DELTA_MAGIC)
        for spool in made:
            assert spool is not None
            _append(spool, out)
        out.write(END)
    finally:
        _close(made)


def _spool(out: Target) -> IO[bytes]:
    try:
        return out.nameless()
    except OSError as error:
        raise local_error(error, "a temporary file", "make") from None


def _keep(spool: IO[bytes], data: memoryview) -> None:
    try:
        while data:
            data = data[spool.write(data) :]
    except OSError as error:
        raise local_error(error, "a temporary file") from None


def _append(spool: IO[bytes], out: Target) -> None:
    """Copy a delta, without its magic and end."""
    left = spool.tell() - len(DELTA_MAGIC) - len(END)
    spool.seek(len(DELTA_MAGIC))
    while left:
        piece = spool.read(min(left, _BLOCK))
        out.write(piece)
        left -= len(piece)
    spool.close()


def _close(spools: List[Optional[IO[bytes]]]) -> None:
    for spool in spools:
        if spool is not None:
            spool.close()
