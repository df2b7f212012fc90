"""Data of the canned NRP responses: a record with one file, published and as a draft.

Source: NRP / Invenio protocol, sections 1 to 5.
"""

import hashlib
import json
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import quote, unquote, urlsplit

__all__ = [
    "BASE_URL",
    "FACTS",
    "CannedResponse",
    "build_error",
    "handle_delete",
    "handle_failed_fetch",
    "handle_get",
    "handle_info",
    "handle_post",
    "handle_put",
]

BASE_URL = "https://repository.example.org"

CallbackResult = Tuple[int, Dict[str, str], Any]
CannedResponse = Union[Dict[str, Any], Callable[[Any], CallbackResult]]

_CONTENT = b"place,count\nOslo,7\n"
_ID, _PARENT, _KEY = "9xrg8-d2364", "ncrhs-mj285", "report.csv"
_TIMESTAMP = "2026-11-20T21:07:37.876956+00:00"

_METADATA = {
    "title": "Rain in Oslo",
    "resource_type": {"id": "dataset"},
    "publication_date": "2026-11-20",
    "publisher": "A repository",
    "creators": [
        {"person_or_org": {"type": "personal", "family_name": "Doe", "given_name": "Jo", "name": "Doe, Jo"}}
    ],
}

#: Values in the responses, for comparisons in tests.
FACTS: Mapping[str, Any] = {
    "id": _ID,
    "key": _KEY,
    "content": _CONTENT,
    "checksum": f"md5:{hashlib.md5(_CONTENT).hexdigest()}",
    "title": _METADATA["title"],
    "metadata": _METADATA,
    "revision_id": 5,
}

#: Pending uploads by URL of the file: the entry of the start request, and the bytes by part number.
_PENDING_UPLOADS: Dict[str, Tuple[Dict[str, Any], Dict[int, bytes]]] = {}


def _build_json_response(value: Any, status: int = 200, **headers: str) -> CallbackResult:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value)


def build_error(status: int, message: str, errors: Any = None) -> CannedResponse:
    """Return an error in the format of repositories."""
    body = {"status": status, "message": message}
    return {"status": status, "json": body if errors is None else {**body, "errors": errors}}


def handle_info(request: Any) -> CallbackResult:
    """Return the repository's info document."""
    base = request.url.partition("/.well-known/")[0]
    return _build_json_response(
        {
            "schema": "local://introspection-v1.0.0",
            "name": "A repository",
            "description": "",
            "version": "1.0",
            "invenio_version": "14.0.5",
            "transfers": ["L", "F", "R", "M"],
            "features": ["drafts", "requests", "communities"],
            "links": {
                "self": f"{base}/.well-known/repository/",
                "api": f"{base}/api",
                "models": f"{base}/.well-known/repository/models",
                "requests": f"{base}/api/requests/",
            },
        }
    )


# -- records ----------------------------------------------------------------------------------------------


def _build_record(url: str, draft: bool, record_id: str = _ID, metadata: Any = None) -> Dict[str, Any]:
    base = f"{url.partition('/api/')[0]}/api/records/{record_id}"
    html = f"{url.partition('/api/')[0]}/{'uploads' if draft else 'records'}/{record_id}"
    here = f"{base}/draft" if draft else base
    links = {
        "self": here,
        "self_html": html,
        "files": f"{here}/files",
        "archive": f"{here}/files-archive",
        "versions": f"{base}/versions",
    }
    if draft:
        links.update(publish=f"{here}/actions/publish", review=f"{here}/review", record=base)
    else:
        links.update(draft=f"{base}/draft", latest=f"{base}/versions/latest", latest_html=html)
    return {
        "id": record_id,
        "created": _TIMESTAMP,
        "updated": _TIMESTAMP,
        "revision_id": FACTS["revision_id"],
        "is_published": not draft,
        "is_draft": draft,
        "status": "draft" if draft else "published",
        "pids": {},
        "custom_fields": {},
        "metadata": _METADATA if metadata is None else metadata,
        "access": {
            "record": "public",
            "files": "public",
            "embargo": {"active": False, "reason": None},
            "status": "open",
        },
        "files": {
            "enabled": True,
            "order": [],
            "count": 1,
            "total_bytes": len(_CONTENT),
            "entries": {_KEY: {"key": _KEY, "size": len(_CONTENT), "checksum": FACTS["checksum"]}},
        },
        "parent": {"id": _PARENT, "access": {"owned_by": {"user": "1"}, "grants": [], "links": []}},
        "versions": {"index": 1, "is_latest": not draft, "is_latest_draft": True},
        "links": links,
    }


def _build_search_page(url: str, draft: bool) -> Dict[str, Any]:
    return {
        "hits": {"total": 1, "hits": [_build_record(url, draft)]},
        "aggregations": {},
        "sortBy": "newest",
        "page": 1,
        "links": {"self": url},
    }


# -- files ------------------------------------------------------------------------------------------------


