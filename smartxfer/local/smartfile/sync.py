"""Delta sync: signature, delta and patch of a stored file.

Source: SmartFile protocol, section 7.  Assumptions, for which no source was found: the media type
``application/octet-stream``; 400 for an upload that is not a signature or delta, and for a block size that
is not a number; 501 if librsync is not installed; the info object as response to a patch.

The delta module is imported by the first call, because most runs of the server do not need it.
"""

import os
import tempfile
from typing import BinaryIO, Callable, Iterator

from smartxfer.errors import DeltaError, LibrsyncNotFound
from smartxfer.local.smartfile.call import Call, Response, Routes, error_detail, field_error
from smartxfer.local.smartfile.tree import PendingFile
from smartxfer.local.smartfile.uploads import find_file, receive

#: Default size of a block, and of a strong checksum, in bytes.
_BLOCK, _STRONG = 2048, 8
#: Largest accepted block in bytes.
_LARGEST_BLOCK = 1 << 24
_PIECE = 256 << 10


class _Spool:
    """The body of a response in an unnamed file, which is deleted with the response.

    :param directory: directory of the file.
    """

    def __init__(self, directory: str) -> None:
        self.stream: BinaryIO = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - closed by __del__

    def __iter__(self) -> Iterator[bytes]:
        self.stream.seek(0)
        yield from iter(lambda: self.stream.read(_PIECE), b"")

    def __del__(self) -> None:
        # A response to HEAD, or an interrupted one, is not read to its end.
        self.stream.close()


def signature(call: Call) -> Response:
    """Return the signature of a file, with an optional ``block_size``."""
    from smartxfer import delta

    node = call.backend.tree.find_file(call.path)
    text = call.query.get("block_size")
    block = _BLOCK
    if text:
        block = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 0 < block <= _LARGEST_BLOCK:
            raise field_error("block_size", "Enter a whole number above 0.")
    with call.backend.tree.open(node.path) as source:
        return _delta_file(
            call,
            lambda target: delta.signature(source, target, block_length=block, strong_length=_STRONG),
        )


def make_delta(call: Call) -> Response:
    """Return the delta from the file of the uploaded signature to the stored one."""
    from smartxfer import delta

    node = call.backend.tree.find_file(call.path)
    with receive(call) as files:
        part = find_file(files, "signature")
        try:
            with call.backend.tree.open(node.path) as source:
                value = _write_result(part.draft)
                return _delta_file(call, lambda target: delta.delta(value, source, target))
        except DeltaError as error:
            raise field_error("signature", str(error)) from None


def patch(call: Call) -> Response:
    """Apply the uploaded delta to a file, which is replaced atomically."""
    from smartxfer import delta

    tree = call.backend.tree
    node = tree.find_file(call.path)
    with receive(call) as files, tree.new_file() as draft:
        part = find_file(files, "delta")
        try:
            with tree.open(node.path) as basis:
                delta.patch(basis, _write_result(part.draft), draft.stream)
        except DeltaError as error:
            raise field_error("delta", str(error)) from None
        node = tree.replace(node.path, draft)
    call.backend.record("patch", node.path, call.user)
    return call.json(call.backend.info(node))


ROUTES: Routes = {
    "path/sync/signature": {"GET": signature}, "path/sync/delta": {"POST": make_delta},
    "path/sync/patch": {"POST": patch},
}


def _write_result(draft: PendingFile) -> str:
    """Flush the uploaded file and return its path."""
    draft.stream.flush()
    return draft.path


def _delta_file(call: Call, make: Callable[[BinaryIO], int]) -> Response:
    """Return a response with the bytes that ``make`` writes to a temporary file."""
    spool = _Spool(call.backend.tree.incoming)
    try:
        make(spool.stream)
    except LibrsyncNotFound as error:
        raise error_detail(501, str(error)) from None
    length = spool.stream.seek(0, os.SEEK_END)
    return Response(200, [("Content-Type", "application/octet-stream")], spool, length)
