"""Requests: create, submit and decide; reviews by communities; requests of workflows.

Source: NRP protocol, sections 3 (trailing slash) and 4 (publishing through requests, review, OARepo).
"""

import uuid
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.nrp import publication, record_store, records, requests
from smartxfer.local.nrp.call import (
    ApiError,
    Backend,
    Call,
    Redirected,
    Response,
    framework_error,
    invalid_field,
    permission_denied,
)
from smartxfer.local.nrp.communities import find_community
from smartxfer.local.nrp.drafts import parse_document
from smartxfer.local.nrp.record_lookup import (
    NOT_KNOWN,
    require_draft,
    require_published,
    require_record,
    view_of,
)
from smartxfer.local.nrp.record_serializers import RecordView
from smartxfer.local.nrp.record_store import StoredRecord
from smartxfer.local.nrp.requests import Request
from smartxfer.local.nrp.search import page
from smartxfer.local.nrp.users import User

_CLOSED = ("accepted", "declined", "cancelled")


def curator(backend: Backend, user: User) -> bool:
    """Return True if a user decides on requests: the superuser and the first user."""
    return user.superuser or (bool(user.id) and user.id == backend.users.first.id)


def visible(backend: Backend, request: Request, user: User) -> bool:
    """Return True if a user sees a request: its creator and the curators."""
    return curator(backend, user) or (bool(user.id) and user.id == request.creator)


def actions(backend: Backend, request: Request, user: User) -> List[str]:
    """Return the actions of a user on a request."""
    is_creator = user.superuser or user.id == request.creator
    if request.status == "created":
        return ["submit"] if is_creator else []
    if request.status != "submitted":
        return []
    return (
        (["accept"] if curator(backend, user) else [])
        + (["cancel"] if is_creator else [])
        + (["decline"] if curator(backend, user) else [])
    )


def serialize(backend: Backend, request: Request, user: User) -> Dict[str, Any]:
    """Return a request as the API shows it."""
    url = f"{backend.api}/requests/{request.id}"
    body: Dict[str, Any] = {
        "id": request.id,
        "created": request.created,
        "updated": request.updated,
        "links": {
            "actions": {name: f"{url}/actions/{name}" for name in actions(backend, request, user)},
            "self": url, "self_html": f"{backend.url}/requests/{request.id}",
            "topic": _topic(backend, request),
        },
        "revision_id": request.revision,
        "type": request.type,
        "title": request.title,
        "description": "",
        "number": str(request.number),
        "status": request.status,
        "is_closed": request.status in _CLOSED,
        "is_open": request.is_open,
        "expires_at": None,
        "is_expired": False,
        "created_by": {"user": request.creator},
        "receiver": {"community": request.community} if request.community else {"group": "curators"},
        "topic": {"record": request.topic},
    }
    if request.payload is not None:
        body["payload"] = request.payload
    return body


def _topic(backend: Backend, request: Request) -> Dict[str, str]:
    record = record_store.find(backend.database, request.topic)
    if record is None or record.deleted is not None:
        return {}
    url = f"{backend.api}/{record.model}/{record.id}"
    if record.draft is not None:
        return {"self": f"{url}/draft", "self_html": f"{backend.url}/uploads/{record.id}"}
    return {"self": url, "self_html": f"{backend.url}/{record.model}/{record.id}"}


#: Types of requests that publish a record.
PUBLISHES = ("community-submission", "publish_draft")
_ENDS = {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}
_OF_DRAFTS = ("publish_draft",)
_OF_RECORDS = ("edit_published_record", "new_version", "delete_published_record")


def _serializer(call: Call) -> Callable[[Request], Dict[str, Any]]:
    return lambda request: serialize(call.backend, request, call.caller)


def _request_response(call: Call, request: Request, status: int = 200) -> Response:
    return call.json(serialize(call.backend, request, call.caller), status)


