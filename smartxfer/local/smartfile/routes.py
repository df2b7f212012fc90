"""From path to function: one table per version of the API, longest route first.

Source: SmartFile protocol, sections 1, 5, 6 and 7.
"""

import hmac
from typing import List, Optional
from urllib.parse import unquote

from smartxfer.local.http_messages import Request
from smartxfer.local.routing import NoRoute, Router
from smartxfer.local.smartfile import account, data, links, oper, paths, sync, tasks
from smartxfer.local.smartfile.answers import error_response
from smartxfer.local.smartfile.call import ApiError, Backend, Call, Pairs, Response, Routes, detail
from smartxfer.local.smartfile.oauth import Unverified
from smartxfer.local.smartfile.sessions import Forged


def identify(call: Call) -> str:
    """Name of the user who makes a call.

    :raises ApiError: 401 with an empty body, nobody or not with these credentials; 403, a session
        without its CSRF token.
    """
    backend, request = call.backend, call.request
    if call.header("authorization").lower().startswith("basic "):
        user = basic(backend, request)
    else:
        try:
            user = backend.oauth.identify(request, _form(call)) or backend.sessions.identify(request)
        except Unverified:
            user = None
        except Forged as error:
            raise detail(403, str(error)) from None
    if user is None:
        raise ApiError(401, None, [("WWW-Authenticate", 'Basic realm="SmartFile"')])
    return user


def _form(call: Call) -> Pairs:
    """The form body, where OAuth parameters may travel; read only where there is no header."""
    if call.request.media_type != "application/x-www-form-urlencoded" or call.header("authorization"):
        return []
    return call.form


def basic(backend: Backend, request: Request) -> Optional[str]:
    """The user of an ``Authorization: Basic`` header: by API key, or by user name and password.

    :return: None where there is no such header, or it names nobody.
    """
    given = request.authorization
    if given is None or given.username is None or given.password is None:
        return None
    name, password = given.username, given.password
    if _same(name, backend.key) and _same(password, backend.password):
        return backend.username
    user = backend.kept.get("user", name)
    if user is not None and user.get("password") and _same(password, user["password"]):
        return name
    return None


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _session(call: Call) -> Response:
    return call.backend.sessions.answer(call.request, basic(call.backend, call.request))


def _router(routes: Routes) -> Router:
    return Router({"/" + route: methods for route, methods in routes.items()}, rest=True)


#: Routes of ``/api/2/``.
ROUTES: Routes = {
    "path/info": {"GET": paths.info, "POST": paths.set_attributes},
    "path/data": {"GET": paths.download, "POST": data.upload},
    "path/progress": {"GET": paths.progress},
    "path/oper/mkdir": {"POST": oper.mkdir, "PUT": oper.mkdir},
    "path/oper/rename": {"POST": oper.rename},
    "path/oper/move": {"POST": oper.move},
    "path/oper/copy": {"POST": oper.copy},
    "path/oper/remove": {"POST": oper.remove, "DELETE": oper.remove},
    "path/oper/checksum": {"POST": oper.checksum},
    "path/oper/compress": {"POST": oper.compress},
    "task": {"GET": tasks.poll},
    **links.ROUTES,
    **sync.ROUTES,
    **account.ROUTES,
}
_DATA_3 = {"GET": paths.download, "PUT": data.put, "PATCH": data.append, "DELETE": data.delete}
#: Routes by version; 2.1 and 3 have those that differ. Assumption: 3 gives the bytes of a file like 2.
VERSIONS = {
    "2": _router(ROUTES),
    "2.1": _router({"path/info": {"GET": paths.info}}),
    "3": _router({"path/data": _DATA_3, **account.ROUTES_3}),
}
#: Routes of every version that see to credentials themselves, or need none.
OPEN_ROUTES: Routes = {
    "ping": {"GET": lambda call: call.json({"ping": "pong"})},
    "session": {"GET": _session, "POST": _session, "DELETE": _session},
}
_EVERY = ("GET", "POST", "PUT", "DELETE")
#: Routes outside ``/api/``, likewise.
ROOT_ROUTES: Routes = {
    "oauth": dict.fromkeys(_EVERY, lambda call: call.backend.oauth.answer(call.request)),
    **links.ROOT,
}


OPEN, ROOT, _NONE = _router(OPEN_ROUTES), _router(ROOT_ROUTES), Router({})


def answer(backend: Backend, request: Request) -> Response:
    """Answer one request."""
    try:
        return _dispatch(backend, request)
    except ApiError as refusal:
        return error_response(backend.site, refusal)


def _dispatch(backend: Backend, request: Request) -> Response:
    call = Call(backend, request, _words(request))
    if call.words[:1] != ["api"]:
        return _handled(ROOT, call)
    refusal = backend.throttle.refusal(request)
    if refusal is not None:
        raise refusal
    call.version, call.words = "".join(call.words[1:2]), call.words[2:]
    if call.version in VERSIONS and call.word(0) in OPEN_ROUTES:
        return _handled(OPEN, call)
    call.user = identify(call)
    return _handled(VERSIONS.get(call.version, _NONE), call)


def _words(request: Request) -> List[str]:
    """The decoded segments of a path; runs of slashes count as one.

    :raises ApiError: 400, a segment is no name: ``.``, ``..``, one with an encoded slash, or not UTF-8.
    """
    try:
        words = [unquote(word, errors="strict") for word in request.encoded_path.split("/") if word]
    except UnicodeDecodeError:
        raise detail(400, "The path is not UTF-8.") from None
    if any(word in (".", "..") or "/" in word or "\0" in word for word in words):
        raise detail(400, "Not a path.")
    return words


def _handled(routes: Router, call: Call) -> Response:
    try:
        methods, names = routes.match("/" + "/".join(call.words))
    except NoRoute:
        raise detail(404, "Not found.") from None
    call.words = names["rest"].split("/") if names else []
    if call.method not in methods:
        text = f'Method "{call.request.method}" not allowed.'
        raise detail(405, text, ("Allow", ", ".join(methods)))
    return methods[call.method](call)  # type: ignore[no-any-return]
