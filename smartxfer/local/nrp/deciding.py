"""What is done about requests: made, submitted, decided, and what follows a consent.

Source: NRP protocol, section 4 (publishing through requests).
"""

import uuid
from typing import Any

from smartxfer.local.nrp import items, publishing, records, requests
from smartxfer.local.nrp.answers import ApiError, denied
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.items import Item
from smartxfer.local.nrp.looking import viewed
from smartxfer.local.nrp.request_views import actions
from smartxfer.local.nrp.requests import Request

__all__ = ["PUBLISHES", "act", "made"]

#: Types of requests that end in a publication.
PUBLISHES = ("community-submission", "publish_draft")
_ENDS = {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}


def made(call: Call, kind: str, item: Item, *, community: str = "") -> Request:
    """Make a request about a record.

    :param kind: its type.
    :param community: id of the community that decides.
    """
    backend = call.backend
    half = item.draft or item.record
    title = "" if half is None else str(half.values["metadata"].get("title", ""))
    stamp = backend.stamp()
    request = Request(
        str(uuid.uuid4()),
        kind,
        "created",
        item.id,
        call.who.id,
        stamp,
        stamp,
        community=community,
        title=title,
    )
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
            raise ApiError(404, "The persistent identifier does not exist.")
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
            raise ApiError(404, "The persistent identifier does not exist.")
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