def _create(call: Call, kind: str, record: StoredRecord, *, community: str = "") -> Request:
    """Create a request about a record.

    :param kind: its type.
    :param community: id of the community that decides.
    """
    backend = call.backend
    state = record.draft or record.record
    title = "" if state is None else str(state.values["metadata"].get("title", ""))
    stamp = backend.stamp()
    made_by, id = call.caller.id, str(uuid.uuid4())
    request = Request(id, kind, "created", record.id, made_by, stamp, stamp, community=community, title=title)
    requests.add(backend.database, request)
    return request


def act(call: Call, request: Request, name: str, payload: Any = None) -> None:
    """Execute an action on a request.

    :param name: submit, accept, decline or cancel.
    :param payload: payload of the action.
    :raises ApiError: 403, the caller cannot do this; 400, the request is closed, or the draft is not
        complete.
    """
    backend = call.backend
    with backend.database.transaction():
        if name not in ("submit", *_ENDS):
            raise ApiError(404, f"Action {name} is not available for this request.")
        if request.status not in (("created",) if name == "submit" else ("submitted",)):
            raise ApiError(400, f"Could not execute the action {name} as the request is {request.status}.")
        if name not in actions(backend, request, call.caller):
            raise permission_denied()
        record = record_store.find(backend.database, request.topic)
        if record is None or record.deleted is not None:
            raise ApiError(404, NOT_KNOWN)
        if name == "submit":
            request.payload = payload
            _complete(call, request, record)
            request.status = "submitted"
        if name != "submit" or backend.site.auto_approve:
            _end(call, request, record, _ENDS.get(name, "accepted"))
        request.updated = backend.stamp()
        requests.save(backend.database, request)


def _complete(call: Call, request: Request, record: StoredRecord) -> None:
    if request.type in PUBLISHES:
        if record.draft is None:
            raise ApiError(404, NOT_KNOWN)
        publication.publishable(view_of(call, record, True))


def _end(call: Call, request: Request, record: StoredRecord, status: str) -> None:
    if status == "accepted":
        _complete(call, request, record)
    request.status = status
    parent = record_store.parent_of(call.backend.database, record.parent)
    if parent is not None and parent.review == request.id:
        parent.review = ""
        if status == "accepted" and request.community not in parent.communities:
            parent.communities.append(request.community)
        record_store.save_parent(call.backend.database, parent)
    if status == "accepted":
        _follow(call.backend, request, record)


def _follow(backend: Backend, request: Request, record: StoredRecord) -> None:
    """Execute an accepted request."""
    if request.type in PUBLISHES:
        publication.publish_draft(backend, record)
    elif request.type == "edit_published_record":
        publication.edit_record(backend, record)
    elif request.type == "new_version":
        # The request refers to the draft that it created.
        request.topic = publication.next_version(backend, record).id
    elif request.type == "delete_published_record":
        records.retract(backend, record, request.payload)


def _own_request(call: Call, id: str) -> RecordView:
    view = require_draft(call, id)
    if not view.is_owner:
        raise permission_denied()
    return view


def _review(call: Call, view: RecordView) -> Request:
    """Return the review of a draft.

    :raises ApiError: 404, it does not exist.
    """
    request = requests.find(call.backend.database, view.parent.review) if view.parent.review else None
    if request is None:
        raise ApiError(404, "Review not found.")
    return request


def read(call: Call, id: str) -> Response:
    """Return the review of a draft as the API shows it."""
    return _request_response(call, _review(call, _own_request(call, id)))


def create(call: Call, id: str) -> Response:
    """Set the community that reviews a draft, unless a review was submitted."""
    backend, body = call.backend, parse_document(call)
    receiver = body.get("receiver")
    named = receiver.get("community") if isinstance(receiver, dict) else None
    if body.get("type") != "community-submission":
        raise invalid_field("type", "Invalid review type.")
    community = find_community(backend, named) if isinstance(named, str) else None
    if community is None:
        raise invalid_field("receiver", "The entity does not exist.")
    with backend.database.transaction():
        view = _own_request(call, id)
        if view.item.record is not None:
            raise ApiError(400, "You cannot create a review for an already published record.")
        former = requests.find(backend.database, view.parent.review) if view.parent.review else None
        if former is not None:
            if former.is_open:
                raise ApiError(400, "You cannot update a review which has already been submitted.")
            requests.remove(backend.database, former.id)
        request = _create(call, "community-submission", view.item, community=community)
        view.parent.review = request.id
        record_store.save_parent(backend.database, view.parent)
        return _request_response(call, request)


