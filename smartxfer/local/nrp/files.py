"""Files of records: calls below ``files``, and functions for the rest of the service.

Source: NRP protocol, sections 5 and 6.
"""

import io
import uuid
from typing import Any, Dict, List, Optional

from smartxfer.local.nrp import (
    containers,
    file_content,
    file_download,
    file_entries,
    file_init,
    file_parts,
    file_storage,
    remote_fetch,
)
from smartxfer.local.nrp.call import (
    ApiError,
    Backend,
    Call,
    Owner,
    Response,
    framework_error,
    permission_denied,
)
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_lookup import remove, require_readable, require_unlocked, require_writable
from smartxfer.local.nrp.file_serializers import serialize_entry, serialize_list
from smartxfer.local.nrp.validators import Errors, add_unknown, check_bool, check_object, is_storable

#: Error message for a record with enabled but missing files.
MISSING = "Missing uploaded files. To disable files for this record please mark it as metadata-only."


def handle(call: Call, owner: Owner, segments: List[str]) -> Response:
    """Handle a call at or below a file list.

    A key may have several segments; the last segments and the method determine the action.

    :param segments: decoded segments after ``files``, including empty ones.
    """
    method = call.method
    if not segments:
        return _list_call(call, owner, method)
    if not segments[0]:
        raise framework_error(404)  # An empty key does not exist.
    if not owner.draft and method != "GET":
        raise framework_error(405)
    key, before, last = "/".join(segments), "/".join(segments[:-1]), segments[-1]
    if "container" in segments[1:]:
        return _container(call, owner, segments, method)
    if method == "GET":
        if last == "content" and before:
            return file_download.download(call, owner, before)
        return call.json(serialize_entry(call.backend, owner, require_readable(call, owner, key)))
    if method == "PUT":
        if last == "content" and before:
            return file_content.put(call, owner, before)
        if len(segments) > 2 and segments[-2] == "content" and last.isascii() and last.isdigit():
            file_content.require_octet_stream(call)
            # All part numbers that are too large are treated in the same way.
            return file_parts.put(
                call, owner, "/".join(segments[:-2]), int(last) if len(last) < 19 else 1 << 62
            )
        return _change(call, owner, key)
    if method == "DELETE":
        return _delete(call, owner, key)
    if method == "POST" and last == "commit" and before:
        return file_content.commit(call, owner, before)
    raise framework_error(405)


def _container(call: Call, owner: Owner, segments: List[str], method: str) -> Response:
    if method != "GET":
        raise framework_error(405)
    position = segments.index("container", 1)
    return containers.handle(call, owner, "/".join(segments[:position]), "/".join(segments[position + 1 :]))


def _list_call(call: Call, owner: Owner, method: str) -> Response:
    if method == "GET":
        if not owner.readable:
            raise permission_denied()
        return call.json(serialize_list(call.backend, owner))
    if not owner.draft or method not in ("POST", "DELETE"):
        raise framework_error(405)
    if not owner.writable:
        raise permission_denied()
    if not owner.enabled:
        raise ApiError(403, "Files are not enabled.")
    if method == "POST":
        return file_init.init_files(call, owner)
    require_unlocked(call, owner)
    drop(call.backend, owner.bucket, keep=True)
    call.backend.next_revision_stamp(owner)
    return call.empty(204)


def _change(call: Call, owner: Owner, key: str) -> Response:
    """Replace the metadata of a file, or its visibility."""
    backend = call.backend
    require_writable(call, owner, key)
    body, errors = call.json_body(), Errors()
    if not isinstance(body, dict):
        errors.add("_schema", "Invalid input type.")
        body = {}
    if "metadata" in body:
        errors.add("metadata", check_object(body["metadata"]))
    access = body.get("access", {})
    if access is None:
        errors.add("access", "Field may not be null.")
    elif not isinstance(access, dict):
        errors.add("access._schema", "Invalid input type.")
    else:
        if "hidden" in access:
            errors.add("access.hidden", check_bool(access["hidden"]))
        add_unknown(errors, "access.", access, ("hidden",))
    add_unknown(errors, "", body, ("metadata", "access"))
    errors.raise_if_any()
    if not is_storable(body.get("metadata")):
        raise framework_error(500)
    with backend.database.transaction():
        entry = require_writable(call, owner, key)
        entry.metadata = body.get("metadata", entry.metadata)
        entry.hidden = access.get("hidden", entry.hidden)
        entry.updated = backend.stamp()
        file_entries.save(backend.database, entry)
    return call.json(serialize_entry(backend, owner, entry))


def _delete(call: Call, owner: Owner, key: str) -> Response:
    entry = require_writable(call, owner, key)
    if entry.is_size_known:
        # Entries without content can be deleted even if the files are locked.
        require_unlocked(call, owner)
    remove(call.backend, entry)
    call.backend.next_revision_stamp(owner)
    return call.empty(204)


