"""Requests: made, submitted, decided; reviews by communities; what workflows let one ask for.

Source: NRP protocol, sections 3 (trailing slash) and 4 (publishing through requests, review, OARepo).
"""

import uuid
from typing import Any, Callable, Dict, List, Tuple

from smartxfer.local.nrp import items, publishing, records, requests
from smartxfer.local.nrp.call import ApiError, Backend, Call, Moved, Response, denied, framework, invalid
from smartxfer.local.nrp.communities import community
from smartxfer.local.nrp.drafts import document
from smartxfer.local.nrp.items import Item
from smartxfer.local.nrp.looking import NOT_KNOWN, the_draft, the_item, the_record, viewed
from smartxfer.local.nrp.people import User
from smartxfer.local.nrp.requests import Request
from smartxfer.local.nrp.search import page
from smartxfer.local.nrp.views import Shown

_CLOSED = ("accepted", "declined", "cancelled")


def curator(backend: Backend, who: User) -> bool:
    """Whether somebody decides on requests: the superuser, and the first user."""
    return who.superuser or (bool(who.id) and who.id == backend.people.first.id)


def visible(backend: Backend, request: Request, who: User) -> bool:
    """Whether somebody sees a request: who made it, and who decides."""
    return curator(backend, who) or (bool(who.id) and who.id == request.creator)


def actions(backend: Backend, request: Request, who: User) -> List[str]:
    """What somebody can do about a request."""
    mine = who.superuser or who.id == request.creator
    if request.status == "created":
        return ["submit"] if mine else []
    if request.status != "submitted":
        return []
    return (
        (["accept"] if curator(backend, who) else [])
        + (["cancel"] if mine else [])
        + (["decline"] if curator(backend, who) else [])
    )


def shown(backend: Backend, request: Request, who: User) -> Dict[str, Any]:
    """A request."""
    place = f"{backend.api}/requests/{request.id}"
    found: Dict[str, Any] = {
        "id": request.id,
        "created": request.created,
        "updated": request.updated,
        "links": {
            "actions": {name: f"{place}/actions/{name}" for name in actions(backend, request, who)},
            "self": place,
            "self_html": f"{backend.url}/requests/{request.id}",
            "topic": _topic(backend, request),
        },
        "revision_id": request.revision,
        "type": request.type,
        "title": request.title,
        "description": "",
        "number": str(request.number),
        "status": request.status,
        "is_closed": request.status in _CLOSED,
        "is_open": request.open,
        "expires_at": None,
        "is_expired": False,
        "created_by": {"user": request.creator},
        "receiver": {"community": request.community} if request.community else {"group": "curators"},
        "topic": {"record": request.topic},
    }
    if request.payload is not None:
        found["payload"] = request.payload
    return found


def _topic(backend: Backend, request: Request) -> Dict[str, str]:
    item = items.find(backend.database, request.topic)
    if item is None or item.deleted is not None:
        return {}
    place = f"{backend.api}/{item.model}/{item.id}"
    if item.draft is not None:
        return {"self": f"{place}/draft", "self_html": f"{backend.url}/uploads/{item.id}"}
    return {"self": place, "self_html": f"{backend.url}/{item.model}/{item.id}"}


#: Types of requests that end in a publication.
PUBLISHES = ("community-submission", "publish_draft")
_ENDS = {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}
_OF_DRAFTS = ("publish_draft",)
_OF_RECORDS = ("edit_published_record", "new_version", "delete_published_record")


def _shower(call: Call) -> Callable[[Request], Dict[str, Any]]:
    return lambda request: shown(call.backend, request, call.who)


def _shown(call: Call, request: Request, status: int = 200) -> Response:
    return call.json(shown(call.backend, request, call.who), status)


