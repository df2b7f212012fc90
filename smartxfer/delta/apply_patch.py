"""Patching: the new file from the old file and a delta, without librsync."""

from typing import Optional

from smartxfer.delta.commands import Copy, merge_copies, read_commands
from smartxfer.delta.input_file import AnyFile, InputFile
from smartxfer.delta.output_file import OutputFile
from smartxfer.errors import UsageError

__all__ = ["patch"]


def patch(basis: AnyFile, delta: AnyFile, target: AnyFile, *, size: Optional[int] = None) -> int:
    """Apply a delta to the old file.

    If the target is a path, the file there is replaced atomically and keeps its mode.  It may be the basis.

    :param basis: the old file: a path, or an open binary file that can seek, read from its start.
    :param delta: a path, or an open binary file or stream, read from its current position to its end.
    :param target: a path, or an open binary file.
    :param size: expected size of the new file in bytes, if known.  It protects against a small delta that
        describes a huge file.
    :return: size of the new file in bytes.
    :raises DeltaError: the delta is invalid or truncated, has data after its end, refers to bytes outside
        the old file, or describes a file of another size.
    :raises SourceChanged: the old file changed while it was read.
    :raises UsageError: an argument is not a binary file, or the target is a file that is also read.
    :raises FileNotFoundError: a file does not exist.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, section 9.
    """
    out = OutputFile(target)
    with InputFile(basis, "basis", from_start=True) as old, InputFile(delta, "delta") as change, out:
        if old.size is None:
            raise UsageError("basis is a stream that cannot seek", hint="pass a path or an open file")
        out.reject_same_file(old, in_place=True)
        out.reject_same_file(change)
        for command in merge_copies(read_commands(change.readinto, old.size, size)):
            if isinstance(command, Copy):
                out.copy(old, command.position, command.length)
            else:
                out.write(command)
        old.check_unchanged()
        old.close()  # Windows cannot replace an open file
    return out.bytes_written
