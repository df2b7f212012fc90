"""Upload of local file content, and the commit of every transfer type.

Source: NRP protocol, sections 5 (content, states) and 6 (after commit).
"""

from typing import Optional, Tuple

import attrs

from smartxfer.local.nrp import containers, file_entries, file_parts, file_storage
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, framework_error
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import TOO_LONG, is_too_long
from smartxfer.local.nrp.file_lookup import fail, require_file, require_unlocked, require_writable
from smartxfer.local.nrp.file_serializers import serialize_entry
from smartxfer.local.nrp.file_storage import SizeLimitExceeded, StoredBody
from smartxfer.local.object_store import OCTETS
from smartxfer.local.request_body import ClientGone


def require_octet_stream(call: Call) -> None:
    """Check that the body is an octet stream.

    :raises ApiError: 415, it has another media type.
    """
    if call.request.media_type not in ("", OCTETS):
        raise ApiError(415, f"Invalid 'Content-Type' header. Expected one of: {OCTETS}")


def put(call: Call, owner: Owner, key: str) -> Response:
    """Store the content of a file; the md5 is computed during the upload.

    Content for a completed file, or one of another transfer type, fails with a 200 and removes the file.
    """
    require_octet_stream(call)
    entry = require_writable(call, owner, key)
    require_unlocked(call, owner)
    if not _accepts_content(entry):
        return _put_error(call, owner, entry)
    backend, body = call.backend, call.request.body
    if is_too_long(key):
        raise ApiError(400, TOO_LONG)
    maximum, reason = limit(backend, entry)
    if maximum is not None and body.length is not None and body.length > maximum:
        raise ApiError(400, reason)
    try:
        received = file_storage.receive(
            backend.database, backend.objects, body, length=body.length, maximum=maximum
        )
    except SizeLimitExceeded:
        raise ApiError(400, reason) from None
    except ClientGone:
        raise ApiError(400, "File is smaller than expected.") from None
    with backend.database.transaction():
        now = file_entries.find(backend.database, owner.bucket, key)
        if now is None or not _accepts_content(now):
            # Deleted or committed during the upload.
            file_storage.discard(backend.database, backend.objects, [received.object])
            return _put_error(call, owner, require_file(call, owner, key))
        set_content(backend, now, received)
    return call.json(serialize_entry(backend, owner, now))


def _accepts_content(entry: FileEntry) -> bool:
    return entry.type == "L" and entry.status == "pending"


def _put_error(call: Call, owner: Owner, entry: FileEntry) -> Response:
    return fail(call, owner, entry, keep=False, tolerated=call.backend.site.reput_deletes)


def limit(backend: Backend, entry: FileEntry) -> Tuple[Optional[int], str]:
    """Return the largest size of an entry, or None, and the error for a larger one."""
    site, limits = backend.site, []
    if site.quota:
        listed = file_entries.in_bucket(backend.database, entry.bucket)
        used = sum(other.is_stored for other in listed if other.number != entry.number)
        limits.append((max(0, site.quota - used), "Bucket quota exceeded."))
    if site.max_file_size:
        limits.append((site.max_file_size, "Maximum file size exceeded."))
    return min(limits) if limits else (None, "")


def set_content(backend: Backend, entry: FileEntry, received: StoredBody) -> None:
    """Replace the bytes of an entry."""
    before = attrs.evolve(entry)
    new = FileEntry("", "", "", "")
    entry.file_id, entry.version_id = new.file_id, new.version_id
    entry.spans, entry.modified = [(received.object, received.size)], backend.now()
    entry.md5 = entry.etag = received.md5
    file_entries.save(backend.database, entry)
    file_storage.release(backend.database, backend.objects, before)


def commit(call: Call, owner: Owner, key: str) -> Response:
    """Complete a file. A repeated commit returns the entry again."""
    backend = call.backend
    entry = require_writable(call, owner, key)
    # Outside the transaction: this takes long for a large file.
    digest = file_parts.digest(backend, entry) if entry.type == "M" else ""
    with backend.database.transaction():
        entry = require_file(call, owner, key)
        first = entry.status != "completed"
        if first:
            if entry.type == "M":
                file_parts.complete(backend, entry, digest)
            elif entry.type == "L" and entry.spans is not None:
                entry.size, entry.checksum = entry.is_stored, f"md5:{entry.md5}"
            else:
                raise framework_error(500)
            entry.type, entry.status = "L", "completed"
        entry.updated = backend.stamp()
        response = serialize_entry(backend, owner, entry)
        # The real server does this in a background task: the response does not show it yet.
        listing = containers.save_listing(backend, entry) if first else {}
        entry.metadata = {**(entry.metadata or {}), **listing}
        file_entries.save(backend.database, entry)
    file_parts.check_later(backend, entry)
    return call.json(response)
