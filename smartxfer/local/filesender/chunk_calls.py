"""PUT /file/ID/chunk/OFFSET, signed or with the file's key alone.

Source: FileSender protocol, sections 6.2, 9 (encrypted chunks), 13 and 15.
"""

import base64
import hashlib
import re
from typing import IO, Callable, Optional, Tuple

from smartxfer.local.filesender.authentication import (
    authenticate_file_key,
    begin_signature,
    check_tokens,
    guest_identity,
    signing_user,
)
from smartxfer.local.filesender.call import ApiError, Call, Identity, PhpFatal, Response, Row, json_response
from smartxfer.local.filesender.encryption import OVERHEAD, blob_size, stored_offset
from smartxfer.local.filesender.repository import OPEN_STATUSES
from smartxfer.local.object_store import spool_and_hash
from smartxfer.local.request_body import BodyTooLong

_FIND = (
    "SELECT f.id, f.transfer_id, f.puid, f.name, f.size, f.encrypted_size, t.status, t.userid,"
    " t.guest_id, t.roundtriptoken, t.chunk_size, json_extract(t.encryption, '$.encryption') AS"
    " encrypted, json_extract(t.encryption, '$.key_version') AS key_version"
    " FROM files f JOIN transfers t ON t.id=f.transfer_id WHERE f.id=? AND f.folder=0"
)
_NUMBER = re.compile(r"[0-9]{1,18}")


def put(call: Call) -> Response:
    """Write a chunk."""
    # The front end rejects bodies that are far larger than any chunk.
    length = call.request.body.length
    if length is not None and length > max(32 << 20, 2 * call.backend.site.upload_chunk_size):
        raise BodyTooLong(str(length))
    signature = begin_signature(call.backend, call.request, call.arguments)
    if signature is None:
        return _authenticated_by_key(call)
    # Unverified bytes must not become part of the file: they are stored in an unnamed file first.
    with call.backend.repository.objects.spool() as spool:
        count, digest = _receive(call, spool, signature.update)
        signature.verify(call.backend.now())
        call.identity = Identity(signing_user(call.backend, call.arguments))
        file = _file(call)
        call.may_change(call.backend.repository.transfer(file["transfer_id"]))
        _check_digest(call, digest)
        return _store(call, file, spool, count)


def _authenticated_by_key(call: Call) -> Response:
    if "vid" in call.arguments:
        call.identity = guest_identity(call.backend, call.arguments.get("vid"))
    if call.identity.guest is not None or not authenticate_file_key(call):
        check_tokens(call)
    file = _file(call)
    if call.identity.guest is not None:
        call.may_change(call.backend.repository.transfer(file["transfer_id"]))
    elif call.arguments.get("key") != file["puid"]:
        raise ApiError("rest_authentication_required")
    body, objects = call.request.body, call.backend.repository.objects
    announced = _announced_size(call, file)
    plain = announced in (None, -1, body.length) and not call.backend.site.chunk_digests
    if body.length is None or _is_text(call, file) or not plain:
        with objects.spool() as spool:
            count, digest = _receive(call, spool)
            _check_digest(call, digest)
            response = _store(call, file, spool, count, announced)
    else:
        offset = _chunk_position(call, file, body.length, body.length)
        _record_start(call, file)
        # Written directly into the file: an incomplete chunk is like a missing one, a range
        # that was never acknowledged.
        written = objects.receive(file["id"], offset, body) if body.length else 0
        response = _record_written(call, file, offset, written)
    if announced == -1:
        # A 3.x dies without a size header, when the bytes are on its disk.
        raise PhpFatal
    return response


def _receive(
    call: Call, spool: IO[bytes], update: Callable[[memoryview], None] = lambda piece: None
) -> Tuple[int, str]:
    """Write a body into a spool file; return its size and, if the site checks digests, its SHA-256."""
    if not call.backend.site.chunk_digests:
        return spool_and_hash(call.request.body, spool, update), ""
    digest = hashlib.sha256()

    def show(piece: memoryview) -> None:
        update(piece)
        digest.update(piece)

    return spool_and_hash(call.request.body, spool, show), digest.hexdigest()


def _check_digest(call: Call, digest: str) -> None:
    """Check the SHA-256 of a received body, if the site checks digests.

    :raises ApiError: ``checksum validation failed``.
    """
    site = call.backend.site
    value = call.request.headers.get("x-filesender-digest-sha256", "")
    if site.chunk_digests and not site.is_2x and value.lower() != digest:
        raise ApiError("checksum validation failed")


def _store(
    call: Call, file: Row, spool: IO[bytes], received: int, announced: Optional[int] = None
) -> Response:
    """Store a chunk from a spool file.

    :param received: bytes of the body.
    :param announced: number of bytes that a 3.x reads; -1 or None: all.
    """
    count = received
    if _is_text(call, file):
        if not call.backend.site.is_2x:
            # Independent of the size header. The message is a guess.
            raise ApiError("rest_sanity_check_failed")
        count = _decode(spool, received)
    elif announced is not None and announced > received:
        raise PhpFatal
    elif announced is not None and announced >= 0:
        # Only the announced number of bytes is read.
        received = count = announced
    offset = _chunk_position(call, file, count, received)
    _record_start(call, file)
    written = (
        call.backend.repository.objects.copy_from_spool(file["id"], offset, spool, count) if count else 0
    )
    return _record_written(call, file, offset, written)


