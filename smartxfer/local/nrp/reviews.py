"""Review of a draft by a community, and the requests themselves.

Source: NRP protocol, sections 3 (trailing slash) and 4 (community review).
"""

from smartxfer.local.http_messages import Response
from smartxfer.local.nrp import items, requests
from smartxfer.local.nrp.answers import ApiError, Moved, denied, framework, invalid
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.communities import community
from smartxfer.local.nrp.deciding import act, made
from smartxfer.local.nrp.drafts import document
from smartxfer.local.nrp.looking import the_draft, the_item, viewed
from smartxfer.local.nrp.request_views import shown, visible
from smartxfer.local.nrp.requests import Request
from smartxfer.local.nrp.search import page
from smartxfer.local.nrp.views import Shown

__all__ = ["answer", "ask", "of_record", "read", "submit", "withdraw"]


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
    return call.json(shown(call.backend, _review(call, _mine(call, id)), call.who))


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
        request = made(call, "community-submission", view.item, community=found)
        view.parent.review = request.id
        items.save_parent(backend.database, view.parent)
        return call.json(shown(backend, request, call.who))


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
    return call.json(shown(call.backend, request, call.who), 202)


def of_record(call: Call, id: str) -> Response:
    """The requests about a record, newest first."""
    item = the_item(call, id)
    if not viewed(call, item, item.draft is not None).mine:
        raise denied()
    found = [one for one in requests.all_of(call.backend.database) if one.topic == id]
    place = f"{call.backend.api}/{call.model}/{id}/requests"
    return page(call, place, found[::-1], "newest", show=lambda one: shown(call.backend, one, call.who))


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
        return page(
            call,
            f"{backend.api}/requests/",
            found[::-1],
            "newest",
            show=lambda one: shown(backend, one, call.who),
        )
    request = requests.find(backend.database, words[0])
    if request is None:
        raise ApiError(404, "The persistent identifier does not exist.")
    if not visible(backend, request, call.who):
        raise denied()
    if len(words) == 1:
        call.only("GET")
        return call.json(shown(backend, request, call.who))
    if len(words) != 3 or words[1] != "actions":
        raise framework(404)
    call.only("POST")
    act(call, request, words[2], document(call).get("payload"))
    return call.json(shown(backend, request, call.who))
