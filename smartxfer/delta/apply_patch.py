"""The new file, from the old one and a delta; no library is needed."""

from typing import Optional

from smartxfer.delta.commands import Copy, merge_copies, read_commands
from smartxfer.delta.input_file import AnyFile, InputFile
from smartxfer.delta.output_file import OutputFile
from smartxfer.errors import UsageError

__all__ = ["patch"]


def patch(basis: AnyFile, delta: AnyFile, target: AnyFile, *, size: Optional[int] = None) -> int:
    """Apply a delta to the old file.

    A path as target gets the new file in one step, and keeps its mode; it may be the basis itself.

    :param basis: the old file: a path, or an open binary file that can seek (wherever it stands).
    :param delta: a path, or an open binary file or stream, read from where it stands to its end.
    :param target: a path, or an open binary file.
    :param size: bytes that the new file must have, where that is known: a small delta can make an endless
        file.
    :return: bytes of the new file.
    :raises DeltaError: no delta, one that is cut short or goes on after its end, that points outside the
        old file, or that makes another size.
    :raises SourceChanged: the old file changed meanwhile.
    :raises UsageError: something that is no binary file, or that would be read and written at once.
    :raises FileNotFoundError: no such file.
    :raises LocalError: a file cannot be read or written.

    Source: SmartFile protocol, section 9.
    """
    out = OutputFile(target)
    with InputFile(basis, "basis", from_start=True) as old, InputFile(delta, "delta") as change, out:
        if old.size is None:
            raise UsageError("the basis is a stream that cannot seek", hint="give a path or an open file")
        out.reject_same_file(old, in_place=True)
        out.reject_same_file(change)
        for command in merge_copies(read_commands(change.readinto, old.size, size)):
            if isinstance(command, Copy):
                out.copy(old, command.position, command.length)
            else:
                out.write(command)
        old.check_unchanged()
        old.close()  # Windows replaces no file that is open
    return out.bytes_written
