"""From path to function.

Source: NRP protocol, sections 1, 3, 4 and 5.
"""

from typing import Callable, Dict, List, Tuple
from urllib.parse import quote, unquote

from smartxfer.local.http_messages import Request
from smartxfer.local.nrp import access, discovery, drafts, files, publishing, records, search
from smartxfer.local.nrp import request_actions as actions
from smartxfer.local.nrp.archive import archive
from smartxfer.local.nrp.call import ApiError, Backend, Call, Moved, Response, error_response, framework
from smartxfer.local.nrp.catalogue import users, vocabulary
from smartxfer.local.nrp.communities import communities
from smartxfer.local.nrp.exports import KINDS
from smartxfer.local.nrp.looking import the_draft, the_record
from smartxfer.local.nrp.negotiation import FILES, RECORDS, acceptable, json_only, labelled
from smartxfer.local.nrp.people import GUEST, User
from smartxfer.local.nrp.views import owner_of
from smartxfer.local.nrp.vocabularies import APART
from smartxfer.local.routing import NoRoute, Router

#: Functions by method; they answer a call, about the record of an id where there is one.
Methods = Dict[str, Callable[..., Response]]

_DRAFT = {"GET": drafts.read, "PUT": drafts.replace, "DELETE": drafts.delete, "POST": publishing.edit}
#: What can be done to a record, by its path below the model.
RECORD = Router(
    {
        "/<id>": {"GET": records.read, "DELETE": records.delete},
        "/<id>/draft": _DRAFT,
        "/<id>/draft/actions/publish": {"POST": publishing.publish},
        "/<id>/draft/actions/files-import": {"POST": publishing.import_files},
        "/<id>/draft/actions/submit-review": {"POST": actions.submit},
        "/<id>/draft/review": {"GET": actions.read, "PUT": actions.ask, "DELETE": actions.withdraw},
        "/<id>/versions": {"GET": records.versions, "POST": publishing.new_version},
        "/<id>/versions/latest": {"GET": records.latest},
        "/<id>/draft/pids/doi": {"POST": access.reserve},
        "/<id>/access/grants": {"GET": access.grants},
        "/<id>/requests": {"GET": actions.of_record},
    }
)


def answer(backend: Backend, request: Request) -> Response:
    """Answer one request."""
    # Empty segments are kept.
    call = Call(backend, request, unquote(request.encoded_path).split("/")[1:])
    call.who = _user(call)
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


def _user(call: Call) -> User:
    """The user who makes a call; a guest where there is no token, or one that is not known."""
    scheme = call.header("authorization").partition(" ")[0].lower()
    token = call.request.bearer_token if scheme == "bearer" else call.query.get("access_token", "")
    user = call.backend.people.by_token(token.strip())
    return GUEST if user is None or user.name in call.backend.site.without_scope else user


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
        return actions.answer(call)
    if first == "communities":
        return communities(call)
    if first in ("vocabularies", *APART):
        return vocabulary(call)
    if first == "users":
        return users(call)
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


def _only(call: Call, methods: Methods, kinds: Tuple[str, ...], *about: str) -> Response:
    handler = methods.get(call.method)
    if handler is None:
        raise framework(405)
    kind = call.kind = acceptable(call, kinds, KINDS if kinds is RECORDS else ())
    if call.method in ("POST", "PUT"):
        json_only(call, crate=True)
    return labelled(handler(call, *about), kind)


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
            return archive(call, owner_of(view))
        if rest[count] == "requests" and len(rest) > count + 1:
            return actions.of_workflow(call, id, bool(behind), rest[count + 1 :])
    try:
        methods = RECORD.match("/" + "/".join(words))[0]
    except NoRoute:
        raise framework(404) from None
    return _only(call, methods, RECORDS, id)


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
