"""Published records: read, their versions, deleted.

Source: NRP protocol, sections 3 and 4.
"""

from typing import Optional

from smartxfer.local.exchange import Answer
from smartxfer.local.nrp import items
from smartxfer.local.nrp.answers import Refusal, json_answer
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.drafts import discard, record_answer
from smartxfer.local.nrp.items import Item
from smartxfer.local.nrp.looking import denied, guarded, the_item, the_record, viewed
from smartxfer.local.nrp.search import page

__all__ = ["delete", "latest", "latest_of", "read", "retract", "versions"]


def read(call: Call, id: str) -> Answer:
    """Show a published record; the id that its versions share leads to the latest one."""
    if items.find(call.backend.database, id) is None:
        found = latest_of(call.backend, id)
        if found is not None and found.model == call.model:
            return _moved(call, found, 302)
    view = the_record(call, id)
    if view.half.values["access"]["record"] != "public" and not view.mine:
        raise denied()
    answer = record_answer(call, view)
    place = f"{call.backend.api}/{call.model}/{id}"
    answer.headers.append(("Link", f'<{place}> ; rel="linkset" ; type="application/linkset+json"'))
    return answer


def delete(call: Call, id: str) -> Answer:
    """Delete a published record, as only a superuser may; what is left says that it was there."""
    backend = call.backend
    body = call.json_body()
    with backend.database.transaction():
        view = the_record(call, id)
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


def latest_of(backend: Backend, parent: str) -> Optional[Item]:
    """The newest published version of a record, None where there is none."""
    there = items.versions(backend.database, parent)
    found = [item for item in there if item.record is not None and item.deleted is None]
    return found[-1] if found else None


def latest(call: Call, id: str) -> Answer:
    """Lead to the latest version.

    :raises Refusal: 404, nothing is published.
    """
    found = latest_of(call.backend, the_item(call, id).parent)
    if found is None:
        raise Refusal(404, "Not found.")
    return _moved(call, found, 301)


def _moved(call: Call, item: Item, status: int) -> Answer:
    place = f"{call.backend.api}/{item.model}/{item.id}"
    text = {301: "Moved Permanently.", 302: "Found."}[status]
    answer = json_answer({"status": status, "message": text, "location": place}, status)
    answer.headers.append(("Location", place))
    return answer


def versions(call: Call, id: str) -> Answer:
    """The published versions, newest first."""
    there = items.versions(call.backend.database, the_item(call, id).parent)
    found = [viewed(call, item, False) for item in there if item.record is not None and item.deleted is None]
    found.sort(key=lambda view: -view.item.position)
    return page(call, f"{call.backend.api}/{call.model}/{id}/versions", found, "version")
