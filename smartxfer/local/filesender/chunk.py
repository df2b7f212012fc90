"""PUT /file/ID/chunk/OFFSET, signed or with the file's key alone.

Source: FileSender protocol, sections 6.2, 9 (encrypted chunks), 13 and 15.
"""

import base64
import hashlib
import re
from typing import IO, Callable, Optional, Tuple

from smartxfer.local.body import BodyTooLong
from smartxfer.local.filesender.call import ApiError, Call, Fatal, Identity, Response, Row, json_response
from smartxfer.local.filesender.encryption import OVERHEAD, blob_size, stored_offset
from smartxfer.local.filesender.identify import (
    begin_signature,
    check_tokens,
    guest_identity,
    key_call,
    signer,
)
from smartxfer.local.filesender.records import OPEN
from smartxfer.local.objects import spool_hashed

_FIND = (
    "SELECT f.id, f.transfer_id, f.puid, f.name, f.size, f.encrypted_size, t.status, t.userid,"
    " t.guest_id, t.roundtriptoken, t.chunk_size, json_extract(t.encryption, '$.encryption') AS"
    " encrypted, json_extract(t.encryption, '$.key_version') AS key_version"
    " FROM files f JOIN transfers t ON t.id=f.transfer_id WHERE f.id=? AND f.folder=0"
)
_NUMBER = re.compile(r"[0-9]{1,18}")


def put(call: Call) -> Response:
    """Write a chunk."""
    # The front end turns down what is far beyond any chunk.
    length = call.request.body.length
    if length is not None and length > max(32 << 20, 2 * call.backend.site.upload_chunk_size):
        raise BodyTooLong(str(length))
    signature = begin_signature(call.backend, call.request, call.arguments)
    if signature is None:
        return _unsigned(call)
    # What is not verified yet must not show as data: it waits in a nameless file.
    with call.backend.records.objects.spool() as spool:
        count, digest = _receive(call, spool, signature.update)
        signature.verify(call.backend.now())
        call.identity = Identity(signer(call.backend, call.arguments))
        file = _file(call)
        call.may_change(call.backend.records.transfer(file["transfer_id"]))
        _check_digest(call, digest)
        return _keep(call, file, spool, count)


def _unsigned(call: Call) -> Response:
    if "vid" in call.arguments:
        call.identity = guest_identity(call.backend, call.arguments.get("vid"))
    if call.identity.guest is not None or not key_call(call):
        check_tokens(call)
    file = _file(call)
    if call.identity.guest is not None:
        call.may_change(call.backend.records.transfer(file["transfer_id"]))
    elif call.arguments.get("key") != file["puid"]:
        raise ApiError("rest_authentication_required")
    body, objects = call.request.body, call.backend.records.objects
    announced = _announced(call, file)
    plain = announced in (None, -1, body.length) and not call.backend.site.chunk_digests
    if body.length is None or _is_text(call, file) or not plain:
        with objects.spool() as spool:
            count, digest = _receive(call, spool)
            _check_digest(call, digest)
            answer = _keep(call, file, spool, count, announced)
    else:
        offset = _place(call, file, body.length, body.length)
        _begin(call, file)
        # Straight into the file: a chunk that breaks off leaves what a missing chunk leaves, a stretch
        # that was never acknowledged.
        written = objects.receive(file["id"], offset, body) if body.length else 0
        answer = _written(call, file, offset, written)
    if announced == -1:
        # A 3.x dies without a size header, when the bytes are on its disk.
        raise Fatal
    return answer


def _receive(
    call: Call, spool: IO[bytes], update: Callable[[memoryview], None] = lambda piece: None
) -> Tuple[int, str]:
    """Write a body into a spool; return its bytes in number and, where the site wants it, their SHA-256."""
    if not call.backend.site.chunk_digests:
        return spool_hashed(call.request.body, spool, update), ""
    digest = hashlib.sha256()

    def show(piece: memoryview) -> None:
        update(piece)
        digest.update(piece)

    return spool_hashed(call.request.body, spool, show), digest.hexdigest()


def _check_digest(call: Call, digest: str) -> None:
    """Check the SHA-256 of a body as it came, where the site wants it.

    :raises ApiError: ``checksum validation failed``.
    """
    site = call.backend.site
    given = call.request.headers.get("x-filesender-digest-sha256", "")
    if site.chunk_digests and not site.is_2x and given.lower() != digest:
        raise ApiError("checksum validation failed")


def _keep(call: Call, file: Row, spool: IO[bytes], came: int, announced: Optional[int] = None) -> Response:
    """Store a chunk that waits in a spool.

    :param came: bytes of the body.
    :param announced: bytes that a 3.x reads, -1 or None where it reads all.
    """
    count = came
    if _is_text(call, file):
        if not call.backend.site.is_2x:
            # Whatever the size header counts. The message is a guess.
            raise ApiError("rest_sanity_check_failed")
        count = _decode(spool, came)
    elif announced is not None and announced > came:
        raise Fatal
    elif announced is not None and announced >= 0:
        # No more is read than was announced.
        came = count = announced
    offset = _place(call, file, count, came)
    _begin(call, file)
    written = call.backend.records.objects.adopt(file["id"], offset, spool, count) if count else 0
    return _written(call, file, offset, written)


