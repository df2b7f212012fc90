"""Multipart uploads: to the server itself, or to the storage by presigned URLs.

Source: NRP protocol, section 6 (multipart).
"""

import hashlib
import os
import secrets
from typing import List

from smartxfer.local.database import Row
from smartxfer.local.nrp import file_entries, file_storage
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, framework_error
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import TOO_LONG, is_too_long
from smartxfer.local.nrp.file_lookup import fail, require_unlocked, require_writable
from smartxfer.local.nrp.file_serializers import serialize_entry
from smartxfer.local.nrp.file_storage import StoredBody
from smartxfer.local.nrp.multipart_md5 import MultipartMD5
from smartxfer.local.request_body import ClientGone


def begin(backend: Backend, entry: FileEntry) -> None:
    """Begin a multipart upload.

    On local storage this creates a file of the announced size, with zeros.

    :raises ApiError: 400, a value is missing, or the key is too long.
    """
    if not entry.size:
        raise ApiError(400, "Multipart file transfer requires file size.")
    if is_too_long(entry.key):
        raise ApiError(400, TOO_LONG)
    if backend.site.storage == "s3":
        entry.upload = secrets.token_hex(16)
        # Assumption: without a part size the parts are equal.
        entry.part_size = entry.part_size or -(-max(entry.size, 1) // entry.parts)
        return
    if not entry.part_size:
        raise ApiError(400, "Multipart file transfer to local storage requires part_size.")
    number, descriptor = file_storage.new_object(backend.database, backend.objects)
    try:
        os.ftruncate(descriptor, max(entry.size, 0))
    except OSError:
        raise ApiError(400, "Bucket quota exceeded.") from None
    finally:
        os.close(descriptor)
    entry.spans = [(number, max(entry.size, 0))]
    entry.modified = backend.now()


def put(call: Call, owner: Owner, key: str, part: int) -> Response:
    """Store a part.

    Errors of a part are reported with status 200; the entry is kept. The last part's length is not
    checked.

    :param part: part number in the path, from 1.
    """
    entry = require_writable(call, owner, key)
    require_unlocked(call, owner)
    if entry.type != "M":
        raise ApiError(400, f'Transfer type "{entry.type}" does not support multipart uploads.')
    backend, body = call.backend, call.request.body
    if entry.upload:
        # Assumption: parts for the storage are not accepted here.
        return _part_error(call, owner, entry)
    right = body.length is not None and (part == entry.parts or body.length == entry.part_size)
    if part > entry.parts or not right:
        return _part_error(call, owner, entry)
    if part < 1:
        raise framework_error(500)
    number = (entry.spans or [(0, 0)])[0][0]
    running = backend.part_sums.setdefault(
        entry.file_id, MultipartMD5(backend.objects.path(number), entry.part_size)
    )
    running.part_started(part)
    try:
        backend.objects.receive(number, (part - 1) * entry.part_size, body)
    except ClientGone:
        raise ApiError(400, "File is smaller than expected.") from None
    file_storage.save_part(backend.database, entry.file_id, part, StoredBody(number, body.received, ""))
    if part < entry.parts:
        running.part_stored(part, backend.jobs)
    return call.json(serialize_entry(backend, owner, entry))


def _part_error(call: Call, owner: Owner, entry: FileEntry) -> Response:
    return fail(call, owner, entry, keep=True, tolerated=call.backend.site.wrong_part_is_200)


def digest(backend: Backend, entry: FileEntry) -> str:
    """Return the md5 of a multipart file in hex; empty if it is computed later or was given."""
    if entry.upload or entry.checksum is not None or backend.site.checksum_delay:
        return ""
    running = backend.part_sums.get(entry.file_id)
    if running is None:
        # No part was received since the server started.
        number = (entry.spans or [(0, 0)])[0][0]
        running = MultipartMD5(backend.objects.path(number), entry.part_size)
    try:
        return running.finish()
    except FileNotFoundError:
        return ""  # Deleted in the meantime; the following lookup raises the error.


def complete(backend: Backend, entry: FileEntry, md5: str) -> None:
    """Complete a multipart upload.

    On local storage missing parts are zeros, and a given checksum is not verified; the storage
    compares the number of parts.

    :param md5: result of :func:`digest`.
    :raises ApiError: 500, parts are missing at the storage; 400, parts are missing here and gaps are not
        allowed.
    """
    rows = backend.database.select("parts", "part", file_id=entry.file_id)
    if entry.upload:
        if len(rows) != entry.parts:
            raise framework_error(500)
        _join(backend, entry, rows)
    elif len(rows) != entry.parts and not backend.site.commit_with_gaps:
        raise ApiError(400, "Multipart upload is not complete.")
    elif entry.checksum is None and md5:
        entry.md5 = md5
        entry.checksum = f"md5:{md5}"
    backend.database.delete("parts", file_id=entry.file_id)
    backend.part_sums.pop(entry.file_id, None)


def _join(backend: Backend, entry: FileEntry, rows: List[Row]) -> None:
    entry.spans = [(row["object"], row["size"]) for row in rows]
    # S3's tag of a multipart object: md5 of the md5s of its parts, and their number.
    joined = b"".join(bytes.fromhex(row["etag"]) for row in rows)
    entry.etag = f"{hashlib.md5(joined).hexdigest()}-{len(rows)}"
    entry.modified = backend.now()
    entry.upload = ""
    entry.checksum = f"multipart:{entry.etag}-{entry.part_size}"


def check_later(backend: Backend, entry: FileEntry) -> None:
    """Compute the md5 of a completed file in the background, if it is unknown."""
    unknown = entry.checksum is None or entry.checksum.startswith("multipart:")
    if entry.type != "L" or entry.status != "completed" or entry.spans is None or not unknown:
        return

    def work() -> None:
        # The bytes may have been moved into one object in the meantime.
        while True:
            there = file_entries.of_file(backend.database, entry.file_id)
            try:
                md5 = _has_all_parts(backend, there[0]) if there else ""
                break
            except FileNotFoundError:
                continue
        with backend.database.transaction():
            for sharer in file_entries.of_file(backend.database, entry.file_id):
                sharer.md5 = md5
                sharer.checksum = f"md5:{md5}"
                file_entries.save(backend.database, sharer)

    backend.jobs.start("local-nrp-checksum", work, backend.site.checksum_delay)


def _has_all_parts(backend: Backend, entry: FileEntry) -> str:
    """Return the md5 of the stored bytes, including those of a single object after the announced size."""
    running = hashlib.md5()
    alone = len(entry.spans or ()) == 1
    for file_slice in entry.slices(backend.objects):
        file_storage.hash_file(
            file_slice.path, running.update, file_slice.start,
            None if alone else file_slice.start + file_slice.count,
        )
    return running.hexdigest()
