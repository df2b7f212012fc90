"""From path to function: one table per version of the API, longest route first.

Source: SmartFile protocol, sections 1, 5, 6 and 7.
"""

from typing import Dict, List, Tuple
from urllib.parse import unquote

from smartxfer.local.exchange import Answer, Exchange
from smartxfer.local.smartfile import account, data, links, oper, paths, sync, tasks
from smartxfer.local.smartfile.answers import Refusal, detail, refusal_answer
from smartxfer.local.smartfile.backend import Backend
from smartxfer.local.smartfile.call import Call, Handler, Methods, Routes
from smartxfer.local.smartfile.identify import basic, identify

__all__ = ["answer"]


def _ping(call: Call) -> Answer:
    return call.json({"ping": "pong"})


def _session(call: Call) -> Answer:
    return call.backend.sessions.answer(call.exchange, basic(call.backend, call.exchange))


def _oauth(call: Call) -> Answer:
    return call.backend.oauth.answer(call.exchange)


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


def answer(backend: Backend, exchange: Exchange) -> Answer:
    """Answer one request."""
    try:
        return _dispatch(backend, exchange)
    except Refusal as refusal:
        return refusal_answer(backend.site, refusal)


def _dispatch(backend: Backend, exchange: Exchange) -> Answer:
    words, slash = _words(exchange)
    call = Call(backend, exchange, "", "", words, slash)
    if words[:1] != ["api"]:
        methods, call.words = _route(ROOT, words)
        return _handler(methods, exchange.method)(call)
    refusal = backend.throttle.refusal(exchange)
    if refusal is not None:
        raise refusal
    call.version, words = "".join(words[1:2]), words[2:]
    if call.version in VERSIONS and words[:1] and words[0] in OPEN:
        methods, call.words = _route(OPEN, words)
        return _handler(methods, exchange.method)(call)
    call.user = identify(call)
    methods, call.words = _route(VERSIONS.get(call.version, {}), words)
    return _handler(methods, exchange.method)(call)


def _words(exchange: Exchange) -> Tuple[List[str], bool]:
    """The decoded segments of a path, and whether it ends in a slash; runs of slashes count as one.

    :raises Refusal: 400, a segment is no name: ``.``, ``..``, one with an encoded slash, or not UTF-8.
    """
    path = exchange.target.partition("?")[0]
    try:
        words = [unquote(word, errors="strict") for word in path.split("/") if word]
    except UnicodeDecodeError:
        raise detail(400, "The path is not UTF-8.") from None
    if any(word in (".", "..") or "/" in word or "\0" in word for word in words):
        raise detail(400, "Not a path.")
    return words, path.endswith("/")


def _route(routes: Routes, words: List[str]) -> Tuple[Methods, List[str]]:
    """The functions of the longest route that a path begins with, and the words after it."""
    for count in range(min(len(words), 3), 0, -1):
        methods = routes.get("/".join(words[:count]))
        if methods is not None:
            return methods, words[count:]
    raise detail(404, "Not found.")


def _handler(methods: Methods, method: str) -> Handler:
    handler = methods.get("GET" if method == "HEAD" else method)
    if handler is None:
        text = f'Method "{method}" not allowed.'
        raise Refusal(405, {"detail": text}, {"Allow": ", ".join(methods)})
    return handler
