"""The JSON API behind ``rest.php``: authentication, then the endpoint.

Source: FileSender protocol, sections 2, 3, 10, 13 and 15.
"""

import json
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.body import BodyTooLong
from smartxfer.local.filesender import chunk, create, facts, guest_calls, transfer_calls
from smartxfer.local.filesender.arguments import clean
from smartxfer.local.filesender.call import (
    ApiError,
    Arguments,
    Backend,
    Call,
    Fatal,
    Identity,
    Request,
    Response,
    error_response,
    fatal,
    text_response,
)
from smartxfer.local.filesender.identify import (
    begin_signature,
    check_tokens,
    guest_identity,
    key_call,
    signer,
)

#: Largest JSON body that the front end lets through, bytes.
_JSON_LIMIT = 32 << 20

# By hand: rest.php looks at methods and endpoints in an order of its own, with an error for each step.
_CALLS: Dict[Tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "info"): facts.info,
    ("GET", "user"): facts.user,
    ("GET", "echo"): facts.echo,
    ("POST", "transfer"): create.post,
    ("GET", "transfer"): transfer_calls.get,
    ("PUT", "transfer"): transfer_calls.put,
    ("DELETE", "transfer"): transfer_calls.delete,
    ("GET", "file"): transfer_calls.get_file,
    ("PUT", "file"): transfer_calls.put_file,
    ("DELETE", "file"): transfer_calls.delete_file,
    ("GET", "recipient"): transfer_calls.get_recipient,
    ("PUT", "recipient"): transfer_calls.put_recipient,
    ("DELETE", "recipient"): transfer_calls.delete_recipient,
    ("POST", "guest"): guest_calls.post,
    ("GET", "guest"): guest_calls.get,
    ("PUT", "guest"): guest_calls.put,
    ("DELETE", "guest"): guest_calls.delete,
}
_ENDPOINTS = {endpoint for _, endpoint in _CALLS}
#: What only a 2.x has (section 13).
_CALLS_2X: Dict[Tuple[str, str], Callable[[Call], Response]] = {
    ("GET", "legacyuploadprogress"): facts.progress,
}
_ENDPOINTS_2X = {endpoint for _, endpoint in _CALLS_2X}
#: Errors that come before the endpoint is looked at, and do not name it.
_BEFORE_ENDPOINT = ("rest_endpoint_missing", "rest_method_not_allowed")


def answer(backend: Backend, request: Request) -> Response:
    """Answer a request below ``/rest.php``."""
    words = [word for word in request.path[len("/rest.php") :].split("/") if word]
    endpoint = words[0] if words else ""
    try:
        reply = _dispatch(backend, request, endpoint, words[1:])
    except ApiError as refusal:
        details = None
        if refusal.status != 500:
            details = {"method": request.method.lower()}
            if refusal.message not in _BEFORE_ENDPOINT:
                details["endpoint"] = endpoint
        reply = error_response(refusal.message, refusal.status, details)
    except Fatal:
        reply = fatal()
    except BodyTooLong:
        reply = text_response(413, "<html><h1>413 Request Entity Too Large</h1></html>", "text/html")
    _add_tokens(backend, request, reply)
    return reply


def _dispatch(backend: Backend, request: Request, endpoint: str, words: List[str]) -> Response:
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
    if (request.method, endpoint) == ("POST", "transfer") and words:
        # `/transfer/ID/recipient`
        act = transfer_calls.add_recipient
    call = Call(backend, request, words, Arguments(request.query), endpoint)
    if request.method == "PUT" and endpoint == "file" and call.word(1) == "chunk":
        return chunk.put(call)
    raw = request.body.read(_JSON_LIMIT)
    authenticate(call, raw)
    if raw:
        call.body = _decode(raw)
    return act(call)


def authenticate(call: Call, raw: bytes) -> None:
    """Find out who asks, and check the tokens of a call that is not signed.

    :param raw: the whole body.
    :raises ApiError: see sections 2.1 and 10.
    """
    backend = call.backend
    signature = begin_signature(backend, call.request, call.arguments)
    if signature is not None:
        signature.update(raw)
        signature.verify(backend.now())
        call.identity = Identity(signer(backend, call.arguments))
        return
    if "vid" in call.arguments:
        call.identity = guest_identity(backend, call.arguments.get("vid"))
    if call.request.method == "GET":
        return
    if call.identity.guest is None and key_call(call):
        return
    check_tokens(call)


def _decode(raw: bytes) -> Any:
    try:
        value = clean(json.loads(raw))
        if b"\\u" in raw:
            # A half of a surrogate pair is no text to PHP.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Fatal from None
    return value


def _add_tokens(backend: Backend, request: Request, reply: Response) -> None:
    """New csrf cookies, twice with different paths, and a renewed security token (section 10)."""
    token = request.context.get("csrf")
    if token:
        for path in ("/", "/rest.php"):
            cookie = "csrfptoken={}; path={}{}; Secure; SameSite=Strict"
            reply.headers.append(("Set-Cookie", cookie.format(token, backend.site.base_path, path)))
    renewed = request.context.get("security_token")
    if renewed:
        reply.headers.append(("X-Filesender-Security-Token", renewed))
