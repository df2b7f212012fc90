"""Routes: one table per version of the API, and authentication.

Source: SmartFile protocol, sections 1, 5, 6 and 7.
"""

import hmac
from typing import List, Optional
from urllib.parse import unquote

from smartxfer.local.http_messages import Request
from smartxfer.local.routing import NoRoute, Router
from smartxfer.local.smartfile import account, links, path_data, path_info, path_operations, sync, tasks
from smartxfer.local.smartfile.api_responses import error_response
from smartxfer.local.smartfile.call import ApiError, Backend, Call, Pairs, Response, Routes, error_detail
from smartxfer.local.smartfile.oauth import SignatureRejected
from smartxfer.local.smartfile.sessions import CsrfRejected


def identify(call: Call) -> str:
    """Return the name of the calling user.

    :raises ApiError: 401 with an empty body, missing or invalid credentials; 403, a session
        without its CSRF token.
    """
    backend, request = call.backend, call.request
    if call.header("authorization").lower().startswith("basic "):
        user = basic(backend, request)
    else:
        try:
            user = backend.oauth.identify(request, _form(call)) or backend.sessions.identify(request)
        except SignatureRejected:
            user = None
        except CsrfRejected as error:
            raise error_detail(403, str(error)) from None
    if user is None:
        raise ApiError(401, None, [("WWW-Authenticate", 'Basic realm="SmartFile"')])
    return user


def _form(call: Call) -> Pairs:
    """Return the form body, which may contain OAuth parameters; read only without a header."""
    if call.request.media_type != "application/x-www-form-urlencoded" or call.header("authorization"):
        return []
    return call.form


def basic(backend: Backend, request: Request) -> Optional[str]:
    """Return the user of an ``Authorization: Basic`` header: by API key, or by user name and password.

    :return: None without such a header, or for an unknown user.
    """
    value = request.authorization
    if value is None or value.username is None or value.password is None:
        return None
    name, password = value.username, value.password
    if _is_same_secret(name, backend.key) and _is_same_secret(password, backend.password):
        return backend.username
    user = backend.json_store.get("user", name)
    if user is not None and user.get("password") and _is_same_secret(password, user["password"]):
        return name
    return None


def _is_same_secret(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _session(call: Call) -> Response:
    return call.backend.sessions.handle(call.request, basic(call.backend, call.request))


def _router(routes: Routes) -> Router:
    return Router({"/" + route: methods for route, methods in routes.items()}, rest=True)


#: Routes of ``/api/2/``.
ROUTES: Routes = {
    "path/info": {"GET": path_info.info, "POST": path_info.set_attributes},
    "path/data": {"GET": path_info.download, "POST": path_data.upload},
    "path/progress": {"GET": path_info.progress},
    "path/oper/mkdir": {"POST": path_operations.mkdir, "PUT": path_operations.mkdir},
    "path/oper/rename": {"POST": path_operations.rename}, "path/oper/move": {"POST": path_operations.move},
    "path/oper/copy": {"POST": path_operations.copy},
    "path/oper/remove": {"POST": path_operations.remove, "DELETE": path_operations.remove},
    "path/oper/checksum": {"POST": path_operations.checksum},
    "path/oper/compress": {"POST": path_operations.compress}, "task": {"GET": tasks.poll}, **links.ROUTES,
    **sync.ROUTES, **account.ROUTES,
}
_DATA_3 = {
    "GET": path_info.download, "PUT": path_data.put, "PATCH": path_data.append, "DELETE": path_data.delete,
}
#: Routes by version; 2.1 and 3 contain only differences. Assumption: downloads of 3 are those of 2.
VERSIONS = {
    "2": _router(ROUTES), "2.1": _router({"path/info": {"GET": path_info.info}}),
    "3": _router({"path/data": _DATA_3, **account.ROUTES_3}),
}
#: Routes of every version that check credentials themselves, or need none.
OPEN_ROUTES: Routes = {
    "ping": {"GET": lambda call: call.json({"ping": "pong"})},
    "session": {"GET": _session, "POST": _session, "DELETE": _session},
}
_EVERY = ("GET", "POST", "PUT", "DELETE")
#: Routes outside ``/api/`` of the same kind.
ROOT_ROUTES: Routes = {
    "oauth": dict.fromkeys(_EVERY, lambda call: call.backend.oauth.handle(call.request)),
    **links.ROOT,
}


OPEN, ROOT, _NONE = _router(OPEN_ROUTES), _router(ROOT_ROUTES), Router({})


def handle(backend: Backend, request: Request) -> Response:
    """Handle one request."""
    try:
        return _dispatch(backend, request)
    except ApiError as refusal:
        return error_response(backend.site, refusal)


def _dispatch(backend: Backend, request: Request) -> Response:
    call = Call(backend, request, _split_path(request))
    if call.segments[:1] != ["api"]:
        return _call_handler(ROOT, call)
    error = backend.throttle.throttled_response(request)
    if error is not None:
        raise error
    call.version, call.segments = "".join(call.segments[1:2]), call.segments[2:]
    if call.version in VERSIONS and call.segment(0) in OPEN_ROUTES:
        return _call_handler(OPEN, call)
    call.user = identify(call)
    return _call_handler(VERSIONS.get(call.version, _NONE), call)


def _split_path(request: Request) -> List[str]:
    """Return the decoded segments of a path, without empty ones.

    :raises ApiError: 400, invalid segment: ``.``, ``..``, one with an encoded slash, or not UTF-8.
    """
    try:
        segments = [unquote(word, errors="strict") for word in request.encoded_path.split("/") if word]
    except UnicodeDecodeError:
        raise error_detail(400, "The path is not UTF-8.") from None
    if any(word in (".", "..") or "/" in word or "\0" in word for word in segments):
        raise error_detail(400, "Not a path.")
    return segments


def _call_handler(routes: Router, call: Call) -> Response:
    try:
        methods, names = routes.match("/" + "/".join(call.segments))
    except NoRoute:
        raise error_detail(404, "Not found.") from None
    call.segments = names["rest"].split("/") if names else []
    if call.method not in methods:
        text = f'Method "{call.request.method}" not allowed.'
        raise error_detail(405, text, ("Allow", ", ".join(methods)))
    return methods[call.method](call)  # type: ignore[no-any-return]