def _made(call: Call, kind: str, item: Item, *, community: str = "") -> Request:
    """Make a request about a record.

    :param kind: its type.
    :param community: id of the community that decides.
    """
    backend = call.backend
    half = item.draft or item.record
    title = "" if half is None else str(half.values["metadata"].get("title", ""))
    stamp = backend.stamp()
    made_by, id = call.who.id, str(uuid.uuid4())
    request = Request(id, kind, "created", item.id, made_by, stamp, stamp, community=community, title=title)
    requests.add(backend.database, request)
    return request


def act(call: Call, request: Request, name: str, payload: Any = None) -> None:
    """Do something about a request.

    :param name: submit, accept, decline or cancel.
    :param payload: what is said with it.
    :raises ApiError: 403, it is not the caller's to do; 400, the request is past it, or the draft is not
        complete.
    """
    backend = call.backend
    with backend.database.transaction():
        if name not in ("submit", *_ENDS):
            raise ApiError(404, f"Action {name} is not available for this request.")
        if request.status not in (("created",) if name == "submit" else ("submitted",)):
            raise ApiError(400, f"Could not execute the action {name} as the request is {request.status}.")
        if name not in actions(backend, request, call.who):
            raise denied()
        item = items.find(backend.database, request.topic)
        if item is None or item.deleted is not None:
            raise ApiError(404, NOT_KNOWN)
        if name == "submit":
            request.payload = payload
            _complete(call, request, item)
            request.status = "submitted"
        if name != "submit" or backend.site.auto_approve:
            _end(call, request, item, _ENDS.get(name, "accepted"))
        request.updated = backend.stamp()
        requests.save(backend.database, request)


def _complete(call: Call, request: Request, item: Item) -> None:
    if request.type in PUBLISHES:
        if item.draft is None:
            raise ApiError(404, NOT_KNOWN)
        publishing.publishable(viewed(call, item, True))


def _end(call: Call, request: Request, item: Item, status: str) -> None:
    if status == "accepted":
        _complete(call, request, item)
    request.status = status
    parent = items.parent_of(call.backend.database, item.parent)
    if parent is not None and parent.review == request.id:
        parent.review = ""
        if status == "accepted" and request.community not in parent.communities:
            parent.communities.append(request.community)
        items.save_parent(call.backend.database, parent)
    if status == "accepted":
        _follow(call.backend, request, item)


def _follow(backend: Backend, request: Request, item: Item) -> None:
    """Do what was asked for."""
    if request.type in PUBLISHES:
        publishing.published(backend, item)
    elif request.type == "edit_published_record":
        publishing.edited(backend, item)
    elif request.type == "new_version":
        # The request leads on to the draft that it made.
        request.topic = publishing.next_version(backend, item).id
    elif request.type == "delete_published_record":
        records.retract(backend, item, request.payload)


def _mine(call: Call, id: str) -> Shown:
    view = the_draft(call, id)
    if not view.mine:
        raise denied()
    return view


def _review(call: Call, view: Shown) -> Request:
    """The review of a draft.

    :raises ApiError: 404, there is none.
    """
    request = requests.find(call.backend.database, view.parent.review) if view.parent.review else None
    if request is None:
        raise ApiError(404, "Review not found.")
    return request


def read(call: Call, id: str) -> Response:
    """Show the review of a draft."""
    return _shown(call, _review(call, _mine(call, id)))


def ask(call: Call, id: str) -> Response:
    """Name the community that is to review a draft; one that was named before, and not asked, is replaced."""
    backend, body = call.backend, document(call)
    receiver = body.get("receiver")
    named = receiver.get("community") if isinstance(receiver, dict) else None
    if body.get("type") != "community-submission":
        raise invalid("type", "Invalid review type.")
    found = community(backend, named) if isinstance(named, str) else None
    if found is None:
        raise invalid("receiver", "The entity does not exist.")
    with backend.database.transaction():
        view = _mine(call, id)
        if view.item.record is not None:
            raise ApiError(400, "You cannot create a review for an already published record.")
        former = requests.find(backend.database, view.parent.review) if view.parent.review else None
        if former is not None:
            if former.open:
                raise ApiError(400, "You cannot update a review which has already been submitted.")
            requests.remove(backend.database, former.id)
        request = _made(call, "community-submission", view.item, community=found)
        view.parent.review = request.id
        items.save_parent(backend.database, view.parent)
        return _shown(call, request)


