"""Requests as the API shows them, and who may do what about them.

Source: NRP protocol, section 4 (publishing through requests).
"""

from typing import Any, Dict, List

from smartxfer.local.nrp import items
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.people import User
from smartxfer.local.nrp.requests import Request

__all__ = ["actions", "curator", "shown", "visible"]

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
