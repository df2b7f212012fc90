"""Entries with their links, and the lists that they stand in.

Source: NRP protocol, sections 4 (``files`` of a record), 5 (list shape) and 6 (multipart).
"""

import time
from typing import Any, Dict, List

from smartxfer.local.nrp import entries
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Owner
from smartxfer.local.nrp.entries import Entry
from smartxfer.local.nrp.keys import encoded

__all__ = ["STORAGE_BUCKET", "listing", "shown", "storage_key", "summary"]

#: Bucket of the storage that the repository keeps its files in.
STORAGE_BUCKET = "repository"


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
    return entries.view(entry, owner.base, links)


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
        found.update(default_preview=None, order=[])
    return found


def summary(backend: Backend, owner: Owner) -> Dict[str, Any]:
    """The ``files`` member of a record or draft."""
    listed: List[Entry] = entries.in_bucket(backend.database, owner.bucket) if owner.enabled else []
    return {
        "enabled": owner.enabled,
        "order": [],
        "count": len(listed),
        "total_bytes": sum(max(entry.size or 0, 0) for entry in listed if entry.known),
        "entries": {entry.key: entries.summary_entry(entry) for entry in listed},
    }
