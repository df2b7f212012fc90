"""Lookup of the file of a call, and checks of permissions.

Source: NRP protocol, sections 3 (errors) and 5.
"""

from smartxfer.local.nrp import file_entries, file_storage
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, permission_denied
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_serializers import serialize_entry

#: Error message of a failed transfer.
FAILED = "File upload transfer failed."


def require_file(call: Call, owner: Owner, key: str) -> FileEntry:
    """Return the entry of a key.

    :raises ApiError: 404, the key does not exist.
    """
    entry = file_entries.find(call.backend.database, owner.bucket, key)
    if entry is None:
        raise ApiError(404, f"Record '{owner.id}' has no file '{key}'.")
    return entry


def require_readable(call: Call, owner: Owner, key: str) -> FileEntry:
    """Return the entry of a key, for reading.

    :raises ApiError: 404, the key does not exist; else 403, the caller cannot read it.
    """
    entry = require_file(call, owner, key)
    if not owner.readable:
        raise permission_denied()
    return _require_enabled(owner, entry)


def require_writable(call: Call, owner: Owner, key: str) -> FileEntry:
    """Return the entry of a key, for writing.

    :raises ApiError: 404, the key does not exist; else 403, the caller cannot change it.
    """
    entry = require_file(call, owner, key)
    if not owner.writable:
        raise permission_denied()
    return _require_enabled(owner, entry)


def _require_enabled(owner: Owner, entry: FileEntry) -> FileEntry:
    if not owner.enabled:
        raise ApiError(403, "Files are not enabled.")
    return entry


def require_unlocked(call: Call, owner: Owner) -> None:
    """Check that the files may change.

    :raises ApiError: 403, the bucket is that of a published record.
    """
    row = call.backend.database.find("buckets", id=owner.bucket)
    if owner.locked or (row is not None and row["locked"]):
        raise ApiError(403, "Bucket is locked for modifications.")


def remove(backend: Backend, entry: FileEntry) -> None:
    """Delete an entry and its bytes."""
    with backend.database.transaction():
        backend.database.execute("DELETE FROM entries WHERE number=?", entry.number)
        file_storage.release(backend.database, backend.objects, entry)
    backend.part_sums.pop(entry.file_id, None)


def fail(call: Call, owner: Owner, entry: FileEntry, *, keep: bool, tolerated: bool) -> Response:
    """Return the response to unexpected content: status 200, with ``errors``.

    :param keep: keep the entry.
    :param tolerated: True if the site responds with 200.
    :raises ApiError: 400, otherwise.
    """
    if not tolerated:
        raise ApiError(400, FAILED)
    response = {**serialize_entry(call.backend, owner, entry), "errors": FAILED}
    if not keep:
        remove(call.backend, entry)
    return call.json(response)
