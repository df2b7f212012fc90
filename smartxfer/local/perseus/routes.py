"""The calls of the file service.

Source: Perseus protocol, sections A.4 and A.8.
"""

import hmac
import json
import re
from typing import Any, Dict, List, Optional

from smartxfer.local import http_messages
from smartxfer.local.http_messages import ApiError, Request, Response
from smartxfer.local.perseus.backend import Backend, serialize
from smartxfer.local.request_body import BodyTooLong
from smartxfer.local.routing import NoRoute, Router

_BODY_LIMIT = 4 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_REASONS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict"}


def _json(value: Any, status: int = 200) -> Response:
    return http_messages.json_response(value, status, "application/json; charset=utf-8")


def error_response(status: int, message: Any) -> Response:
    """Return an error response."""
    more = {} if status == 401 else {"error": _REASONS.get(status, "Error"), "statusCode": status}
    return _json({"message": message, **more}, status)


def handle(backend: Backend, request: Request) -> Response:
    """Answer one request to the API."""
    try:
        return _dispatch(backend, request)
    except ApiError as refusal:
        return error_response(refusal.status, refusal.message)


def _dispatch(backend: Backend, request: Request) -> Response:
    key = request.bearer_token.encode("latin-1", "replace")
    if not hmac.compare_digest(key, backend.api_key.encode("ascii")):
        raise ApiError(401, "Invalid API key")
    try:
        methods, names = _ROUTES.match(request.path)
        return methods[request.method](backend, request, **names)  # type: ignore[no-any-return]
    except (KeyError, NoRoute):
        raise ApiError(404, f"Cannot {request.method} {request.encoded_path}") from None


def create(backend: Backend, request: Request) -> Response:
    """Create a record and the presigned URL for its content."""
    body = _json_object(request)
    name, source_hash = body.get("name"), body.get("sourceHash")
    wrong = []
    if not isinstance(name, str) or not name:
        wrong += ["name should not be empty", "name must be a string"]
    if not isinstance(source_hash, str) or not _HASH.fullmatch(source_hash):
        wrong.append("sourceHash must be a SHA-256 hash")
    if wrong or not isinstance(name, str) or not isinstance(source_hash, str):
        raise ApiError(400, wrong)
    with backend.lock:
        known = backend.find_by_hash(source_hash)
        if backend.site.recreate_pending:
            known = [row for row in known if row["status"] != "pending"]
        if known and backend.site.known == "409":
            raise ApiError(409, "A file with this content already exists")
        if known:
            return _json({"file": serialize(known[-1], backend.site.echo_hash), "uploadUrl": None})
        row = backend.records.add(name, source_hash, backend.now())
        url = backend.presigned_url(row)
    record = serialize(row, backend.site.echo_hash)
    return _json({"file": record, "uploadUrl": url}, backend.site.create_status)


def find(backend: Backend, request: Request) -> Response:
    """Return the matching records; without a filter, all."""
    body = _json_object(request)
    ids, hashes = _texts(body, "ids"), _texts(body, "sourceHashes")
    with backend.lock:
        rows = backend.matching(ids, hashes)
    return _json({"files": [serialize(row, backend.site.echo_hash) for row in rows]})


def delete(backend: Backend, request: Request, id: str = "find") -> Response:
    """Remove a record and its content."""
    if not backend.delete(id):
        raise ApiError(404, "File not found")
    return Response(204, [])


_ROUTES = Router(
    {
        "/api/v0/file": {"POST": create}, "/api/v0/file/find": {"POST": find, "DELETE": delete},
        "/api/v0/file/<rest:id>": {"DELETE": delete},
    }
)


def _json_object(request: Request) -> Dict[str, Any]:
    try:
        body = json.loads(request.body.read(_BODY_LIMIT) or b"{}")
    except BodyTooLong:
        raise ApiError(413, "request entity too large") from None
    except (ValueError, RecursionError):
        raise ApiError(400, "Unexpected token in JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, ["an object is expected"])
    return body


def _texts(body: Dict[str, Any], name: str) -> Optional[List[str]]:
    values = body.get(name)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ApiError(400, [f"each value in {name} must be a string"])
    return values
