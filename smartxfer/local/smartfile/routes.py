"""From path to function: one table per version of the API, longest route first.

Source: SmartFile protocol, sections 1, 5, 6 and 7.
"""

from typing import Dict, List
from urllib.parse import unquote

from smartxfer.local.http_messages import Request, Response
from smartxfer.local.smartfile import account, data, links, oper, paths, sync, tasks
from smartxfer.local.smartfile.answers import ApiError, detail, error_response
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.call import Call, Routes
from smartxfer.local.smartfile.identify import basic, identify

__all__ = ["answer"]


def _ping(call: Call) -> Response:
    return call.json({"ping": "pong"})


def _session(call: Call) -> Response:
    return call.backend.sessions.answer(call.request, basic(call.backend, call.request))


def _oauth(call: Call) -> Response:
    return call.backend.oauth.answer(call.request)


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
#: Routes by version; 2.1 and 3 have those that differ. Assumption: 3 gives the bytes of a file like 2.
VERSIONS: Dict[str, Routes] = {
    "2": ROUTES,
    "2.1": {"path/info": {"GET": paths.info}},
    "3": {
        "path/data": {"GET": paths.download, "PUT": data.put, "PATCH": data.append, "DELETE": data.delete},
        **account.ROUTES_3,
    },
}
#: Routes of every version that see to credentials themselves, or need none.
OPEN: Routes = {
    "ping": {"GET": _ping},
    "session": {"GET": _session, "POST": _session, "DELETE": _session},
}
#: Routes outside ``/api/``, likewise.
ROOT: Routes = {
    "oauth": dict.fromkeys(("GET", "POST", "PUT", "DELETE"), _oauth),
    **links.ROOT,
}


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
    if call.version in VERSIONS and call.word(0) in OPEN:
        return _handled(OPEN, call)
    call.user = identify(call)
    return _handled(VERSIONS.get(call.version, {}), call)


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


def _handled(routes: Routes, call: Call) -> Response:
    """Answer by the longest route that the path begins with."""
    for count in range(min(len(call.words), 3), 0, -1):
        methods = routes.get("/".join(call.words[:count]))
        if methods is not None:
            call.words = call.words[count:]
            break
    else:
        raise detail(404, "Not found.")
    if call.method not in methods:
        text = f'Method "{call.request.method}" not allowed.'
        raise detail(405, text, ("Allow", ", ".join(methods)))
    return methods[call.method](call)