def _build_entry(files: str, key: str, started: Mapping[str, Any], data: Optional[bytes]) -> Dict[str, Any]:
    """Return a file entry, which is pending if it has no data."""
    url = f"{files}/{quote(key)}"
    links: Dict[str, Any] = {"self": url, "content": f"{url}/content"}
    if "/draft/" in f"{files}/":
        links["commit"] = f"{url}/commit"
    transfer = dict(started.get("transfer") or {"type": "L"})
    entry = {
        "key": key,
        "status": "pending" if data is None else "completed",
        "transfer": transfer,
        "metadata": started.get("metadata"),
        "access": {"hidden": False},
        "created": _TIMESTAMP,
        "updated": _TIMESTAMP,
        "links": links,
    }
    if data is None:
        transfer.pop("url", None)
        if transfer.get("type") == "M":
            del links["content"]
            links["parts"] = [
                {"part": number, "url": f"{url}/content/{number}", "expiration": _TIMESTAMP}
                for number in range(1, int(transfer["parts"]) + 1)
            ]
        return {**entry, **({"size": started["size"]} if "size" in started else {})}
    entry.update(
        transfer={"type": "L"},
        mimetype="text/csv" if key.endswith(".csv") else "application/octet-stream",
        size=len(data),
        checksum=f"md5:{hashlib.md5(data).hexdigest()}",
        storage_class="L",
        file_id="0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
        version_id="1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
        bucket_id="7c6b5a49-3827-4161-9504-f3e2d1c0b9a8",
    )
    return entry


def _build_file_list(files: str, entries: List[Dict[str, Any]]) -> Dict[str, Any]:
    return {
        "enabled": True,
        "default_preview": None,
        "order": [],
        "links": {"self": files, "archive": f"{files}-archive"},
        "entries": entries,
    }


def _build_completed_entry(files: str, key: str = _KEY) -> Dict[str, Any]:
    return _build_entry(files, key, {"metadata": {}}, _CONTENT)


def _read_body(request: Any) -> bytes:
    """Return the body after reading it to its end, because the client computes checksums while it is read."""
    body = request.body
    return body if isinstance(body, bytes) else b"".join(map(bytes, body or ()))


# -- by method --------------------------------------------------------------------------------------------

_FILES = re.compile(
    r"(?P<files>.*/records/[^/]+(?:/draft)?/files)(?:/(?P<key>.+?))?(?P<rest>/content(?:/\d+)?|/commit)?$"
)


def _split_file_url(request: Any) -> Tuple[str, str, str]:
    """Return (URL of the files, key, path after the key); empty strings for URLs of other objects."""
    split = urlsplit(request.url)
    match = _FILES.match(f"{split.scheme}://{split.netloc}{split.path}")
    if match is None:
        return "", "", ""
    return match["files"], unquote(match["key"] or ""), match["rest"] or ""


def handle_get(request: Any) -> CallbackResult:
    """Return the requested record, file or page; all of them exist."""
    files, key, rest = _split_file_url(request)
    path = urlsplit(request.url).path
    if rest:
        headers = {"ETag": f'"{FACTS["checksum"]}"', "Content-Disposition": "inline"}
        return 200, {"Content-Type": "text/csv; charset=utf-8", **headers}, _CONTENT
    if files:
        return _build_json_response(
            _build_completed_entry(files, key)
            if key
            else _build_file_list(files, [_build_completed_entry(files)])
        )
    if path.endswith(("/records", "/versions")):
        return _build_json_response(_build_search_page(request.url, "/user/" in path))
    record_id = path.partition("/records/")[2].partition("/")[0]
    return _build_json_response(
        _build_record(request.url, path.endswith("/draft"), record_id), ETag=f'"{FACTS["revision_id"]}"'
    )


def handle_post(request: Any) -> CallbackResult:
    """Start or commit an upload, create a draft or version, or publish a draft."""
    files, key, rest = _split_file_url(request)
    if rest:
        started, parts = _PENDING_UPLOADS.pop(f"{files}/{key}", ({}, {}))
        return _build_json_response(
            _build_entry(files, key, started, b"".join(data for _, data in sorted(parts.items())))
        )
    if files:
        entries = []
        for started in json.loads(request.body):
            _PENDING_UPLOADS[f"{files}/{started['key']}"] = (started, {})
            entries.append(_build_entry(files, started["key"], started, None))
        return _build_json_response(_build_file_list(files, entries), 201)
    path = urlsplit(request.url).path
    if path.endswith("/publish"):
        return _build_json_response(_build_record(request.url, draft=False), 202)
    metadata = json.loads(request.body)["metadata"] if path.endswith("/records") else None
    return _build_json_response(_build_record(request.url, True, metadata=metadata), 201)


def handle_put(request: Any) -> CallbackResult:
    """Store content or a part of it, or change the metadata of a file or a draft."""
    files, key, rest = _split_file_url(request)
    if rest:
        number = rest.rpartition("/")[2]
        started, parts = _PENDING_UPLOADS.setdefault(f"{files}/{key}", ({}, {}))
        parts[int(number) if number.isdigit() else 0] = _read_body(request)
        return _build_json_response(_build_entry(files, key, started, None))
    body = json.loads(request.body)
    if files:
        return _build_json_response({**_build_completed_entry(files, key), **body})
    return _build_json_response(_build_record(request.url, True, metadata=body["metadata"]))


def handle_delete(request: Any) -> CallbackResult:
    """Return the response to a deletion."""
    return 204, {}, ""


def handle_failed_fetch(request: Any) -> CallbackResult:
    """Return the entry of a file that the repository could not fetch."""
    files, key, _ = _split_file_url(request)
    entry = _build_entry(files, key, {"transfer": {"type": "F"}}, None)
    return _build_json_response(
        {**entry, "status": "failed", "transfer": {"type": "F", "error": "404 Not Found"}}
    )
