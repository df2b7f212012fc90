"""Published records: read, their versions, deleted.

Source: NRP protocol, sections 3 and 4.
"""


from smartxfer.local.nrp import items
from smartxfer.local.nrp.call import ApiError, Backend, Call, Moved, Response, denied, json_response
from smartxfer.local.nrp.drafts import discard, record_answer
from smartxfer.local.nrp.items import Item
from smartxfer.local.nrp.looking import NOT_REGISTERED, guarded, the_item, the_record, viewed
from smartxfer.local.nrp.search import page


def read(call: Call, id: str) -> Response:
    """Show a published record; the id that its versions share leads to the latest one."""
    if items.find(call.backend.database, id) is None:
        found = items.latest(items.versions(call.backend.database, id))
        if found is not None and found.model == call.model:
            # The token of a secret link is not carried on.
            raise Moved(f"/api/{call.model}/{found.id}", 302, front=False)
    view = the_record(call, id, NOT_REGISTERED)
    if not view.readable:
        raise denied()
    answer = record_answer(call, view, linked=True)
    place = f"{call.backend.api}/{call.model}/{id}"
    answer.headers.append(("Link", f'<{place}> ; rel="linkset" ; type="application/linkset+json"'))
    return answer


def delete(call: Call, id: str) -> Response:
    """Delete a published record, as only a superuser may; what is left says that it was there."""
    backend = call.backend
    body = call.json_body()
    with backend.database.transaction():
        view = the_record(call, id, NOT_REGISTERED)
        if not call.superuser:
            raise denied()
        guarded(call, view.half)
        retract(backend, view.item, body)
    return call.empty(204)


def retract(backend: Backend, item: Item, reason: object) -> None:
    """Delete a published record with the draft that edits it; its bytes stay, out of reach.

    :param reason: what was said of it.
    """
    with backend.database.transaction():
        discard(backend, item)
        item.deleted = {"when": backend.stamp(), "reason": reason}
        items.save(backend.database, item)


def latest(call: Call, id: str) -> Response:
    """Lead from a published record, or from the id that versions share, to the latest version.

    :raises ApiError: 404, the id itself was never published.
    """
    database = call.backend.database
    parent = id
    if items.find(database, id) is not None or items.parent_of(database, id) is None:
        parent = the_record(call, id, NOT_REGISTERED).parent.id
    found = items.latest(items.versions(database, parent))
    if found is None:
        raise ApiError(404, NOT_REGISTERED)
    if not viewed(call, found, False).readable:
        raise denied()
    place = f"{call.backend.api}/{found.model}/{found.id}"
    answer = json_response({"status": 301, "message": "Redirecting...", "location": place}, 301)
    answer.headers.append(("Location", place))
    return answer


def versions(call: Call, id: str) -> Response:
    """The published versions, newest first."""
    item = the_item(call, id)
    half = item.record or item.draft
    own = viewed(call, item, item.record is None)
    if half is not None and half.values["access"]["record"] != "public" and not own.readable:
        raise denied()
    there = items.versions(call.backend.database, item.parent)
    found = [viewed(call, one, False) for one in there if one.record is not None and one.deleted is None]
    found.sort(key=lambda view: -view.item.position)
    place = f"{call.backend.api}/{call.model}/{id}/versions"
    return page(call, place, found, "version", size=25)
