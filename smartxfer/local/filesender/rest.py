"""The JSON API behind ``rest.php``: authentication, then the endpoint.

Source: FileSender protocol, sections 2, 3, 10, 13 and 15.
"""

import json
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.filesender import chunk_calls, guest_calls, info_calls, transfer_calls, transfer_create
from smartxfer.local.filesender.authentication import (
    authenticate_file_key,
    begin_signature,
    check_tokens,
    guest_identity,
    signing_user,
)
from smartxfer.local.filesender.call import (
    ApiError,
    Backend,
    Call,
    Identity,
    PhpFatal,
    Request,
    RequestArguments,
    Response,
    error_response,
    fatal_response,
    text_response,
)
from smartxfer.local.filesender.request_args import clean
from smartxfer.local.request_body import BodyTooLong

#: Largest JSON body that the front end accepts, bytes.
_JSON_LIMIT = 32 << 20

# Not by the router: rest.php checks methods and endpoints in its own order, with an error for each.
_CALLS: Dict[Tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "info"): info_calls.info, ("GET", "user"): info_calls.user, ("GET", "echo"): info_calls.echo,
    ("POST", "transfer"): transfer_create.post, ("GET", "transfer"): transfer_calls.get,
    ("PUT", "transfer"): transfer_calls.put, ("DELETE", "transfer"): transfer_calls.delete,
    ("GET", "file"): transfer_calls.get_file, ("PUT", "file"): transfer_calls.put_file,
    ("DELETE", "file"): transfer_calls.delete_file, ("GET", "recipient"): transfer_calls.get_recipient,
    ("PUT", "recipient"): transfer_calls.put_recipient,
    ("DELETE", "recipient"): transfer_calls.delete_recipient, ("POST", "guest"): guest_calls.post,
    ("GET", "guest"): guest_calls.get, ("PUT", "guest"): guest_calls.put,
    ("DELETE", "guest"): guest_calls.delete,
}
_ENDPOINTS = {endpoint for _, endpoint in _CALLS}
#: Endpoints that only a 2.x has (section 13).
_CALLS_2X: Dict[Tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "legacyuploadprogress"): info_calls.progress,
}
_ENDPOINTS_2X = {endpoint for _, endpoint in _CALLS_2X}
#: Errors that precede the check of the endpoint, and do not contain it.
_BEFORE_ENDPOINT = ("rest_endpoint_missing", "rest_method_not_allowed")


def handle(backend: Backend, request: Request) -> Response:
    """Handle a request below ``/rest.php``."""
    segments = [word for word in request.path[len("/rest.php") :].split("/") if word]
    endpoint = segments[0] if segments else ""
    try:
        reply = _dispatch(backend, request, endpoint, segments[1:])
    except ApiError as refusal:
        details = None
        if refusal.status != 500:
            details = {"method": request.method.lower()}
            if refusal.message not in _BEFORE_ENDPOINT:
                details["endpoint"] = endpoint
        reply = error_response(refusal.message, refusal.status, details)
    except PhpFatal:
        reply = fatal_response()
    except BodyTooLong:
        reply = text_response(413, "<html><h1>413 Request Entity Too Large</h1></html>", "text/html")
    _add_tokens(backend, request, reply)
    return reply


def _dispatch(backend: Backend, request: Request, endpoint: str, segments: List[str]) -> Response:
    if backend.site.database_down:
        raise ApiError("failed_to_connect_to_database")
    if backend.site.maintenance:
        raise ApiError("undergoing_maintenance")
    if request.method not in ("GET", "POST", "PUT", "DELETE"):
        raise ApiError("rest_method_not_allowed")
    if not endpoint:
        raise ApiError("rest_endpoint_missing")
    old = backend.site.is_2x and endpoint in _ENDPOINTS_2X
    if endpoint not in _ENDPOINTS and not old:
        raise ApiError("rest_endpoint_not_implemented")
    act = (_CALLS_2X if old else _CALLS).get((request.method, endpoint))
    if act is None:
        raise ApiError("rest_method_not_implemented")
    if (request.method, endpoint) == ("POST", "transfer") and segments:
        # `/transfer/ID/recipient`
        act = transfer_calls.add_recipient
    call = Call(backend, request, segments, RequestArguments(request.query), endpoint)
    if request.method == "PUT" and endpoint == "file" and call.segment(1) == "chunk":
        return chunk_calls.put(call)
    raw = request.body.read(_JSON_LIMIT)
    authenticate(call, raw)
    if raw:
        call.body = _decode_json(raw)
    return act(call)


def authenticate(call: Call, raw: bytes) -> None:
    """Authenticate the caller, and check the tokens of a call that is not signed.

    :param raw: the whole body.
    :raises ApiError: see sections 2.1 and 10.
    """
    backend = call.backend
    signature = begin_signature(backend, call.request, call.arguments)
    if signature is not None:
        signature.update(raw)
        signature.verify(backend.now())
        call.identity = Identity(signing_user(backend, call.arguments))
        return
    if "vid" in call.arguments:
        call.identity = guest_identity(backend, call.arguments.get("vid"))
    if call.request.method == "GET":
        return
    if call.identity.guest is None and authenticate_file_key(call):
        return
    check_tokens(call)


def _decode_json(raw: bytes) -> Any:
    try:
        value = clean(json.loads(raw))
        if b"\\u" in raw:
            # A lone surrogate is not text in PHP.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise PhpFatal from None
    return value


def _add_tokens(backend: Backend, request: Request, reply: Response) -> None:
    """Add csrf cookies, twice with different paths, and a renewed security token (section 10)."""
    token = request.context.get("csrf")
    if token:
        for path in ("/", "/rest.php"):
            cookie = "csrfptoken={}; path={}{}; Secure; SameSite=Strict"
            reply.headers.append(("Set-Cookie", cookie.format(token, backend.site.base_path, path)))
    renewed = request.context.get("security_token")
    if renewed:
        reply.headers.append(("X-Filesender-Security-Token", renewed))
