"""Delta sync: signature, delta and patch of a stored file.

Source: SmartFile protocol, section 7.  Assumptions, for which no source was found: the media type
``application/octet-stream``; 400 for an upload that is no signature or no delta, and for a block size that
is no number; 501 where this machine has no librsync; the info object as answer to a patch.

The delta module is imported when the first call needs it: most runs of the server never sync.
"""

import os
import tempfile
from typing import BinaryIO, Callable, Iterator

from smartxfer.errors import DeltaError, LibrsyncNotFound
from smartxfer.local.smartfile.call import Call, Response, Routes, detail, field_error
from smartxfer.local.smartfile.tree import Draft
from smartxfer.local.smartfile.uploads import file_of, receive

#: Bytes of a block, and of a strong sum, when none are asked for.
_BLOCK, _STRONG = 2048, 8
#: Largest block that is taken, bytes.
_LARGEST_BLOCK = 1 << 24
_PIECE = 256 << 10


class _Spool:
    """The body of an answer in a nameless file that goes with the answer.

    :param directory: where the file lies.
    """

    def __init__(self, directory: str) -> None:
        self.stream: BinaryIO = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by __del__

    def __iter__(self) -> Iterator[bytes]:
        self.stream.seek(0)
        yield from iter(lambda: self.stream.read(_PIECE), b"")

    def __del__(self) -> None:
        # An answer to HEAD, or one that breaks off, is never read to its end.
        self.stream.close()


def signature(call: Call) -> Response:
    """Send the signature of a file, with ``block_size`` where one is asked for."""
    from smartxfer import delta

    node = call.backend.tree.find_file(call.path)
    text = call.query.get("block_size")
    block = _BLOCK
    if text:
        block = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 0 < block <= _LARGEST_BLOCK:
            raise field_error("block_size", "Enter a whole number above 0.")
    with call.backend.tree.open(node.path) as source:
        return _made(
            call,
            lambda target: delta.signature(source, target, block_length=block, strong_length=_STRONG),
        )


def make_delta(call: Call) -> Response:
    """Send the delta from the uploaded signature's file to the stored one."""
    from smartxfer import delta

    node = call.backend.tree.find_file(call.path)
    with receive(call) as files:
        part = file_of(files, "signature")
        try:
            with call.backend.tree.open(node.path) as source:
                given = _written(part.draft)
                return _made(call, lambda target: delta.delta(given, source, target))
        except DeltaError as error:
            raise field_error("signature", str(error)) from None


def patch(call: Call) -> Response:
    """Apply the uploaded delta to a file, which is replaced whole or stays as it is."""
    from smartxfer import delta

    tree = call.backend.tree
    node = tree.find_file(call.path)
    with receive(call) as files, tree.draft() as draft:
        part = file_of(files, "delta")
        try:
            with tree.open(node.path) as basis:
                delta.patch(basis, _written(part.draft), draft.stream)
        except DeltaError as error:
            raise field_error("delta", str(error)) from None
        node = tree.replace(node.path, draft)
    call.backend.record("patch", node.path, call.user)
    return call.json(call.backend.info(node))


ROUTES: Routes = {
    "path/sync/signature": {"GET": signature},
    "path/sync/delta": {"POST": make_delta},
    "path/sync/patch": {"POST": patch},
}


def _written(draft: Draft) -> str:
    """Path of what was uploaded, with nothing left in a buffer."""
    draft.stream.flush()
    return draft.path


def _made(call: Call, make: Callable[[BinaryIO], int]) -> Response:
    """An answer with the bytes that ``make`` writes, held in a file until they are sent."""
    spool = _Spool(call.backend.tree.incoming)
    try:
        make(spool.stream)
    except LibrsyncNotFound as error:
        raise detail(501, str(error)) from None
    length = spool.stream.seek(0, os.SEEK_END)
    return Response(200, [("Content-Type", "application/octet-stream")], spool, length)
