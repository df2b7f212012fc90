"""Files of records: which call does what below ``files``, and what the rest of the service asks of them.

Source: NRP protocol, sections 5 and 6.
"""

import io
import uuid
from typing import Any, Dict, List, Optional

from smartxfer.local.nrp import containers, content, entries, fetching, parts, serving, starting, stored
from smartxfer.local.nrp.call import ApiError, Backend, Call, Owner, Response, denied, framework
from smartxfer.local.nrp.checks import Errors, object_of, storable, truth, unknown
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.finding import changeable, readable, removed, unlocked
from smartxfer.local.nrp.showing import listing, shown

#: What is said of a record that has no file, and does not say that it needs none.
MISSING = "Missing uploaded files. To disable files for this record please mark it as metadata-only."


def answer(call: Call, owner: Owner, words: List[str]) -> Response:
    """Answer a call at or below a file list.

    A key may span several segments; what follows it is told by the last ones and the method.

    :param words: decoded segments behind ``files``, empty ones included.
    """
    method = call.method
    if not words:
        return _list_call(call, owner, method)
    if not words[0]:
        raise framework(404)  # An empty key leads nowhere.
    if not owner.draft and method != "GET":
        raise framework(405)
    key, before, last = "/".join(words), "/".join(words[:-1]), words[-1]
    if "container" in words[1:]:
        return _container(call, owner, words, method)
    if method == "GET":
        if last == "content" and before:
            return serving.download(call, owner, before)
        return call.json(shown(call.backend, owner, readable(call, owner, key)))
    if method == "PUT":
        if last == "content" and before:
            return content.put(call, owner, before)
        if len(words) > 2 and words[-2] == "content" and last.isascii() and last.isdigit():
            content.octets_only(call)
            # Beyond all parts is beyond all parts.
            return parts.put(call, owner, "/".join(words[:-2]), int(last) if len(last) < 19 else 1 << 62)
        return _change(call, owner, key)
    if method == "DELETE":
        return _delete(call, owner, key)
    if method == "POST" and last == "commit" and before:
        return content.commit(call, owner, before)
    raise framework(405)


def _container(call: Call, owner: Owner, words: List[str], method: str) -> Response:
    if method != "GET":
        raise framework(405)
    at = words.index("container", 1)
    return containers.answer(call, owner, "/".join(words[:at]), "/".join(words[at + 1 :]))


def _list_call(call: Call, owner: Owner, method: str) -> Response:
    if method == "GET":
        if not owner.readable:
            raise denied()
        return call.json(listing(call.backend, owner))
    if not owner.draft or method not in ("POST", "DELETE"):
        raise framework(405)
    if not owner.writable:
        raise denied()
    if not owner.enabled:
        raise ApiError(403, "Files are not enabled.")
    if method == "POST":
        return starting.start(call, owner)
    unlocked(call, owner)
    drop(call.backend, owner.bucket, keep=True)
    call.backend.touched(owner)
    return call.empty(204)


def _change(call: Call, owner: Owner, key: str) -> Response:
    """Replace the metadata of a file, or who sees it."""
    backend = call.backend
    changeable(call, owner, key)
    body, errors = call.json_body(), Errors()
    if not isinstance(body, dict):
        errors.add("_schema", "Invalid input type.")
        body = {}
    if "metadata" in body:
        errors.add("metadata", object_of(body["metadata"]))
    access = body.get("access", {})
    if access is None:
        errors.add("access", "Field may not be null.")
    elif not isinstance(access, dict):
        errors.add("access._schema", "Invalid input type.")
    else:
        if "hidden" in access:
            errors.add("access.hidden", truth(access["hidden"]))
        unknown(errors, "access.", access, ("hidden",))
    unknown(errors, "", body, ("metadata", "access"))
    errors.check()
    if not storable(body.get("metadata")):
        raise framework(500)
    with backend.database.transaction():
        entry = changeable(call, owner, key)
        entry.metadata = body.get("metadata", entry.metadata)
        entry.hidden = access.get("hidden", entry.hidden)
        entry.updated = backend.stamp()
        entries.save(backend.database, entry)
    return call.json(shown(backend, owner, entry))


def _delete(call: Call, owner: Owner, key: str) -> Response:
    entry = changeable(call, owner, key)
    if entry.known:
        # What has no file yet can go even where the files are locked.
        unlocked(call, owner)
    removed(call.backend, entry)
    call.backend.touched(owner)
    return call.empty(204)


