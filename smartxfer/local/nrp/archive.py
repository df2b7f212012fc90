"""All files of a record in one zip archive, nothing compressed.

Source: NRP protocol, section 5 (download all).
"""

from smartxfer.local.nrp import entries
from smartxfer.local.nrp.call import Broken, Call, Owner, Response, denied
from smartxfer.local.zip_stream import ZipMember, zip_stream


def archive(call: Call, owner: Owner) -> Response:
    """The files that lie here, streamed, those whose parts still come included.

    :raises ApiError: 500, with a page, where a file lies elsewhere.
    """
    if not owner.readable:
        raise denied()
    backend = call.backend
    there = [entry for entry in entries.in_bucket(backend.database, owner.bucket) if entry.known]
    if any(entry.type == "R" for entry in there):
        raise Broken
    length, parts = zip_stream(
        [
            ZipMember(entry.key, entry.held, entry.stretches(backend.objects), entry.modified)
            for entry in there
            if entry.spans is not None
        ]
    )
    headers = [
        ("Content-Disposition", f"attachment; filename={owner.id}.zip"),
        ("Content-Type", "application/zip"),
    ]
    return Response(200, headers, parts, length)
