"""The file that a call means, and what hinders the call before it begins.

Source: NRP protocol, sections 3 (errors) and 5.
"""

from smartxfer.local.nrp import entries, stored
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, denied
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.showing import shown

#: What stands in an answer whose transfer failed.
FAILED = "File upload transfer failed."


def the_file(call: Call, owner: Owner, key: str) -> Entry:
    """The entry of a key.

    :raises ApiError: 404, there is none.
    """
    entry = entries.find(call.backend.database, owner.bucket, key)
    if entry is None:
        raise ApiError(404, f"Record '{owner.id}' has no file '{key}'.")
    return entry


def readable(call: Call, owner: Owner, key: str) -> Entry:
    """The entry of a key, for a call that reads it.

    :raises ApiError: 404, there is none; only then 403, it is not the caller's to read.
    """
    entry = the_file(call, owner, key)
    if not owner.readable:
        raise denied()
    return _enabled(owner, entry)


def changeable(call: Call, owner: Owner, key: str) -> Entry:
    """The entry of a key, for a call that changes it.

    :raises ApiError: 404, there is none; only then 403, it is not the caller's to change.
    """
    entry = the_file(call, owner, key)
    if not owner.writable:
        raise denied()
    return _enabled(owner, entry)


def _enabled(owner: Owner, entry: Entry) -> Entry:
    if not owner.enabled:
        raise ApiError(403, "Files are not enabled.")
    return entry


def unlocked(call: Call, owner: Owner) -> None:
    """Go on only where the files may change.

    :raises ApiError: 403, the bucket is that of a published record.
    """
    row = call.backend.database.find("buckets", id=owner.bucket)
    if owner.locked or (row is not None and row["locked"]):
        raise ApiError(403, "Bucket is locked for modifications.")


def removed(backend: Backend, entry: Entry) -> None:
    """Take an entry out, with its bytes."""
    with backend.database.transaction():
        backend.database.run("DELETE FROM entries WHERE number=?", entry.number)
        stored.free(backend.database, backend.objects, entry)
    backend.part_sums.pop(entry.file_id, None)


def fail(call: Call, owner: Owner, entry: Entry, *, keep: bool, tolerated: bool) -> Response:
    """The answer to content that the transfer does not take: a success by its status, with ``errors``.

    :param keep: whether the entry survives it.
    :param tolerated: whether the site answers so.
    :raises ApiError: 400, it does not.
    """
    if not tolerated:
        raise ApiError(400, FAILED)
    answer = {**shown(call.backend, owner, entry), "errors": FAILED}
    if not keep:
        removed(call.backend, entry)
    return call.json(answer)
