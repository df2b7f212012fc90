"""Files that come in parts: to the server itself, or to the storage by presigned URLs.

Source: NRP protocol, section 6 (multipart).
"""

import hashlib
import os
import secrets
from typing import List

from smartxfer.local.body import ClientGone
from smartxfer.local.database import Row
from smartxfer.local.nrp import entries, stored
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, framework
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import changeable, fail, unlocked
from smartxfer.local.nrp.keys import TOO_LONG, longer_than_allowed
from smartxfer.local.nrp.showing import shown
from smartxfer.local.nrp.stored import Received
from smartxfer.local.nrp.sums import PartSum


def begin(backend: Backend, entry: Entry) -> None:
    """Make room for a new file that comes in parts.

    On local storage that is a file of the announced size, all zeros.

    :raises ApiError: 400, a value is missing, or the key is too long.
    """
    if not entry.size:
        raise ApiError(400, "Multipart file transfer requires file size.")
    if longer_than_allowed(entry.key):
        raise ApiError(400, TOO_LONG)
    if backend.site.storage == "s3":
        entry.upload = secrets.token_hex(16)
        # Assumption: without a part size the parts are equal.
        entry.part_size = entry.part_size or -(-max(entry.size, 1) // entry.parts)
        return
    if not entry.part_size:
        raise ApiError(400, "Multipart file transfer to local storage requires part_size.")
    number, descriptor = stored.new_object(backend.database, backend.objects)
    try:
        os.ftruncate(descriptor, max(entry.size, 0))
    except OSError:
        raise ApiError(400, "Bucket quota exceeded.") from None
    finally:
        os.close(descriptor)
    entry.spans = [(number, max(entry.size, 0))]
    entry.modified = backend.now()


def put(call: Call, owner: Owner, key: str, part: int) -> Response:
    """Take a part at its place.

    What is wrong with a part is told in a 200; the entry survives it. The last part's length is not
    checked.

    :param part: number in the path; parts count from 1.
    """
    entry = changeable(call, owner, key)
    unlocked(call, owner)
    if entry.type != "M":
        raise ApiError(400, f'Transfer type "{entry.type}" does not support multipart uploads.')
    backend, body = call.backend, call.request.body
    if entry.upload:
        # Assumption: parts whose place is at the storage are not taken here.
        return _refused(call, owner, entry)
    right = body.length is not None and (part == entry.parts or body.length == entry.part_size)
    if part > entry.parts or not right:
        return _refused(call, owner, entry)
    if part < 1:
        raise framework(500)
    number = (entry.spans or [(0, 0)])[0][0]
    running = backend.part_sums.setdefault(
        entry.file_id, PartSum(backend.objects.path(number), entry.part_size)
    )
    running.begins(part)
    try:
        backend.objects.receive(number, (part - 1) * entry.part_size, body)
    except ClientGone:
        raise ApiError(400, "File is smaller than expected.") from None
    stored.note_part(backend.database, entry.file_id, part, Received(number, body.received, ""))
    if part < entry.parts:
        running.arrived(part, backend.jobs)
    return call.json(shown(backend, owner, entry))


def _refused(call: Call, owner: Owner, entry: Entry) -> Response:
    return fail(call, owner, entry, keep=True, tolerated=call.backend.site.wrong_part_is_200)


def digest(backend: Backend, entry: Entry) -> str:
    """The md5 of a file whose parts came here, hex; empty where it comes later or was given."""
    if entry.upload or entry.checksum is not None or backend.site.checksum_delay:
        return ""
    running = backend.part_sums.get(entry.file_id)
    if running is None:
        # No part came since the server started.
        number = (entry.spans or [(0, 0)])[0][0]
        running = PartSum(backend.objects.path(number), entry.part_size)
    try:
        return running.finish()
    except FileNotFoundError:
        return ""  # Deleted meanwhile, as the look that follows will find.


def complete(backend: Backend, entry: Entry, md5: str) -> None:
    """Complete a file whose parts came.

    On local storage parts that never came are zeros, and a given checksum is believed; the storage
    compares the number of parts.

    :param md5: what :func:`digest` found.
    :raises ApiError: 500, parts are missing at the storage; 400, they are missing here and gaps are not
        allowed.
    """
    rows = backend.database.select("parts", "part", file_id=entry.file_id)
    if entry.upload:
        if len(rows) != entry.parts:
            raise framework(500)
        _join(backend, entry, rows)
    elif len(rows) != entry.parts and not backend.site.commit_with_gaps:
        raise ApiError(400, "Multipart upload is not complete.")
    elif entry.checksum is None and md5:
        entry.md5 = md5
        entry.checksum = f"md5:{md5}"
    backend.database.delete("parts", file_id=entry.file_id)
    backend.part_sums.pop(entry.file_id, None)


def _join(backend: Backend, entry: Entry, rows: List[Row]) -> None:
    entry.spans = [(row["object"], row["size"]) for row in rows]
    # S3's tag of a multipart object: md5 of the md5s of its parts, and their number.
    joined = b"".join(bytes.fromhex(row["etag"]) for row in rows)
    entry.etag = f"{hashlib.md5(joined).hexdigest()}-{len(rows)}"
    entry.modified = backend.now()
    entry.upload = ""
    entry.checksum = f"multipart:{entry.etag}-{entry.part_size}"


def check_later(backend: Backend, entry: Entry) -> None:
    """Have the md5 of a completed file reckoned by and by, where it is not known yet."""
    unknown = entry.checksum is None or entry.checksum.startswith("multipart:")
    if entry.type != "L" or entry.status != "completed" or entry.spans is None or not unknown:
        return

    def work() -> None:
        # The bytes may be brought into one object meanwhile.
        while True:
            there = entries.of_file(backend.database, entry.file_id)
            try:
                md5 = _whole(backend, there[0]) if there else ""
                break
            except FileNotFoundError:
                continue
        with backend.database.transaction():
            for sharer in entries.of_file(backend.database, entry.file_id):
                sharer.md5 = md5
                sharer.checksum = f"md5:{md5}"
                entries.save(backend.database, sharer)

    backend.jobs.start("local-nrp-checksum", work, backend.site.checksum_delay)


def _whole(backend: Backend, entry: Entry) -> str:
    """The md5 of the bytes that are there, those behind the announced size of a lone object included."""
    running = hashlib.md5()
    alone = len(entry.spans or ()) == 1
    for span in entry.stretches(backend.objects):
        stored.hashed(span.path, running.update, span.start, None if alone else span.start + span.count)
    return running.hexdigest()
