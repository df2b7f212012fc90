"""What can be asked for in a repository whose workflows do everything by requests.

Source: NRP protocol, section 4 (OARepo).
"""

from typing import List, Tuple

from smartxfer.local.http_messages import Response
from smartxfer.local.nrp import requests
from smartxfer.local.nrp.answers import ApiError, denied, framework
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.deciding import made
from smartxfer.local.nrp.looking import the_draft, the_record
from smartxfer.local.nrp.request_views import shown
from smartxfer.local.nrp.views import Shown

__all__ = ["answer"]

_OF_DRAFTS = ("publish_draft",)
_OF_RECORDS = ("edit_published_record", "new_version", "delete_published_record")


def answer(call: Call, id: str, draft: bool, words: List[str]) -> Response:
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
        hits = [
            {"type_id": kind, "links": {"actions": {"create": f"{place}/requests/{kind}"}}} for kind in kinds
        ]
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
        return call.json(shown(backend, made(call, words[0], view.item), call.who), 201)


def _about(call: Call, id: str, draft: bool) -> Tuple[Shown, Tuple[str, ...], str]:
    place = f"{call.backend.api}/{call.model}/{id}"
    if draft:
        return the_draft(call, id), _OF_DRAFTS, f"{place}/draft"
    return the_record(call, id), _OF_RECORDS, place