def _is_text(call: Call, file: Row) -> bool:
    """Whether the body is base64 of what is to be stored."""
    return bool(file["encrypted"]) and call.backend.site.base64_chunks


def _decode(spool: IO[bytes], count: int) -> int:
    """Replace the base64 text in a spool by the bytes that it stands for.

    :param count: bytes of the text.
    :return: bytes that it stood for.
    """
    spool.seek(0)
    try:
        data = base64.b64decode(spool.read(count), validate=True)
    except ValueError:
        raise ApiError("rest_sanity_check_failed") from None
    spool.seek(0)
    spool.write(data)
    return len(data)


def _announced(call: Call, file: Row) -> Optional[int]:
    """Return the bytes that a size header announces, which a 3.x reads of an unsigned chunk.

    :return: -1 where it is missing, None for a 2.x, which counts for itself.
    """
    if call.backend.site.is_2x:
        return None
    headers = call.request.headers
    name = "x-filesender-chunk-size"
    if file["encrypted"] and headers.get("x-filesender-encrypted") == "1":
        name += "-encrypted"
    said = headers.get(name, "")
    return int(said) if _NUMBER.fullmatch(said) else -1


def _file(call: Call) -> Row:
    number = call.number()
    row = call.backend.records.db.row(_FIND, number) if number < 1 << 62 else None
    if row is None:
        raise ApiError("file_not_found")
    return row


def _place(call: Call, file: Row, count: int, came: int) -> int:
    """Check a chunk against headers, state and bounds.

    :param count: bytes to store.
    :param came: bytes of the body.
    :return: where its first byte goes in the stored file.
    :raises ApiError: see section 2.1.
    """
    site, headers = call.backend.site, call.request.headers
    offset = _offset(call)
    check_roundtrip(call, file["roundtriptoken"])
    if file["status"] not in OPEN:
        raise ApiError("cannot_add_data_to_complete_transfer")
    encrypted = bool(file["encrypted"])
    if _header_number(headers.get("x-filesender-file-size")) not in (None, file["size"]):
        raise ApiError("rest_sanity_check_failed")
    if _header_number(headers.get("x-filesender-chunk-offset")) not in (None, offset):
        raise ApiError("rest_sanity_check_failed")
    _check_counts(call, file, count, came)
    # The order of the next two is unknown.
    if count > site.upload_chunk_size + (OVERHEAD if encrypted else 0):
        raise ApiError("storage_chunk_too_large")
    limit = file["size"]
    if encrypted:
        offset = stored_offset(offset, file["chunk_size"])
        limit = file["encrypted_size"]
    if offset + count > limit:
        raise ApiError("file_chunk_out_of_bounds")
    return offset


def _check_counts(call: Call, file: Row, count: int, came: int) -> None:
    """Check what the headers of a chunk say of its size, before and after encryption.

    :raises ApiError: ``rest_sanity_check_failed``.
    """
    headers = call.request.headers
    plain = _header_number(headers.get("x-filesender-chunk-size"))
    right = plain in (None, count)
    if file["encrypted"]:
        blob = _header_number(headers.get("x-filesender-chunk-size-encrypted"))
        right = plain is None or (plain >= 0 and blob_size(plain, file["key_version"]) == count)
        right = right and blob in (None, count, came)
        right = right and headers.get("x-filesender-encrypted") in (None, "1")
    if not right:
        raise ApiError("rest_sanity_check_failed")


def _offset(call: Call) -> int:
    word = call.word(2)
    if not _NUMBER.fullmatch(word):
        raise ApiError("rest_bad_parameter")
    return int(word)


def _header_number(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    return int(text) if _NUMBER.fullmatch(text) else -1


def check_roundtrip(call: Call, token: str) -> None:
    """Check the round-trip token, always for guests, for users where the site wants it.

    :raises ApiError: ``rest_roundtrip_token_invalid``.
    """
    wanted = call.identity.guest is not None or call.backend.site.roundtrip_check
    if wanted and call.arguments.get("roundtriptoken") != token:
        raise ApiError("rest_roundtrip_token_invalid")


def _begin(call: Call, file: Row) -> None:
    """The first chunk moves a transfer from started to uploading; the others cost no commit."""
    call.backend.begun.setdefault(file["id"], call.backend.now())
    if file["status"] == "uploading":
        return
    records = call.backend.records
    moved = "UPDATE transfers SET status='uploading' WHERE id=? AND status IN ('created','started')"
    with records.db.transaction():
        if records.db.change(moved, file["transfer_id"]):
            author, now = call.identity.author, call.backend.now()
            records.log(file["transfer_id"], "upload_started", now, author)


def _written(call: Call, file: Row, offset: int, written: int) -> Response:
    shown: int | str = offset
    signed = call.identity.user is not None and call.identity.guest is None
    if offset and not file["encrypted"] and not call.backend.site.is_2x and not signed:
        # A 3.x repeats the word of the URL: only 0 and computed offsets are numbers.
        shown = call.word(2)
    return json_response({"offset": shown, "written": written})
