"""Vocabularies and the list of users.

Source: NRP protocol, sections 1 and 9.
"""

from typing import Any, Dict

from smartxfer.local.nrp.call import ApiError, Call, Redirected, Response, framework_error, permission_denied
from smartxfer.local.nrp.record_lookup import NOT_KNOWN
from smartxfer.local.nrp.search import page
from smartxfer.local.nrp.vocabularies import APART, PROPS, VOCABULARIES

#: Default number of entries of a page.
_SIZE = 25


def users(call: Call) -> Response:
    """Handle a call for the list of users; it is empty, because users must agree to be listed.

    :raises ApiError: 403, the caller is a guest.
    """
    call.require_method("GET")
    if not call.user:
        raise permission_denied()
    if call.segments[1:]:
        raise framework_error(404)
    return page(call, f"{call.backend.api}/users", [], "newest", show=dict, numbered=False)


def vocabulary(call: Call) -> Response:
    """Handle a call for a vocabulary, all of them, or one entry.

    :raises ApiError: 404, no such vocabulary or entry.
    """
    call.require_method("GET")
    api, segments = call.backend.api, call.segments
    if segments[0] in APART:
        if len(segments) == 1:
            return page(call, f"{api}/{segments[0]}", [], APART[segments[0]], size=_SIZE, show=dict)
        raise ApiError(404, NOT_KNOWN)
    if segments[1:] == []:
        raise Redirected(f"{api}/vocabularies/")
    if segments[1:] == [""]:
        hits = [
            {"id": name, "count": len(VOCABULARIES[name]), "is_custom_vocabulary": False, "links": {}}
            for name in sorted(set(VOCABULARIES) - set(APART))
        ]
        return call.json({"hits": {"hits": hits, "total": len(hits)}})
    if segments[1] not in VOCABULARIES or segments[1] in APART:
        raise ApiError(404, "Not found.")
    entries = [_serialize_entry(call, segments[1], id) for id in VOCABULARIES[segments[1]]]
    if len(segments) == 2:
        return page(call, f"{api}/vocabularies/{segments[1]}", entries, "title", size=_SIZE, show=dict)
    for entry in entries:
        if segments[2:] == [entry["id"]]:
            response = call.json(entry)
            response.headers.append(("ETag", '"1"'))
            return response
    raise ApiError(404, NOT_KNOWN)


def _serialize_entry(call: Call, name: str, id: str) -> Dict[str, Any]:
    then = call.backend.stamp(call.backend.started_uploads)
    return {
        "id": id, "created": then, "updated": then,
        "links": {"self": f"{call.backend.api}/vocabularies/{name}/{id}"}, "revision_id": 1,
        "title": {"en": VOCABULARIES[name][id]}, **PROPS.get(name, {}).get(id, {}), "type": name,
    }