# Functions for the rest of the service.


def problems(backend: Backend, owner: Owner) -> List[Dict[str, Any]]:
    """Return the errors that prevent the publication of a draft, by field."""
    if not owner.enabled:
        return []
    there = file_entries.in_bucket(backend.database, owner.bucket)
    if not there:
        return [{"field": "files.enabled", "messages": [MISSING]}]
    if any(entry.status != "completed" for entry in there):
        text = "One or more files have not completed their transfer, please wait."
        return [{"field": "files", "messages": [text]}]
    return []


def new_bucket(backend: Backend) -> str:
    """Return the id of a new, empty bucket."""
    bucket = str(uuid.uuid4())
    backend.database.insert("buckets", id=bucket)
    return bucket


def copy(backend: Backend, source: str, target: str) -> None:
    """Copy the completed files of a bucket to another; the bytes are shared."""
    with backend.database.transaction():
        for entry in file_entries.in_bucket(backend.database, source):
            if entry.status == "completed":
                entry.bucket, entry.version_id = target, str(uuid.uuid4())
                entry.created = entry.updated = backend.stamp()
                entry.metadata = entry.metadata or {}
                file_entries.add(backend.database, entry)


def lock(backend: Backend, bucket: str) -> None:
    """Lock the files of a bucket."""
    backend.database.update("buckets", bucket, locked=1)


def drop(backend: Backend, bucket: str, *, keep: bool = False) -> None:
    """Delete every file of a bucket, and the bucket.

    :param keep: keep the bucket itself.
    """
    with backend.database.transaction():
        for entry in file_entries.in_bucket(backend.database, bucket):
            remove(backend, entry)
        if not keep:
            backend.database.delete("buckets", id=bucket)


def keys(backend: Backend, bucket: str) -> List[str]:
    """Return the keys of a bucket, oldest first, including pending files."""
    return [row["key"] for row in backend.database.select("entries", "number", bucket=bucket)]


def count(backend: Backend, bucket: str) -> int:
    """Return the number of files in a bucket, including pending ones."""
    return len(keys(backend, bucket))


def all_entries(backend: Backend, bucket: str) -> List[Dict[str, Any]]:
    """Return the entries of a bucket, oldest first, without links."""
    return [
        file_entries.serialize(entry, "", {}) for entry in file_entries.in_bucket(backend.database, bucket)
    ]


def completed_entries(backend: Backend, bucket: str) -> Dict[str, int]:
    """Return the size of every completed file, by key."""
    there = file_entries.in_bucket(backend.database, bucket)
    return {entry.key: entry.is_stored for entry in there if entry.status == "completed"}


def write(
    backend: Backend, bucket: str, key: str, data: bytes, metadata: Optional[Dict[str, Any]] = None
) -> None:
    """Store a completed file, replacing an existing one; any key is accepted."""
    received = file_storage.receive(backend.database, backend.objects, io.BytesIO(data))
    with backend.database.transaction():
        entry = file_entries.find(backend.database, bucket, key)
        if entry is not None:
            remove(backend, entry)
        stamp = backend.stamp()
        entry = FileEntry(bucket, key, stamp, stamp, metadata=dict(metadata or {}), status="completed")
        entry.size, entry.checksum = received.size, f"md5:{received.md5}"
        file_entries.add(backend.database, entry)
        file_content.set_content(backend, entry, received)


def _stored_entry(backend: Backend, bucket: str, key: str) -> FileEntry:
    entry = file_entries.find(backend.database, bucket, key)
    if entry is None or entry.spans is None:
        raise LookupError(key)
    return entry


def read(backend: Backend, bucket: str, key: str) -> bytes:
    """Return the bytes of a stored file.

    :raises LookupError: the file does not exist or has no content.
    """
    entry = _stored_entry(backend, bucket, key)
    slices = entry.slices(backend.objects)
    return b"".join(piece for file_slice in slices for piece in file_slice.pieces(1 << 20))


def stored_path(backend: Backend, bucket: str, key: str) -> str:
    """Return the path of a file's bytes on disk; parts are merged first.

    :raises LookupError: the file does not exist or has no content.
    """
    number, _ = file_storage.assemble(backend.database, backend.objects, _stored_entry(backend, bucket, key))
    return backend.objects.path(number)


def start(backend: Backend) -> None:
    """Start the background jobs, including unfinished ones of the last process."""
    file_storage.sweep(backend.database, backend.objects)
    for entry in file_entries.all_entries(backend.database):
        if entry.type == "F" and entry.status == "pending":
            remote_fetch.begin(backend, entry)
        file_parts.check_later(backend, entry)
