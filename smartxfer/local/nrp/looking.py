"""The record that a call means, and whether it is the caller's to read or change.

Source: NRP protocol, sections 2, 3 (errors) and 4.
"""

from smartxfer.local.nrp import items
from smartxfer.local.nrp.call import ApiError, Call, denied, invalid
from smartxfer.local.nrp.items import Half, Item
from smartxfer.local.nrp.sharing import permission
from smartxfer.local.nrp.views import Shown

#: What is said of an id that nothing has, of one that was never published, and of one without a draft.
NOT_KNOWN = "The persistent identifier does not exist."
NOT_REGISTERED = "The persistent identifier is not registered."
_NOT_FOUND = "Not found."


def the_item(call: Call, id: str, missing: str = _NOT_FOUND) -> Item:
    """What an id stands for.

    :param missing: what is said of an id that only versions share.
    :raises ApiError: 404, nothing; 410, it was deleted.
    """
    item = items.find(call.backend.database, id)
    if item is None or item.model != call.model:
        shared = items.parent_of(call.backend.database, id) is not None
        raise ApiError(404, missing if shared else NOT_KNOWN)
    if item.deleted is not None:
        raise ApiError(410, "The record has been deleted.")
    return item


def viewed(call: Call, item: Item, draft: bool) -> Shown:
    """An item as the caller looks at it."""
    parent = items.parent_of(call.backend.database, item.parent)
    if parent is None:
        raise LookupError(item.parent)
    token = call.query.get("token", "")
    return Shown(call.backend, item, draft, parent, call.who, permission(call.backend, parent, token))


def the_draft(call: Call, id: str, missing: str = _NOT_FOUND) -> Shown:
    """The draft of an id, whoever asks.

    :param missing: what is said where there is none.
    :raises ApiError: 404, there is none.
    """
    item = the_item(call, id, missing)
    if item.draft is None:
        raise ApiError(404, missing)
    return viewed(call, item, True)


def editable_draft(call: Call, id: str) -> Shown:
    """The draft of an id, for a call that changes it.

    :raises ApiError: 404, there is none; 403, it is not the caller's to change.
    """
    view = the_draft(call, id)
    if not view.editable:
        raise denied()
    return view


def the_record(call: Call, id: str, missing: str = _NOT_FOUND) -> Shown:
    """The published record of an id, whoever asks.

    :param missing: what is said of an id that was never published.
    :raises ApiError: 404, it was never published.
    """
    item = the_item(call, id, missing)
    if item.record is None:
        raise ApiError(404, missing)
    return viewed(call, item, False)


def guarded(call: Call, half: Half) -> None:
    """Go on only where ``If-Match`` names the revision as it is.

    :raises ApiError: 412, it names another; 400, it is no bare number.
    """
    text = call.header("if-match").strip()
    if not text:
        return
    if not call.backend.site.quoted_if_match_refused:
        text = text.strip('"')
    try:
        revision = int(text)
    except ValueError:
        raise invalid("if_match", "Not a valid integer.") from None
    if revision != half.revision:
        message = f"Revision id provided({revision}) doesn't match record's one({half.revision})"
        raise ApiError(412, message)
