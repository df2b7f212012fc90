"""Data of the canned Perseus responses: a service with one file, which accepts other files.

Source: Perseus protocol, sections A.3 to A.8.
"""

import hashlib
import json
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union
from urllib.parse import quote

__all__ = [
    "BASE_URL", "FACTS", "STORAGE_URL", "UPLOAD_REJECTED", "CannedResponse", "build_error", "handle_create",
    "handle_find", "handle_find_failed", "handle_upload",
]  # fmt: skip

BASE_URL = "https://perseus.example.org"
#: URL of the storage, which has another origin.
STORAGE_URL = "https://storage.example.net/perseus-files"

CallbackResult = Tuple[int, Dict[str, str], Any]
CannedResponse = Union[Dict[str, Any], Callable[[Any], CallbackResult]]

_CONTENT = b"place,count\nOslo,7\n"
_HASH = hashlib.sha256(_CONTENT).hexdigest()
_ID, _NAME = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0", "report.csv"
_TIMESTAMP = "2026-11-20T21:06:32.343Z"

#: Values in the responses, for comparisons in tests.
FACTS: Mapping[str, Any] = {
    "id": _ID,
    "name": _NAME,
    "content": _CONTENT,
    "source_hash": _HASH,
    "created": _TIMESTAMP,
    "storage_url": STORAGE_URL,
}

#: Name and SHA-256 of the created records, by id.
_CREATED_RECORDS: Dict[str, Tuple[str, str]] = {}
_REASONS = {400: "Bad Request", 404: "Not Found", 409: "Conflict"}


def _build_record(id: str, name: str, source_hash: str, status: str = "uploaded") -> Dict[str, str]:
    record = {"id": id, "name": name, "status": status, "createdAt": _TIMESTAMP}
    return {**record, "sourceHash": source_hash}


def _build_json_response(value: Any, status: int = 200) -> CallbackResult:
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value)


def build_error(status: int, message: Union[str, List[str]]) -> CannedResponse:
    """Return an error in the format of the service."""
    if status == 401:
        return {"status": status, "json": {"message": message}}
    body = {"message": message, "error": _REASONS[status], "statusCode": status}
    return {"status": status, "json": body}


def _find_records(request: Any, status: str) -> CallbackResult:
    """Return records by their ids, or the existing file by its hash or without a filter."""
    body = json.loads(request.body)
    known = {_ID: (_NAME, _HASH), **_CREATED_RECORDS} if "ids" in body else {_ID: (_NAME, _HASH)}
    records = [
        _build_record(id, name, source_hash, status)
        for id, (name, source_hash) in known.items()
        if id in body.get("ids", [id]) and source_hash in body.get("sourceHashes", [source_hash])
    ]
    return _build_json_response({"files": records})


def handle_find(request: Any) -> CallbackResult:
    """Return the requested records, with status ``uploaded``."""
    return _find_records(request, "uploaded")


def handle_find_failed(request: Any) -> CallbackResult:
    """Return the requested records, with status ``failed``."""
    return _find_records(request, "failed")


def handle_create(request: Any) -> CallbackResult:
    """Return a new record, and the URL for the upload of its content."""
    body = json.loads(request.body)
    name, source_hash = body["name"], body["sourceHash"]
    id = hashlib.sha256(f"{name}\n{source_hash}".encode()).hexdigest()[:32]
    _CREATED_RECORDS[id] = (name, source_hash)
    signature = hashlib.sha256(id.encode()).hexdigest()
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    url = f"{STORAGE_URL}/file/{id}/{quote(name)}?X-Amz-Expires=3600&{query}"
    return _build_json_response({"file": _build_record(id, name, source_hash, "pending"), "uploadUrl": url})


def handle_upload(request: Any) -> CallbackResult:
    """Return the response of the storage to an upload."""
    body = request.body  # read to its end, because the client computes checksums while it is read
    data = body if isinstance(body, bytes) else b"".join(map(bytes, body or ()))
    return 200, {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "x-amz-request-id": "4442587FB7D0A2F9"}, b""


#: Response of the storage that rejects an upload.
UPLOAD_REJECTED: CannedResponse = {
    "status": 403,
    "body": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
        "<Message>Access Denied</Message><RequestId>4442587FB7D0A2F9</RequestId>"
        "<HostId>aG9zdA==</HostId></Error>"
    ),
    "content_type": "application/xml",
}
