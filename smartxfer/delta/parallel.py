"""Signatures and deltas of large regular files, split at multiples of the block length, by several threads.

Source: SmartFile protocol, section 9.
"""

import functools
import threading
from typing import IO, Iterator, List, Optional, Tuple

from smartxfer.delta.backend import Backend
from smartxfer.delta.commands import DELTA_END, DELTA_MAGIC
from smartxfer.delta.input_file import InputFile, InputSlice
from smartxfer.delta.output_file import OutputFile
from smartxfer.delta.signature_header import HEADER_SIZE, Signature
from smartxfer.delta.worker_threads import AbortCheck, run_in_threads, with_abort_check
from smartxfer.local_errors import wrap_os_error

__all__ = ["is_worth_parallel", "limit_delta_workers", "write_delta_parallel", "write_signature_parallel"]

#: Smaller files are finished before a second thread has started.
_MIN_SIZE = 4 * 1024 * 1024
#: With longer blocks there are too few parts, and each thread has two blocks in memory.
_MAX_BLOCK_LENGTH = 1024 * 1024
_MAX_SIGNED_PART_SIZE = 8 * 1024 * 1024
_MAX_PART_SIGNATURE_SIZE = 1024 * 1024
#: Limit for the loaded signatures of all threads, in bytes.
_MAX_LOADED_BYTES = 24 * 1024 * 1024
#: Parts of a delta: enough to balance the load, few enough that the split costs little compression.
_PARTS_PER_WORKER = 2
_COPY_BUFFER_SIZE = 256 * 1024

Extent = Tuple[int, int]


def is_worth_parallel(source: InputFile, block_length: int) -> bool:
    """Return True if several threads process ``source`` faster than one."""
    return (
        source.supports_parallel_reads
        and source.size is not None
        and source.size >= max(_MIN_SIZE, 8 * block_length)
        and block_length <= _MAX_BLOCK_LENGTH
    )


def limit_delta_workers(header: Signature, workers: int) -> int:
    """Return the number of threads that may load the signature within the memory limit."""
    # librsync doubles its array of sums as it grows; its hash table has up to four pointers per block.
    loaded = header.blocks * (2 * (4 + header.strong_length) + 32)
    return max(1, min(workers, _MAX_LOADED_BYTES // max(1, loaded)))


def _split(size: int, max_part_size: int, block_length: int) -> Iterator[Extent]:
    """Return ranges of up to ``max_part_size`` bytes; all but the last consist of complete blocks."""
    step = max(block_length, max_part_size // block_length * block_length)
    return ((at, min(size, at + step)) for at in range(0, size, step))


def write_signature_parallel(
    library: Backend, source: InputFile, header: Signature, out: OutputFile, workers: int
) -> None:
    """Write the signature of a regular file: one header, then the blocks of the signature of each part."""
    assert source.size is not None
    source.mark_read()
    block, strong = header.block_length, header.strong_length
    max_part_size = min(_MAX_SIGNED_PART_SIZE, max(1, _MAX_PART_SIGNATURE_SIZE // (4 + strong)) * block)
    out.write(header.header())

    def sign(extent: Extent, check: AbortCheck) -> memoryview:
        part_signature = bytearray()
        read = with_abort_check(check, InputSlice(source, *extent).readinto)
        library.write_signature(block, strong, header.magic, read, part_signature.extend)
        return memoryview(part_signature)[HEADER_SIZE:]

    extents = _split(source.size, max_part_size, block)
    run_in_threads((functools.partial(sign, extent) for extent in extents), workers, out.write)


def write_delta_parallel(
    library: Backend,
    header: Signature,
    signature: InputFile,
    source: InputFile,
    out: OutputFile,
    workers: int,
) -> None:
    """Write the delta of a regular file: the commands of the delta of each part, between one magic and end.

    The deltas of the parts are written to temporary files first, because a delta may be as large as the file.

    :param signature: the signature, a regular file.
    """
    assert source.size is not None
    source.mark_read()
    parts = list(_split(source.size, -(-source.size // (workers * _PARTS_PER_WORKER)), header.block_length))
    spools: List[Optional[IO[bytes]]] = [None] * len(parts)
    part_numbers = iter(range(len(parts)))
    part_numbers_lock = threading.Lock()
    try:

        def work(check: AbortCheck) -> None:
            blocks = with_abort_check(check, InputSlice(signature, HEADER_SIZE, header.size).readinto)
            with library.load_signature(header, blocks) as loaded:
                while True:
                    with part_numbers_lock:
                        number = next(part_numbers, None)
                    if number is None:
                        return
                    spool = spools[number] = _open_spool(out)
                    read = with_abort_check(check, InputSlice(source, *parts[number]).readinto)
                    loaded.write_delta(read, functools.partial(_write_spool, spool))

        run_in_threads([work] * min(workers, len(parts)), workers, lambda result: None)
        out.write(DELTA_MAGIC)
        for spool in spools:
            assert spool is not None
            _append_spool(spool, out)
        out.write(DELTA_END)
    finally:
        _close_spools(spools)


def _open_spool(out: OutputFile) -> IO[bytes]:
    try:
        return out.open_temporary_file()
    except OSError as error:
        raise wrap_os_error(error, "a temporary file", "create") from None


def _write_spool(spool: IO[bytes], data: memoryview) -> None:
    try:
        while data:
            data = data[spool.write(data) :]
    except OSError as error:
        raise wrap_os_error(error, "a temporary file") from None


def _append_spool(spool: IO[bytes], out: OutputFile) -> None:
    """Copy the commands of a delta, without its magic and its end, and close it."""
    left = spool.tell() - len(DELTA_MAGIC) - len(DELTA_END)
    spool.seek(len(DELTA_MAGIC))
    while left:
        piece = spool.read(min(left, _COPY_BUFFER_SIZE))
        out.write(piece)
        left -= len(piece)
    spool.close()


def _close_spools(spools: List[Optional[IO[bytes]]]) -> None:
    for spool in spools:
        if spool is not None:
            spool.close()
