"""Access for others: secret links, grants and requests for access; and the reservation of a DOI.

Source: NRP protocol, section 9 (share links).
"""

from typing import List

from smartxfer.local.nrp import sharing
from smartxfer.local.nrp.call import Call, Response, denied, framework, framework_json
from smartxfer.local.nrp.looking import editable_draft, the_item, viewed
from smartxfer.local.nrp.negotiation import acceptable, json_only
from smartxfer.local.nrp.views import Shown


def _view(call: Call, id: str) -> Shown:
    """The record or draft of an id.

    :raises ApiError: 404, no such id; 410, it was deleted.
    """
    item = the_item(call, id)
    return viewed(call, item, item.draft is not None)


def links(call: Call, id: str, words: List[str]) -> Response:
    """Answer a call at or below the secret links of a record, which are its owner's matter."""
    acceptable(call)
    if call.method in ("POST", "PATCH"):
        json_only(call)
    view = _view(call, id)
    if not view.mine:
        raise denied()
    return sharing.answer(call, view.parent, words)


def grants(call: Call, id: str) -> Response:
    """List the users that have a right of their own to a record: none can be added here."""
    if not _view(call, id).mine:
        raise denied()
    return call.json({"hits": {"hits": [], "total": 0}})


def request(call: Call, id: str) -> Response:
    """Take a request for access; its sender would get a mail with a link to confirm it.

    :raises ApiError: 500, an address or a name is missing.
    """
    call.only("POST")
    body = call.json_body()
    _view(call, id)
    if not isinstance(body, dict) or not body.get("email") or not body.get("full_name"):
        raise framework(500)
    return framework_json({"message": "Verification link sent out, please check your e-mail inbox"})


def reserve(call: Call, id: str) -> Response:
    """Reserve a DOI for a draft.

    :raises ApiError: 404, the id has no draft; 500, no provider of DOIs is configured, which is so here.
    """
    editable_draft(call, id)
    raise framework(500)