# What the rest of the service asks for.


def problems(backend: Backend, owner: Owner) -> List[Dict[str, Any]]:
    """What hinders the publishing of a draft: field and messages of each complaint."""
    if not owner.enabled:
        return []
    there = entries.in_bucket(backend.database, owner.bucket)
    if not there:
        return [{"field": "files.enabled", "messages": [MISSING]}]
    if any(entry.status != "completed" for entry in there):
        text = "One or more files have not completed their transfer, please wait."
        return [{"field": "files", "messages": [text]}]
    return []


def new_bucket(backend: Backend) -> str:
    """Id of a new, empty bucket."""
    bucket = str(uuid.uuid4())
    backend.database.insert("buckets", id=bucket)
    return bucket


def copy(backend: Backend, source: str, target: str) -> None:
    """Give a bucket the completed files of another; the bytes are shared."""
    with backend.database.transaction():
        for entry in entries.in_bucket(backend.database, source):
            if entry.status == "completed":
                entry.bucket, entry.version_id = target, str(uuid.uuid4())
                entry.created = entry.updated = backend.stamp()
                entry.metadata = entry.metadata or {}
                entries.add(backend.database, entry)


def lock(backend: Backend, bucket: str) -> None:
    """Let the files of a bucket change no more."""
    backend.database.update("buckets", bucket, locked=1)


def drop(backend: Backend, bucket: str, *, keep: bool = False) -> None:
    """Remove every file of a bucket, and the bucket.

    :param keep: the bucket itself stays.
    """
    with backend.database.transaction():
        for entry in entries.in_bucket(backend.database, bucket):
            removed(backend, entry)
        if not keep:
            backend.database.delete("buckets", id=bucket)


def keys(backend: Backend, bucket: str) -> List[str]:
    """Keys of a bucket's files, oldest first, pending ones included."""
    return [row["key"] for row in backend.database.select("entries", "number", bucket=bucket)]


def count(backend: Backend, bucket: str) -> int:
    """How many files a bucket has, pending ones included."""
    return len(keys(backend, bucket))


def listed(backend: Backend, bucket: str) -> List[Dict[str, Any]]:
    """The entries of a bucket, oldest first, without links."""
    return [entries.view(entry, "", {}) for entry in entries.in_bucket(backend.database, bucket)]


def completed(backend: Backend, bucket: str) -> Dict[str, int]:
    """Bytes of every completed file, by key."""
    there = entries.in_bucket(backend.database, bucket)
    return {entry.key: entry.held for entry in there if entry.status == "completed"}


def write(
    backend: Backend, bucket: str, key: str, data: bytes, metadata: Optional[Dict[str, Any]] = None
) -> None:
    """Put a completed file into a bucket, whatever was there under its key, however odd the key is."""
    received = stored.receive(backend.database, backend.objects, io.BytesIO(data))
    with backend.database.transaction():
        entry = entries.find(backend.database, bucket, key)
        if entry is not None:
            removed(backend, entry)
        stamp = backend.stamp()
        entry = Entry(bucket, key, stamp, stamp, metadata=dict(metadata or {}), status="completed")
        entry.size, entry.checksum = received.size, f"md5:{received.md5}"
        entries.add(backend.database, entry)
        content.adopt(backend, entry, received)


def _held(backend: Backend, bucket: str, key: str) -> Entry:
    entry = entries.find(backend.database, bucket, key)
    if entry is None or entry.spans is None:
        raise LookupError(key)
    return entry


def read(backend: Backend, bucket: str, key: str) -> bytes:
    """The bytes of a file that lies here.

    :raises LookupError: there is none, or it has no bytes yet.
    """
    entry = _held(backend, bucket, key)
    spans = entry.stretches(backend.objects)
    return b"".join(piece for span in spans for piece in span.pieces(1 << 20))


def stored_path(backend: Backend, bucket: str, key: str) -> str:
    """Where the bytes of a file lie on disk; brought into one place where they came in parts.

    :raises LookupError: there is none, or it has no bytes yet.
    """
    number, _ = stored.assemble(backend.database, backend.objects, _held(backend, bucket, key))
    return backend.objects.path(number)


def start(backend: Backend) -> None:
    """Begin the work in the background, with what the last process left undone."""
    stored.sweep(backend.database, backend.objects)
    for entry in entries.everything(backend.database):
        if entry.type == "F" and entry.status == "pending":
            fetching.begin(backend, entry)
        parts.check_later(backend, entry)
