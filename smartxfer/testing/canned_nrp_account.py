"""The repository behind the canned answers of NRP: a record with a file, published and as a draft.

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

#: What the answers say, for tests to compare with.
FACTS: Mapping[str, Any] = {
    "id": _ID,
    "key": _KEY,
    "content": _CONTENT,
    "checksum": f"md5:{hashlib.md5(_CONTENT).hexdigest()}",
    "title": _METADATA["title"],
    "metadata": _METADATA,
    "revision_id": 5,
}

#: Uploads under way, by address of the file: the announced element, and the bytes by number of the part.
_PENDING_UPLOADS: Dict[str, Tuple[Dict[str, Any], Dict[int, bytes]]] = {}


def _build_json_response(value: Any, status: int = 200, **headers: str) -> CallbackResult:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value)


def build_error(status: int, message: str, errors: Any = None) -> CannedResponse:
    """An error, in the repository's form."""
    body = {"status": status, "message": message}
    return {"status": status, "json": body if errors is None else {**body, "errors": errors}}


def handle_info(request: Any) -> CallbackResult:
    """The repository's info document."""
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


def _build_entry(files: str, key: str, announced: Mapping[str, Any], data: Optional[bytes]) -> Dict[str, Any]:
    """An entry; pending where there are no bytes yet."""
    here = f"{files}/{quote(key)}"
    links: Dict[str, Any] = {"self": here, "content": f"{here}/content"}
    if "/draft/" in f"{files}/":
        links["commit"] = f"{here}/commit"
    transfer = dict(announced.get("transfer") or {"type": "L"})
    made = {
        "key": key,
        "status": "pending" if data is None else "completed",
        "transfer": transfer,
        "metadata": announced.get("metadata"),
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
                {"part": number, "url": f"{here}/content/{number}", "expiration": _TIMESTAMP}
                for number in range(1, int(transfer["parts"]) + 1)
            ]
        return {**made, **({"size": announced["size"]} if "size" in announced else {})}
    made.update(
        transfer={"type": "L"},
        mimetype="text/csv" if key.endswith(".csv") else "application/octet-stream",
        size=len(data),
        checksum=f"md5:{hashlib.md5(data).hexdigest()}",
        storage_class="L",
        file_id="0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0",
        version_id="1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
        bucket_id="7c6b5a49-3827-4161-9504-f3e2d1c0b9a8",
    )
    return made


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
    """The body, read to its end: what is sent is reckoned with while it is read."""
    body = request.body
    return body if isinstance(body, bytes) else b"".join(map(bytes, body or ()))


# -- by method --------------------------------------------------------------------------------------------

_FILES = re.compile(
    r"(?P<files>.*/records/[^/]+(?:/draft)?/files)(?:/(?P<key>.+?))?(?P<rest>/content(?:/\d+)?|/commit)?$"
)


def _split_file_url(request: Any) -> Tuple[str, str, str]:
    """(address of the files, key, what follows the key); all "" where files are not meant."""
    split = urlsplit(request.url)
    found = _FILES.match(f"{split.scheme}://{split.netloc}{split.path}")
    if found is None:
        return "", "", ""
    return found["files"], unquote(found["key"] or ""), found["rest"] or ""


def handle_get(request: Any) -> CallbackResult:
    """Whatever record, file or page is asked for is there."""
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
    """A start, a commit, a new draft or version, or a publication."""
    files, key, rest = _split_file_url(request)
    if rest:
        announced, sent = _PENDING_UPLOADS.pop(f"{files}/{key}", ({}, {}))
        return _build_json_response(
            _build_entry(files, key, announced, b"".join(data for _, data in sorted(sent.items())))
        )
    if files:
        entries = []
        for announced in json.loads(request.body):
            _PENDING_UPLOADS[f"{files}/{announced['key']}"] = (announced, {})
            entries.append(_build_entry(files, announced["key"], announced, None))
        return _build_json_response(_build_file_list(files, entries), 201)
    path = urlsplit(request.url).path
    if path.endswith("/publish"):
        return _build_json_response(_build_record(request.url, draft=False), 202)
    metadata = json.loads(request.body)["metadata"] if path.endswith("/records") else None
    return _build_json_response(_build_record(request.url, True, metadata=metadata), 201)


def handle_put(request: Any) -> CallbackResult:
    """Content or a part of it, or what is said of a file or a draft."""
    files, key, rest = _split_file_url(request)
    if rest:
        number = rest.rpartition("/")[2]
        announced, sent = _PENDING_UPLOADS.setdefault(f"{files}/{key}", ({}, {}))
        sent[int(number) if number.isdigit() else 0] = _read_body(request)
        return _build_json_response(_build_entry(files, key, announced, None))
    said = json.loads(request.body)
    if files:
        return _build_json_response({**_build_completed_entry(files, key), **said})
    return _build_json_response(_build_record(request.url, True, metadata=said["metadata"]))


def handle_delete(request: Any) -> CallbackResult:
    """Gone."""
    return 204, {}, ""


def handle_failed_fetch(request: Any) -> CallbackResult:
    """A file that the repository could not fetch."""
    files, key, _ = _split_file_url(request)
    entry = _build_entry(files, key, {"transfer": {"type": "F"}}, None)
    return _build_json_response(
        {**entry, "status": "failed", "transfer": {"type": "F", "error": "404 Not Found"}}
    )
