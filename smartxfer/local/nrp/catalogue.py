"""Lists beside the records: vocabularies and their entries, and users.

Source: NRP protocol, sections 1 and 9.
"""

from typing import Any, Dict

from smartxfer.local.nrp.call import ApiError, Call, Moved, Response, denied, framework
from smartxfer.local.nrp.looking import NOT_KNOWN
from smartxfer.local.nrp.search import page
from smartxfer.local.nrp.vocabularies import APART, PROPS, VOCABULARIES

#: Entries of a page where the caller does not say how many.
_SIZE = 25


def users(call: Call) -> Response:
    """Answer a call for the list of users; the server shows no one in it who did not agree to that.

    :raises ApiError: 403, the caller is a guest.
    """
    call.only("GET")
    if not call.user:
        raise denied()
    if call.words[1:]:
        raise framework(404)
    return page(call, f"{call.backend.api}/users", [], "newest", show=dict, numbered=False)


def vocabulary(call: Call) -> Response:
    """Answer a call for a vocabulary, all of them, or one entry.

    :raises ApiError: 404, no such vocabulary or entry.
    """
    call.only("GET")
    api, words = call.backend.api, call.words
    if words[0] in APART:
        if len(words) == 1:
            return page(call, f"{api}/{words[0]}", [], APART[words[0]], size=_SIZE, show=dict)
        raise ApiError(404, NOT_KNOWN)
    if words[1:] == []:
        raise Moved(f"{api}/vocabularies/")
    if words[1:] == [""]:
        hits = [
            {"id": name, "count": len(VOCABULARIES[name]), "is_custom_vocabulary": False, "links": {}}
            for name in sorted(set(VOCABULARIES) - set(APART))
        ]
        return call.json({"hits": {"hits": hits, "total": len(hits)}})
    if words[1] not in VOCABULARIES or words[1] in APART:
        raise ApiError(404, "Not found.")
    listed = [_shown(call, words[1], id) for id in VOCABULARIES[words[1]]]
    if len(words) == 2:
        return page(call, f"{api}/vocabularies/{words[1]}", listed, "title", size=_SIZE, show=dict)
    for one in listed:
        if words[2:] == [one["id"]]:
            found = call.json(one)
            found.headers.append(("ETag", '"1"'))
            return found
    raise ApiError(404, NOT_KNOWN)


def _shown(call: Call, name: str, id: str) -> Dict[str, Any]:
    then = call.backend.stamp(call.backend.started)
    return {
        "id": id,
        "created": then,
        "updated": then,
        "links": {"self": f"{call.backend.api}/vocabularies/{name}/{id}"},
        "revision_id": 1,
        "title": {"en": VOCABULARIES[name][id]},
        **PROPS.get(name, {}).get(id, {}),
        "type": name,
    }
