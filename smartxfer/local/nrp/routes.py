"""Routes of the API.

Source: NRP protocol, sections 1, 3, 4 and 5.
"""

from typing import Callable, Dict, List, Tuple
from urllib.parse import quote, unquote

from smartxfer.local.http_messages import Request
from smartxfer.local.nrp import access, discovery, drafts, files, publication, records, search
from smartxfer.local.nrp import request_actions as actions
from smartxfer.local.nrp.archive import archive
from smartxfer.local.nrp.call import (
    ApiError,
    Backend,
    Call,
    Redirected,
    Response,
    error_response,
    framework_error,
)
from smartxfer.local.nrp.catalogue import users, vocabulary
from smartxfer.local.nrp.communities import communities
from smartxfer.local.nrp.exports import KINDS
from smartxfer.local.nrp.negotiation import FILES, RECORDS, acceptable, json_only, with_content_type
from smartxfer.local.nrp.record_lookup import require_draft, require_published
from smartxfer.local.nrp.record_serializers import file_owner
from smartxfer.local.nrp.users import GUEST, User
from smartxfer.local.nrp.vocabularies import APART
from smartxfer.local.routing import NoRoute, Router

#: Functions by method, called with the call and the id in the path, if any.
Methods = Dict[str, Callable[..., Response]]

_DRAFT = {"GET": drafts.read, "PUT": drafts.replace, "DELETE": drafts.delete, "POST": publication.edit}
#: Functions for a record, by path below the model.
RECORD = Router(
    {
        "/<id>": {"GET": records.read, "DELETE": records.delete},
        "/<id>/draft": _DRAFT,
        "/<id>/draft/actions/publish": {"POST": publication.publish},
        "/<id>/draft/actions/files-import": {"POST": publication.import_files},
        "/<id>/draft/actions/submit-review": {"POST": actions.submit},
        "/<id>/draft/review": {"GET": actions.read, "PUT": actions.create, "DELETE": actions.withdraw},
        "/<id>/versions": {"GET": records.versions, "POST": publication.new_version},
        "/<id>/versions/latest": {"GET": records.latest},
        "/<id>/draft/pids/doi": {"POST": access.reserve},
        "/<id>/access/grants": {"GET": access.grants},
        "/<id>/requests": {"GET": actions.of_record},
    }
)


def handle(backend: Backend, request: Request) -> Response:
    """Handle one request."""
    # Empty segments are kept.
    call = Call(backend, request, unquote(request.encoded_path).split("/")[1:])
    call.caller = _user(call)
    try:
        headers = backend.limits.take(backend.site, call.user, backend.now())
    except ApiError as refusal:
        return error_response(refusal)
    try:
        response = _dispatch(call)
    except ApiError as refusal:
        response = error_response(refusal)
        if refusal.is_unrouted:
            return response
    if call.user:
        response.headers.append(("X-User-ID", call.caller.id))
    if call.request.path.startswith("/api"):
        response.headers += headers
    return response


def _user(call: Call) -> User:
    """Return the calling user; a guest without a known token."""
    scheme = call.header("authorization").partition(" ")[0].lower()
    token = call.request.bearer_token if scheme == "bearer" else call.query.get("access_token", "")
    user = call.backend.users.by_token(token.strip())
    return GUEST if user is None or user.name in call.backend.site.without_scope else user


def _dispatch(call: Call) -> Response:
    if call.segments[0] != "api":
        return discovery.handle(call)
    segments = call.segments = call.segments[1:]
    _split_lines(call)
    first = segments[0] if segments else ""
    if first in call.backend.site.models:
        call.model = first
        return _records(call, segments[1:])
    if first == "user" and len(segments) == 2 and segments[1] in call.backend.site.models:
        call.model = segments[1]
        return _require_method(call, {"GET": search.user_records}, RECORDS)
    if first == "requests":
        return actions.handle(call)
    if first == "communities":
        return communities(call)
    if first in ("vocabularies", *APART):
        return vocabulary(call)
    if first == "users":
        return users(call)
    raise framework_error(404)


def _split_lines(call: Call) -> None:
    """Reject a path that no route matches, or only with fewer slashes.

    :raises ApiError: 404, line break in the path; 308, to the URL without empty segments.
    """
    segments = call.segments
    if not call.backend.site.any_key and any("\n" in word for word in segments):
        raise framework_error(404)
    if segments[:1] == [""] and len(segments) > 1:
        segments[:] = segments[1:]  # Directly below the API they have no effect.
    if segments[:1] and segments[0] in call.backend.site.models:
        position = next(
            (url for url, word in enumerate(segments) if url > 1 and word == "files"), len(segments)
        )
        # A key may contain them, but not at its start; routes handle a trailing one themselves.
        plain, key = segments[: position + 1], segments[position + 1 :]
        if "" in plain[1:-1] or (key[:1] == [""] and len(key) > 1):
            while key[:1] == [""]:
                del key[0]
            path = "/".join([word for word in plain if word] + key)
            query = "?" + call.request.query if call.request.query else ""
            raise Redirected(f"{call.backend.api}/{quote(path, safe='/:@!$&()*+,;=~')}{query}")


def _require_method(call: Call, methods: Methods, kinds: Tuple[str, ...], *about: str) -> Response:
    handler = methods.get(call.method)
    if handler is None:
        raise framework_error(405)
    kind = call.kind = acceptable(call, kinds, KINDS if kinds is RECORDS else ())
    if call.method in ("POST", "PUT"):
        json_only(call, crate=True)
    return with_content_type(handler(call, *about), kind)


def _records(call: Call, segments: List[str]) -> Response:
    if not segments:
        return _require_method(call, {"GET": search.published, "POST": drafts.create}, RECORDS)
    id, rest = segments[0], segments[1:]
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
            call.require_method("GET")
            view = require_draft(call, id) if behind else require_published(call, id)
            return archive(call, file_owner(view))
        if rest[count] == "requests" and len(rest) > count + 1:
            return actions.of_workflow(call, id, bool(behind), rest[count + 1 :])
    try:
        methods = RECORD.match("/" + "/".join(segments))[0]
    except NoRoute:
        raise framework_error(404) from None
    return _require_method(call, methods, RECORDS, id)


def _files(call: Call, id: str, draft: bool, segments: List[str]) -> Response:
    if not draft and call.method != "GET":
        # Published records are not writable at this URL, independent of the id.
        raise framework_error(405)
    content = "content" in segments[1:]
    kind = FILES[0]
    if not (content and call.method == "GET"):
        kind = acceptable(call, FILES)
        if call.method in ("POST", "PUT") and not content and segments[-1:] != ["commit"]:
            json_only(call)
    view = require_draft(call, id) if draft else require_published(call, id)
    return with_content_type(files.handle(call, file_owner(view), segments), kind)
