"""From path to function.

Source: NRP protocol, sections 1, 3, 4 and 5.
"""

from typing import Callable, Dict, List, Tuple
from urllib.parse import quote, unquote

from smartxfer.local.http_messages import Request, Response
from smartxfer.local.nrp import (
    access,
    catalogue,
    communities,
    discovery,
    drafts,
    exports,
    files,
    publishing,
    records,
    reviews,
    search,
    workflows,
)
from smartxfer.local.nrp.answers import ApiError, Moved, error_response, framework
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.identify import identify
from smartxfer.local.nrp.looking import the_draft, the_record
from smartxfer.local.nrp.negotiation import FILES, RECORDS, acceptable, json_only, labelled
from smartxfer.local.nrp.views import owner_of
from smartxfer.local.nrp.vocabularies import APART

__all__ = ["answer"]

#: A function that answers a call about the record of an id.
Handler = Callable[[Call, str], Response]
Methods = Dict[str, Handler]

#: What can be done to a record, by the path behind its id.
OF_RECORD: Dict[Tuple[str, ...], Methods] = {
    (): {"GET": records.read, "DELETE": records.delete},
    ("draft",): {
        "GET": drafts.read,
        "PUT": drafts.replace,
        "DELETE": drafts.delete,
        "POST": publishing.edit,
    },
    ("draft", "actions", "publish"): {"POST": publishing.publish},
    ("draft", "actions", "files-import"): {"POST": publishing.import_files},
    ("draft", "actions", "submit-review"): {"POST": reviews.submit},
    ("draft", "review"): {"GET": reviews.read, "PUT": reviews.ask, "DELETE": reviews.withdraw},
    ("versions",): {"GET": records.versions, "POST": publishing.new_version},
    ("versions", "latest"): {"GET": records.latest},
    ("draft", "pids", "doi"): {"POST": access.reserve},
    ("access", "grants"): {"GET": access.grants},
    ("requests",): {"GET": reviews.of_record},
}


def answer(backend: Backend, request: Request) -> Response:
    """Answer one request."""
    call = Call(backend, request, _words(request))
    call.who = identify(call)
    try:
        headers = backend.limits.take(backend.site, call.user, backend.now())
    except ApiError as refusal:
        return error_response(refusal)
    try:
        found = _dispatch(call)
    except ApiError as refusal:
        found = error_response(refusal)
        if refusal.unrouted:
            return found
    if call.user:
        found.headers.append(("X-User-ID", call.who.id))
    if call.request.path.startswith("/api"):
        found.headers += headers
    return found


def _words(request: Request) -> List[str]:
    """The decoded segments of a path, empty ones included."""
    return unquote(request.target.partition("?")[0]).split("/")[1:]


def _dispatch(call: Call) -> Response:
    if call.words[0] != "api":
        return discovery.answer(call)
    words = call.words = call.words[1:]
    _lines(call)
    first = words[0] if words else ""
    if first in call.backend.site.models:
        call.model = first
        return _records(call, words[1:])
    if first == "user" and len(words) == 2 and words[1] in call.backend.site.models:
        call.model = words[1]
        return _only(call, {"GET": search.user_records}, RECORDS)
    if first == "requests":
        return reviews.answer(call)
    if first == "communities":
        return communities.answer(call)
    if first in ("vocabularies", *APART):
        return catalogue.vocabulary(call)
    if first == "users":
        return catalogue.users(call)
    raise framework(404)


def _lines(call: Call) -> None:
    """Refuse a path that no route has, or that a route has only with fewer slashes.

    :raises ApiError: 404, a line break in it; 308, to the address without empty segments.
    """
    words = call.words
    if not call.backend.site.any_key and any("\n" in word for word in words):
        raise framework(404)
    if words[:1] == [""] and len(words) > 1:
        words[:] = words[1:]  # Below the API itself they do not matter.
    if words[:1] and words[0] in call.backend.site.models:
        at = next((place for place, word in enumerate(words) if place > 1 and word == "files"), len(words))
        # A key may have them, but not at its start; the last one is a route's own matter.
        plain, key = words[: at + 1], words[at + 1 :]
        if "" in plain[1:-1] or (key[:1] == [""] and len(key) > 1):
            while key[:1] == [""]:
                del key[0]
            path = "/".join([word for word in plain if word] + key)
            query = "?" + call.request.query if call.request.query else ""
            raise Moved(f"{call.backend.api}/{quote(path, safe='/:@!$&()*+,;=~')}{query}")


def _only(call: Call, methods: Dict[str, Callable[[Call], Response]], kinds: Tuple[str, ...]) -> Response:
    handler = methods.get(call.method)
    if handler is None:
        raise framework(405)
    kind = call.kind = acceptable(call, kinds, exports.KINDS if kinds is RECORDS else ())
    if call.method in ("POST", "PUT"):
        json_only(call, crate=True)
    return labelled(handler(call), kind)


def _records(call: Call, words: List[str]) -> Response:
    if not words:
        return _only(call, {"GET": search.published, "POST": drafts.create}, RECORDS)
    id, rest = words[0], words[1:]
    if rest[:2] == ["access", "links"]:
        return access.links(call, id, rest[2:])
    if rest == ["access", "request"]:
        return access.request(call, id)
    for behind in (["draft"], []):
        count = len(behind)
        if rest[:count] != behind or len(rest) == count:
            continue
        if rest[count] == "files":
            return _files(call, id, bool(behind), rest[count + 1 :])
        if rest[count:] == ["files-archive"]:
            call.only("GET")
            view = the_draft(call, id) if behind else the_record(call, id)
            return files.archive(call, owner_of(view))
        if rest[count] == "requests" and len(rest) > count + 1:
            return workflows.answer(call, id, bool(behind), rest[count + 1 :])
    methods = OF_RECORD.get(tuple(rest)) if id else None
    if methods is None:
        raise framework(404)
    return _only(call, {name: _bound(handler, id) for name, handler in methods.items()}, RECORDS)


def _bound(handler: Handler, id: str) -> Callable[[Call], Response]:
    return lambda call: handler(call, id)


def _files(call: Call, id: str, draft: bool, words: List[str]) -> Response:
    if not draft and call.method != "GET":
        # Nothing is published at this address that could be written to, whatever the id.
        raise framework(405)
    content = "content" in words[1:]
    kind = FILES[0]
    if not (content and call.method == "GET"):
        kind = acceptable(call, FILES)
        if call.method in ("POST", "PUT") and not content and words[-1:] != ["commit"]:
            json_only(call)
    view = the_draft(call, id) if draft else the_record(call, id)
    return labelled(files.answer(call, owner_of(view), words), kind)
