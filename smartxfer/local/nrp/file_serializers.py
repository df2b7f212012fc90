"""Serialization of entries with links, and of file lists.

Source: NRP protocol, sections 4 (``files`` of a record), 5 (list shape) and 6 (multipart).
"""

import time
from typing import Any, Dict, List

from smartxfer.local.nrp import file_entries
from smartxfer.local.nrp.call import Backend, Owner
from smartxfer.local.nrp.file_entries import FileEntry
from smartxfer.local.nrp.file_keys import encode_key, extension

#: Bucket of the repository's files at the storage.
STORAGE_BUCKET = "repository"


#: Extensions of files for which the server renders images.
_IMAGES = ("gif", "jp2", "jpeg", "jpg", "pdf", "png", "tif", "tiff")


def storage_key(file_id: str) -> str:
    """Return the key of a file at the storage."""
    return f"{file_id[:2]}/{file_id[2:4]}/{file_id[4:]}/data"


def serialize_entry(backend: Backend, owner: Owner, entry: FileEntry) -> Dict[str, Any]:
    """Return an entry as the API shows it, with links."""
    url = f"{owner.base}/{encode_key(entry.key)}"
    links: Dict[str, Any] = {"content": url + "/content"}
    if owner.draft:
        links["commit"] = url + "/commit"
    if entry.type == "M" and entry.status == "pending":
        del links["content"]
        links["parts"] = [_part(backend, entry, url, part) for part in range(1, entry.parts + 1)]
    links.update(_by_kind(backend, owner, entry.key, url))
    return file_entries.serialize(entry, owner.base, links)


def _by_kind(backend: Backend, owner: Owner, key: str, url: str) -> Dict[str, str]:
    """Return the links that depend on the key's extension."""
    kind = extension(key)
    if kind == "zip":
        return {"container": url + "/container"}
    if kind not in _IMAGES:
        return {}
    iiif, name = f"{backend.api}/iiif/{'draft' if owner.draft else 'record'}:{owner.id}", encode_key(key)
    return {
        "iiif_canvas": f"{iiif}/canvas/{name}", "iiif_base": f"{iiif}:{name}",
        "iiif_info": f"{iiif}:{name}/info.json", "iiif_api": f"{iiif}:{name}/full/full/0/default.png",
    }


def _part(backend: Backend, entry: FileEntry, url: str, part: int) -> Dict[str, Any]:
    seconds = backend.site.part_seconds
    until = backend.now() + seconds
    if not entry.upload:
        return {"part": part, "url": f"{url}/content/{part}", "expiration": file_entries.format_time(until)}
    query = {"uploadId": entry.upload, "partNumber": str(part)}
    key = storage_key(entry.file_id)
    return {
        "part": part, "url": backend.storage.presign("PUT", STORAGE_BUCKET, key, seconds, query=query),
        "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until)),
    }


def serialize_list(backend: Backend, owner: Owner) -> Dict[str, Any]:
    """Return the file list of a record or draft."""
    archive = owner.base[: -len("/files")] + "/files-archive"
    body: Dict[str, Any] = {
        "enabled": owner.enabled,
        "links": {"self": owner.base, "archive": archive},
    }
    if owner.enabled:
        listed = file_entries.in_bucket(backend.database, owner.bucket)
        body["entries"] = [serialize_entry(backend, owner, entry) for entry in listed]
        body.update(default_preview=owner.preview or None, order=[])
    return body


def serialize_summary(backend: Backend, owner: Owner) -> Dict[str, Any]:
    """Return the ``files`` member of a record or draft."""
    if not owner.readable:
        return {"enabled": owner.enabled}
    listed: List[FileEntry] = file_entries.in_bucket(backend.database, owner.bucket) if owner.enabled else []
    preview = {"default_preview": owner.preview} if owner.preview else {}
    return {
        "enabled": owner.enabled, **preview, "order": [], "count": len(listed),
        "total_bytes": sum(max(entry.size or 0, 0) for entry in listed if entry.is_size_known),
        "entries": {entry.key: file_entries.summary_fields(entry) for entry in listed},
    }


def with_links(backend: Backend, owner: Owner, body: Dict[str, Any]) -> None:
    """Add links to the entries of a ``files`` member, which only a single record has."""
    for entry in file_entries.in_bucket(backend.database, owner.bucket):
        if entry.key in body.get("entries", {}):
            body["entries"][entry.key]["links"] = serialize_entry(backend, owner, entry)["links"]
