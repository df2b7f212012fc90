"""Zip archive of all files of a record, without compression.

Source: NRP protocol, section 5 (download all).
"""

from smartxfer.local.nrp import file_entries
from smartxfer.local.nrp.call import Call, InternalError, Owner, Response, permission_denied
from smartxfer.local.zip_stream import ZipMember, zip_stream


def archive(call: Call, owner: Owner) -> Response:
    """Return an archive of the stored files, including incomplete ones.

    :raises ApiError: 500, with a page, if a file is not stored here.
    """
    if not owner.readable:
        raise permission_denied()
    backend = call.backend
    entries = [
        entry for entry in file_entries.in_bucket(backend.database, owner.bucket) if entry.is_size_known
    ]
    if any(entry.type == "R" for entry in entries):
        raise InternalError
    length, parts = zip_stream(
        [
            ZipMember(entry.key, entry.is_stored, entry.slices(backend.objects), entry.modified)
            for entry in entries
            if entry.spans is not None
        ]
    )
    headers = [
        ("Content-Disposition", f"attachment; filename={owner.id}.zip"),
        ("Content-Type", "application/zip"),
    ]
    return Response(200, headers, parts, length)
