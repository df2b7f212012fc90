"""Entries with their links, and the lists that they stand in.

Source: NRP protocol, sections 4 (``files`` of a record), 5 (list shape) and 6 (multipart).
"""

import time
from typing import Any, Dict, List

from smartxfer.local.nrp import entries
from smartxfer.local.nrp.call import Backend, Owner
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.keys import encoded, extension

#: Bucket of the storage that the repository keeps its files in.
STORAGE_BUCKET = "repository"


#: Extensions of files that the server makes pictures of.
_IMAGES = ("gif", "jp2", "jpeg", "jpg", "pdf", "png", "tif", "tiff")


def storage_key(file_id: str) -> str:
    """Key of a file at the storage."""
    return f"{file_id[:2]}/{file_id[2:4]}/{file_id[4:]}/data"


def shown(backend: Backend, owner: Owner, entry: Entry) -> Dict[str, Any]:
    """An entry as the API shows it, links included."""
    place = f"{owner.base}/{encoded(entry.key)}"
    links: Dict[str, Any] = {"content": place + "/content"}
    if owner.draft:
        links["commit"] = place + "/commit"
    if entry.type == "M" and entry.status == "pending":
        del links["content"]
        links["parts"] = [_part(backend, entry, place, part) for part in range(1, entry.parts + 1)]
    links.update(_by_kind(backend, owner, entry.key, place))
    return entries.view(entry, owner.base, links)


def _by_kind(backend: Backend, owner: Owner, key: str, place: str) -> Dict[str, str]:
    """Links of a file that come from its key's extension."""
    kind = extension(key)
    if kind == "zip":
        return {"container": place + "/container"}
    if kind not in _IMAGES:
        return {}
    iiif, name = f"{backend.api}/iiif/{'draft' if owner.draft else 'record'}:{owner.id}", encoded(key)
    return {
        "iiif_canvas": f"{iiif}/canvas/{name}",
        "iiif_base": f"{iiif}:{name}",
        "iiif_info": f"{iiif}:{name}/info.json",
        "iiif_api": f"{iiif}:{name}/full/full/0/default.png",
    }


def _part(backend: Backend, entry: Entry, place: str, part: int) -> Dict[str, Any]:
    seconds = backend.site.part_seconds
    until = backend.now() + seconds
    if not entry.upload:
        return {"part": part, "url": f"{place}/content/{part}", "expiration": entries.moment(until)}
    query = {"uploadId": entry.upload, "partNumber": str(part)}
    key = storage_key(entry.file_id)
    return {
        "part": part,
        "url": backend.storage.presign("PUT", STORAGE_BUCKET, key, seconds, query=query),
        "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until)),
    }


def listing(backend: Backend, owner: Owner) -> Dict[str, Any]:
    """The file list of a record or draft."""
    archive = owner.base[: -len("/files")] + "/files-archive"
    found: Dict[str, Any] = {
        "enabled": owner.enabled,
        "links": {"self": owner.base, "archive": archive},
    }
    if owner.enabled:
        listed = entries.in_bucket(backend.database, owner.bucket)
        found["entries"] = [shown(backend, owner, entry) for entry in listed]
        found.update(default_preview=owner.preview or None, order=[])
    return found


def summary(backend: Backend, owner: Owner) -> Dict[str, Any]:
    """The ``files`` member of a record or draft."""
    if not owner.readable:
        return {"enabled": owner.enabled}
    listed: List[Entry] = entries.in_bucket(backend.database, owner.bucket) if owner.enabled else []
    preview = {"default_preview": owner.preview} if owner.preview else {}
    return {
        "enabled": owner.enabled,
        **preview,
        "order": [],
        "count": len(listed),
        "total_bytes": sum(max(entry.size or 0, 0) for entry in listed if entry.known),
        "entries": {entry.key: entries.summary_entry(entry) for entry in listed},
    }


def linked(backend: Backend, owner: Owner, found: Dict[str, Any]) -> None:
    """Give the entries of a ``files`` member their links, as only a record that is read alone has them."""
    for entry in entries.in_bucket(backend.database, owner.bucket):
        if entry.key in found.get("entries", {}):
            found["entries"][entry.key]["links"] = shown(backend, owner, entry)["links"]