def withdraw(call: Call, id: str) -> Response:
    """Delete a review that was not submitted."""
    backend = call.backend
    with backend.database.transaction():
        view = _own_request(call, id)
        request = _review(call, view)
        if request.is_open:
            raise ApiError(400, "You cannot delete a review which has already been submitted.")
        requests.remove(backend.database, request.id)
        view.parent.review = ""
        record_store.save_parent(backend.database, view.parent)
    return call.empty(204)


def submit(call: Call, id: str) -> Response:
    """Submit the review of a draft."""
    body = parse_document(call)
    request = _review(call, _own_request(call, id))
    act(call, request, "submit", body.get("payload"))
    return _request_response(call, request, 202)


def of_record(call: Call, id: str) -> Response:
    """Return the requests about a record, newest first."""
    record = require_record(call, id)
    if not view_of(call, record, record.draft is not None).is_owner:
        raise permission_denied()
    matching = [request for request in requests.all_of(call.backend.database) if request.topic == id]
    url = f"{call.backend.api}/{call.model}/{id}/requests"
    return page(call, url, matching[::-1], "newest", show=_serializer(call))


def handle(call: Call) -> Response:
    """Handle a call below ``requests``: the list, one request, or an action on it."""
    backend, segments = call.backend, call.segments[1:]
    if not segments:
        query = call.request.query
        url = f"{backend.api}/requests/" + (f"?{query}" if query else "")
        raise Redirected(url)
    if not call.user:
        raise permission_denied()
    if segments == [""]:
        call.require_method("GET")
        matching = [item for item in requests.all_of(backend.database) if visible(backend, item, call.caller)]
        return page(call, f"{backend.api}/requests/", matching[::-1], "newest", show=_serializer(call))
    request = requests.find(backend.database, segments[0])
    if request is None:
        raise ApiError(404, NOT_KNOWN)
    if not visible(backend, request, call.caller):
        raise permission_denied()
    if len(segments) == 1:
        call.require_method("GET")
        return _request_response(call, request)
    if len(segments) != 3 or segments[1] != "actions":
        raise framework_error(404)
    call.require_method("POST")
    act(call, request, segments[2], parse_document(call).get("payload"))
    return _request_response(call, request)


def of_workflow(call: Call, id: str, draft: bool, segments: List[str]) -> Response:
    """Handle a call below the requests of a draft or record: ``applicable``, or the type to create.

    :param draft: the call is about the draft.
    :param segments: segments after ``requests``.
    """
    if call.backend.site.review != "workflow" or len(segments) != 1:
        raise framework_error(404)
    view, kinds, url = _about(call, id, draft)
    if not view.is_owner:
        raise permission_denied()
    if segments == ["applicable"]:
        call.require_method("GET")
        create = {kind: {"create": f"{url}/requests/{kind}"} for kind in kinds}
        hits = [{"type_id": kind, "links": {"actions": create[kind]}} for kind in kinds]
        links = {"self": f"{url}/requests/applicable"}
        return call.json({"hits": {"hits": hits, "total": len(hits)}, "links": links})
    call.require_method("POST")
    if segments[0] not in kinds:
        raise ApiError(404, f"Request type {segments[0]} is not applicable.")
    backend = call.backend
    with backend.database.transaction():
        for other in requests.all_of(backend.database):
            if other.topic == id and other.type == segments[0] and other.is_open:
                # Assumption: this message.
                raise ApiError(400, f"There is already an open request of {segments[0]} on {id}.")
        return _request_response(call, _create(call, segments[0], view.item), 201)


def _about(call: Call, id: str, draft: bool) -> Tuple[RecordView, Tuple[str, ...], str]:
    url = f"{call.backend.api}/{call.model}/{id}"
    if draft:
        return require_draft(call, id), _OF_DRAFTS, f"{url}/draft"
    return require_published(call, id), _OF_RECORDS, url