def withdraw(call: Call, id: str) -> Response:
    """Take back the community's name before the review is asked for."""
    backend = call.backend
    with backend.database.transaction():
        view = _mine(call, id)
        request = _review(call, view)
        if request.open:
            raise ApiError(400, "You cannot delete a review which has already been submitted.")
        requests.remove(backend.database, request.id)
        view.parent.review = ""
        items.save_parent(backend.database, view.parent)
    return call.empty(204)


def submit(call: Call, id: str) -> Response:
    """Ask for the review of a draft."""
    body = document(call)
    request = _review(call, _mine(call, id))
    act(call, request, "submit", body.get("payload"))
    return _shown(call, request, 202)


def of_record(call: Call, id: str) -> Response:
    """The requests about a record, newest first."""
    item = the_item(call, id)
    if not viewed(call, item, item.draft is not None).mine:
        raise denied()
    found = [one for one in requests.all_of(call.backend.database) if one.topic == id]
    place = f"{call.backend.api}/{call.model}/{id}/requests"
    return page(call, place, found[::-1], "newest", show=_shower(call))


def answer(call: Call) -> Response:
    """Answer a call below ``requests``: the list, one request, or an action on it."""
    backend, words = call.backend, call.words[1:]
    if not words:
        query = call.request.query
        place = f"{backend.api}/requests/" + (f"?{query}" if query else "")
        raise Moved(place)
    if not call.user:
        raise denied()
    if words == [""]:
        call.only("GET")
        found = [one for one in requests.all_of(backend.database) if visible(backend, one, call.who)]
        return page(call, f"{backend.api}/requests/", found[::-1], "newest", show=_shower(call))
    request = requests.find(backend.database, words[0])
    if request is None:
        raise ApiError(404, NOT_KNOWN)
    if not visible(backend, request, call.who):
        raise denied()
    if len(words) == 1:
        call.only("GET")
        return _shown(call, request)
    if len(words) != 3 or words[1] != "actions":
        raise framework(404)
    call.only("POST")
    act(call, request, words[2], document(call).get("payload"))
    return _shown(call, request)


def of_workflow(call: Call, id: str, draft: bool, words: List[str]) -> Response:
    """Answer a call below the requests of a draft or record: ``applicable``, or the type to make one of.

    :param draft: whether it is about the draft.
    :param words: segments behind ``requests``.
    """
    if call.backend.site.review != "workflow" or len(words) != 1:
        raise framework(404)
    view, kinds, place = _about(call, id, draft)
    if not view.mine:
        raise denied()
    if words == ["applicable"]:
        call.only("GET")
        create = {kind: {"create": f"{place}/requests/{kind}"} for kind in kinds}
        hits = [{"type_id": kind, "links": {"actions": create[kind]}} for kind in kinds]
        links = {"self": f"{place}/requests/applicable"}
        return call.json({"hits": {"hits": hits, "total": len(hits)}, "links": links})
    call.only("POST")
    if words[0] not in kinds:
        raise ApiError(404, f"Request type {words[0]} is not applicable.")
    backend = call.backend
    with backend.database.transaction():
        for other in requests.all_of(backend.database):
            if other.topic == id and other.type == words[0] and other.open:
                # Assumption: the wording.
                raise ApiError(400, f"There is already an open request of {words[0]} on {id}.")
        return _shown(call, _made(call, words[0], view.item), 201)


def _about(call: Call, id: str, draft: bool) -> Tuple[Shown, Tuple[str, ...], str]:
    place = f"{call.backend.api}/{call.model}/{id}"
    if draft:
        return the_draft(call, id), _OF_DRAFTS, f"{place}/draft"
    return the_record(call, id), _OF_RECORDS, place
