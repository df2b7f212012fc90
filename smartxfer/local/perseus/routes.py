"""The calls of the file service.

Source: Perseus protocol, sections A.4 and A.8.
"""

import hmac
import json
import re
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import unquote

from smartxfer.local.body import BodyTooLong
from smartxfer.local.http_messages import Request, Response
from smartxfer.local.perseus.backend import Backend
from smartxfer.local.perseus.records import shown

__all__ = ["ApiError", "answer", "error_response"]

_BODY_LIMIT = 4 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_REASONS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict"}


class ApiError(Exception):
    """The service turns a request down.

    :param status: HTTP status.
    :param message: text, or the list of a validation.
    """

    def __init__(self, status: int, message: Any) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


def json_response(value: Any, status: int = 200) -> Response:
    """An answer whose body is ``value`` as JSON."""
    body = json.dumps(value).encode("ascii")
    return Response(status, [("Content-Type", "application/json; charset=utf-8")], (body,))


def error_response(status: int, message: Any) -> Response:
    """A refusal as it goes out."""
    body = {"message": message, "error": _REASONS.get(status, "Error"), "statusCode": status}
    if status == 401:
        body = {"message": message}
    return json_response(body, status)


def answer(backend: Backend, request: Request) -> Response:
    """Answer one request to the API."""
    try:
        return _dispatch(backend, request)
    except ApiError as refusal:
        return error_response(refusal.status, refusal.message)


def _dispatch(backend: Backend, request: Request) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    good = hmac.compare_digest(key.strip().encode("latin-1", "replace"), backend.api_key.encode("ascii"))
    if scheme.lower() != "bearer" or not good:
        raise ApiError(401, "Invalid API key")
    path = request.target.partition("?")[0]
    calls: Dict[str, Callable[[Backend, Request], Response]] = {
        "POST /api/v0/file": create,
        "POST /api/v0/file/find": find,
    }
    call = calls.get(f"{request.method} {path}")
    if call is not None:
        return call(backend, request)
    head, _, id = path.rpartition("/")
    if request.method == "DELETE" and head == "/api/v0/file" and id:
        return delete(backend, unquote(id))
    raise ApiError(404, f"Cannot {request.method} {path}")


def create(backend: Backend, request: Request) -> Response:
    """Make a record, and the address for its content."""
    body = _object(request)
    name, source_hash = body.get("name"), body.get("sourceHash")
    wrong = []
    if not isinstance(name, str) or not name:
        wrong += ["name should not be empty", "name must be a string"]
    if not isinstance(source_hash, str) or not _HASH.fullmatch(source_hash):
        wrong.append("sourceHash must be a SHA-256 hash")
    if wrong or not isinstance(name, str) or not isinstance(source_hash, str):
        raise ApiError(400, wrong)
    with backend.lock:
        known = backend.of_hash(source_hash)
        if backend.site.recreate_pending:
            known = [row for row in known if row["status"] != "pending"]
        if known and backend.site.known == "409":
            raise ApiError(409, "A file with this content already exists")
        if known:
            return json_response({"file": shown(known[-1], backend.site.echo_hash), "uploadUrl": None})
        row = backend.records.add(name, source_hash, backend.now())
        url = backend.address(row)
    record = shown(row, backend.site.echo_hash)
    return json_response({"file": record, "uploadUrl": url}, backend.site.create_status)


def find(backend: Backend, request: Request) -> Response:
    """The records that match; without a filter, all."""
    body = _object(request)
    ids, hashes = _texts(body, "ids"), _texts(body, "sourceHashes")
    with backend.lock:
        rows = backend.matching(ids, hashes)
    return json_response({"files": [shown(row, backend.site.echo_hash) for row in rows]})


def delete(backend: Backend, id: str) -> Response:
    """Remove a record and its content."""
    if not backend.delete(id):
        raise ApiError(404, "File not found")
    return Response(204, [], (b"",))


def _object(request: Request) -> Dict[str, Any]:
    try:
        found = json.loads(request.body.read(_BODY_LIMIT) or b"{}")
    except BodyTooLong:
        raise ApiError(413, "request entity too large") from None
    except (ValueError, RecursionError):
        raise ApiError(400, "Unexpected token in JSON") from None
    if not isinstance(found, dict):
        raise ApiError(400, ["an object is expected"])
    return found


def _texts(body: Dict[str, Any], name: str) -> Optional[List[str]]:
    found = body.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
        raise ApiError(400, [f"each value in {name} must be a string"])
    return found