def _is_text(call: Call, file: Row) -> bool:
    """Return True if the body is base64 of the bytes to store."""
    return bool(file["encrypted"]) and call.backend.site.base64_chunks


def _decode(spool: IO[bytes], count: int) -> int:
    """Decode the base64 text in a spool file in place.

    :param count: bytes of the text.
    :return: number of decoded bytes.
    """
    spool.seek(0)
    try:
        data = base64.b64decode(spool.read(count), validate=True)
    except ValueError:
        raise ApiError("rest_sanity_check_failed") from None
    spool.seek(0)
    spool.write(data)
    return len(data)


def _announced_size(call: Call, file: Row) -> Optional[int]:
    """Return the size in a size header, which limits what a 3.x reads of an unsigned chunk.

    :return: -1 if it is missing, None for a 2.x, which ignores it.
    """
    if call.backend.site.is_2x:
        return None
    headers = call.request.headers
    name = "x-filesender-chunk-size"
    if file["encrypted"] and headers.get("x-filesender-encrypted") == "1":
        name += "-encrypted"
    header = headers.get(name, "")
    return int(header) if _NUMBER.fullmatch(header) else -1


def _file(call: Call) -> Row:
    number = call.number()
    row = call.backend.repository.db.fetchone(_FIND, number) if number < 1 << 62 else None
    if row is None:
        raise ApiError("file_not_found")
    return row


def _chunk_position(call: Call, file: Row, count: int, received: int) -> int:
    """Check a chunk against headers, state and bounds.

    :param count: bytes to store.
    :param received: bytes of the body.
    :return: offset in the stored file.
    :raises ApiError: see section 2.1.
    """
    site, headers = call.backend.site, call.request.headers
    offset = _offset(call)
    check_roundtrip(call, file["roundtriptoken"])
    if file["status"] not in OPEN_STATUSES:
        raise ApiError("cannot_add_data_to_complete_transfer")
    encrypted = bool(file["encrypted"])
    if _header_number(headers.get("x-filesender-file-size")) not in (None, file["size"]):
        raise ApiError("rest_sanity_check_failed")
    if _header_number(headers.get("x-filesender-chunk-offset")) not in (None, offset):
        raise ApiError("rest_sanity_check_failed")
    _check_counts(call, file, count, received)
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


def _check_counts(call: Call, file: Row, count: int, received: int) -> None:
    """Check the size headers of a chunk, before and after encryption.

    :raises ApiError: ``rest_sanity_check_failed``.
    """
    headers = call.request.headers
    plain = _header_number(headers.get("x-filesender-chunk-size"))
    right = plain in (None, count)
    if file["encrypted"]:
        blob = _header_number(headers.get("x-filesender-chunk-size-encrypted"))
        right = plain is None or (plain >= 0 and blob_size(plain, file["key_version"]) == count)
        right = right and blob in (None, count, received)
        right = right and headers.get("x-filesender-encrypted") in (None, "1")
    if not right:
        raise ApiError("rest_sanity_check_failed")


def _offset(call: Call) -> int:
    word = call.segment(2)
    if not _NUMBER.fullmatch(word):
        raise ApiError("rest_bad_parameter")
    return int(word)


def _header_number(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    return int(text) if _NUMBER.fullmatch(text) else -1


def check_roundtrip(call: Call, token: str) -> None:
    """Check the round-trip token: always for guests, for users if the site requires it.

    :raises ApiError: ``rest_roundtrip_token_invalid``.
    """
    requested = call.identity.guest is not None or call.backend.site.roundtrip_check
    if requested and call.arguments.get("roundtriptoken") != token:
        raise ApiError("rest_roundtrip_token_invalid")


def _record_start(call: Call, file: Row) -> None:
    """Set the transfer to uploading with its first chunk; later chunks need no commit."""
    call.backend.signatures_begun.setdefault(file["id"], call.backend.now())
    if file["status"] == "uploading":
        return
    records = call.backend.repository
    sql = "UPDATE transfers SET status='uploading' WHERE id=? AND status IN ('created','started')"
    with records.db.transaction():
        if records.db.execute_count(sql, file["transfer_id"]):
            author, now = call.identity.author, call.backend.now()
            records.log(file["transfer_id"], "upload_started", now, author)


def _record_written(call: Call, file: Row, offset: int, written: int) -> Response:
    shown_offset: int | str = offset
    signed = call.identity.user is not None and call.identity.guest is None
    if offset and not file["encrypted"] and not call.backend.site.is_2x and not signed:
        # A 3.x repeats the text of the URL: only 0 and computed offsets are numbers.
        shown_offset = call.segment(2)
    return json_response({"offset": shown_offset, "written": written})
