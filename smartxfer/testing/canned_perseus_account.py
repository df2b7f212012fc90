"""The service behind the canned answers of Perseus: it has one file, and takes any other.

Source: Perseus protocol, sections A.3 to A.8.
"""

import hashlib
import json
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union
from urllib.parse import quote

__all__ = [
    "BASE_URL",
    "FACTS",
    "STORAGE_URL",
    "UPLOAD_REJECTED",
    "CannedResponse",
    "build_error",
    "handle_create",
    "handle_find",
    "handle_find_failed",
    "handle_upload",
]  # fmt: skip

BASE_URL = "https://perseus.example.org"
#: Address of the storage, whose origin is another.
STORAGE_URL = "https://storage.example.net/perseus-files"

CallbackResult = Tuple[int, Dict[str, str], Any]
CannedResponse = Union[Dict[str, Any], Callable[[Any], CallbackResult]]

_CONTENT = b"place,count\nOslo,7\n"
_HASH = hashlib.sha256(_CONTENT).hexdigest()
_ID, _NAME = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0", "report.csv"
_TIMESTAMP = "2026-11-20T21:06:32.343Z"

#: What the answers say, for tests to compare with.
FACTS: Mapping[str, Any] = {
    "id": _ID,
    "name": _NAME,
    "content": _CONTENT,
    "source_hash": _HASH,
    "created": _TIMESTAMP,
    "storage_url": STORAGE_URL,
}

#: Records made by creating, by id: name and SHA-256.
_CREATED_RECORDS: Dict[str, Tuple[str, str]] = {}
_REASONS = {400: "Bad Request", 404: "Not Found", 409: "Conflict"}


def _build_record(id: str, name: str, source_hash: str, status: str = "uploaded") -> Dict[str, str]:
    made = {"id": id, "name": name, "status": status, "createdAt": _TIMESTAMP}
    return {**made, "sourceHash": source_hash}


def _build_json_response(value: Any, status: int = 200) -> CallbackResult:
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value)


def build_error(status: int, message: Union[str, List[str]]) -> CannedResponse:
    """An error, in the service's form."""
    if status == 401:
        return {"status": status, "json": {"message": message}}
    body = {"message": message, "error": _REASONS[status], "statusCode": status}
    return {"status": status, "json": body}


def _find_records(request: Any, status: str) -> CallbackResult:
    """Records by their ids, or the one file by its hash; without a filter, that one too."""
    body = json.loads(request.body)
    known = {_ID: (_NAME, _HASH), **_CREATED_RECORDS} if "ids" in body else {_ID: (_NAME, _HASH)}
    records = [
        _build_record(id, name, source_hash, status)
        for id, (name, source_hash) in known.items()
        if id in body.get("ids", [id]) and source_hash in body.get("sourceHashes", [source_hash])
    ]
    return _build_json_response({"files": records})


def handle_find(request: Any) -> CallbackResult:
    """The records that are asked for, their content taken in."""
    return _find_records(request, "uploaded")


def handle_find_failed(request: Any) -> CallbackResult:
    """The records that are asked for, whose content is not good."""
    return _find_records(request, "failed")


def handle_create(request: Any) -> CallbackResult:
    """A new record, and the address for its content."""
    body = json.loads(request.body)
    name, source_hash = body["name"], body["sourceHash"]
    id = hashlib.sha256(f"{name}\n{source_hash}".encode()).hexdigest()[:32]
    _CREATED_RECORDS[id] = (name, source_hash)
    signature = hashlib.sha256(id.encode()).hexdigest()
    query = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    url = f"{STORAGE_URL}/file/{id}/{quote(name)}?X-Amz-Expires=3600&{query}"
    return _build_json_response({"file": _build_record(id, name, source_hash, "pending"), "uploadUrl": url})


def handle_upload(request: Any) -> CallbackResult:
    """Content, taken."""
    body = request.body  # read to its end: what is sent is reckoned with while it is read
    data = body if isinstance(body, bytes) else b"".join(map(bytes, body or ()))
    return 200, {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "x-amz-request-id": "4442587FB7D0A2F9"}, b""


#: The storage's refusal of an address.
UPLOAD_REJECTED: CannedResponse = {
    "status": 403,
    "body": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
        "<Message>Access Denied</Message><RequestId>4442587FB7D0A2F9</RequestId>"
        "<HostId>aG9zdA==</HostId></Error>"
    ),
    "content_type": "application/xml",
}
