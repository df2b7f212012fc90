"""Content of local files on its way in, and the commit that every type of transfer ends with.

Source: NRP protocol, sections 5 (content, states) and 6 (after commit).
"""

from typing import Optional, Tuple

import attrs

from smartxfer.local.body import ClientGone
from smartxfer.local.nrp import containers, entries, parts, stored
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, framework
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import changeable, fail, the_file, unlocked
from smartxfer.local.nrp.keys import TOO_LONG, longer_than_allowed
from smartxfer.local.nrp.showing import shown
from smartxfer.local.nrp.stored import Received, TooMuch
from smartxfer.local.objects import OCTETS


def octets_only(call: Call) -> None:
    """Go on only with a body of bytes.

    :raises ApiError: 415, it says that it is something else.
    """
    if call.request.media_type not in ("", OCTETS):
        raise ApiError(415, f"Invalid 'Content-Type' header. Expected one of: {OCTETS}")


def put(call: Call, owner: Owner, key: str) -> Response:
    """Take the content of a file; the md5 is reckoned while it comes.

    Content for a file that is completed, or that comes in another way, fails with a 200 and ends the file.
    """
    octets_only(call)
    entry = changeable(call, owner, key)
    unlocked(call, owner)
    if not _takes(entry):
        return _refused(call, owner, entry)
    backend, body = call.backend, call.request.body
    if longer_than_allowed(key):
        raise ApiError(400, TOO_LONG)
    most, reason = limit(backend, entry)
    if most is not None and body.length is not None and body.length > most:
        raise ApiError(400, reason)
    try:
        received = stored.receive(backend.database, backend.objects, body, length=body.length, most=most)
    except TooMuch:
        raise ApiError(400, reason) from None
    except ClientGone:
        raise ApiError(400, "File is smaller than expected.") from None
    with backend.database.transaction():
        now = entries.find(backend.database, owner.bucket, key)
        if now is None or not _takes(now):
            # Deleted or committed while the content came.
            stored.discard(backend.database, backend.objects, [received.object])
            return _refused(call, owner, the_file(call, owner, key))
        adopt(backend, now, received)
    return call.json(shown(backend, owner, now))


def _takes(entry: Entry) -> bool:
    return entry.type == "L" and entry.status == "pending"


def _refused(call: Call, owner: Owner, entry: Entry) -> Response:
    return fail(call, owner, entry, keep=False, tolerated=call.backend.site.reput_deletes)


def limit(backend: Backend, entry: Entry) -> Tuple[Optional[int], str]:
    """How many bytes an entry may get, None for any, and what is said of more."""
    site = backend.site
    limits = []
    if site.quota:
        listed = entries.in_bucket(backend.database, entry.bucket)
        used = sum(one.held for one in listed if one.number != entry.number)
        limits.append((max(0, site.quota - used), "Bucket quota exceeded."))
    if site.max_file_size:
        limits.append((site.max_file_size, "Maximum file size exceeded."))
    return min(limits) if limits else (None, "")


def adopt(backend: Backend, entry: Entry, received: Received) -> None:
    """Give an entry the bytes that came for it, in place of those that it had."""
    before = attrs.evolve(entry)
    fresh = Entry("", "", "", "")
    entry.file_id, entry.version_id = fresh.file_id, fresh.version_id
    entry.spans = [(received.object, received.size)]
    entry.md5 = entry.etag = received.md5
    entry.modified = backend.now()
    entries.save(backend.database, entry)
    stored.free(backend.database, backend.objects, before)


def commit(call: Call, owner: Owner, key: str) -> Response:
    """Complete a file. A repeated commit gets the entry again."""
    backend = call.backend
    entry = changeable(call, owner, key)
    # Outside the transaction: a large file takes its time.
    digest = parts.digest(backend, entry) if entry.type == "M" else ""
    with backend.database.transaction():
        entry = the_file(call, owner, key)
        first = entry.status != "completed"
        if first:
            if entry.type == "M":
                parts.complete(backend, entry, digest)
            elif entry.type == "L" and entry.spans is not None:
                entry.size, entry.checksum = entry.held, f"md5:{entry.md5}"
            else:
                raise framework(500)
            entry.type, entry.status = "L", "completed"
        entry.updated = backend.stamp()
        answer = shown(backend, owner, entry)
        # As a task of the real server does it: the answer does not show it yet.
        noted = containers.noted(backend, entry) if first else {}
        entry.metadata = {**(entry.metadata or {}), **noted}
        entries.save(backend.database, entry)
    parts.check_later(backend, entry)
    return call.json(answer)
