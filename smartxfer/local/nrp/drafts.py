"""Drafts: made, read, replaced, given up.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict, List, Optional

from smartxfer.local.exchange import Answer
from smartxfer.local.nrp import files, items, requests
from smartxfer.local.nrp.answers import invalid
from smartxfer.local.nrp.backend import Backend
from smartxfer.local.nrp.call import Call
from smartxfer.local.nrp.items import Half, Item, Parent
from smartxfer.local.nrp.looking import denied, guarded, the_draft, viewed
from smartxfer.local.nrp.people import User
from smartxfer.local.nrp.validation import accepted
from smartxfer.local.nrp.views import Shown, shown

__all__ = ["create", "delete", "discard", "document", "made", "new_draft", "read", "record_answer", "replace"]

#: Revision of a draft that was just made.
FIRST = 5
#: Seconds until a draft is given up.
_LIFE = 30 * 24 * 3600


def record_answer(
    call: Call, view: Shown, status: int = 200, errors: Optional[List[Dict[str, Any]]] = None
) -> Answer:
    """An answer that shows a record or draft, with its revision as ETag."""
    found = shown(view, errors)
    if call.query.get("expand", "0") not in ("", "0", "false"):
        found["expanded"] = {"parent": {"access": {"owned_by": {"id": view.parent.owner}}}}
    answer = call.json(found, status)
    answer.headers.append(("ETag", f'"{found["revision_id"]}"'))
    return answer


def document(call: Call) -> Dict[str, Any]:
    """The body of a call that sends a draft.

    :raises Refusal: 400, it is not an object.
    """
    body = call.json_body()
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise invalid("_schema", "Invalid input type.")
    return body


def new_draft(backend: Backend, values: Dict[str, Any], revision: int) -> Half:
    """A draft with a new bucket."""
    stamp = backend.stamp()
    expires = backend.stamp(backend.now() + _LIFE).replace("T", " ")
    return Half(files.new_bucket(backend), stamp, stamp, revision, values, expires)


def made(backend: Backend, who: User, model: str, body: Dict[str, Any], values: Dict[str, Any]) -> Item:
    """Make a new record, as a draft.

    :param body: the document as it came; what it says of its parent is kept.
    :param values: what is kept of it.
    """
    database = backend.database
    given = body.get("parent")
    given = given if isinstance(given, dict) else {}
    workflow = given.get("workflow") or ("default" if backend.site.review == "workflow" else "")
    with database.transaction():
        parent = Parent(items.make_id(), who.id, workflow=str(workflow))
        items.save_parent(database, parent)
        item = Item(items.make_id(), parent.id, model, 1, draft=new_draft(backend, values, FIRST))
        items.add(database, item)
    return item


def create(call: Call) -> Answer:
    """Make a draft; fields that are wrong are dropped and told."""
    if not call.user:
        raise denied()
    body = document(call)
    values, errors = accepted(body, open_schema=call.backend.site.open_schema(call.model))
    item = made(call.backend, call.who, call.model, body, values)
    return record_answer(call, viewed(call, item, True), 201, errors)


def read(call: Call, id: str) -> Answer:
    """Show a draft."""
    view = the_draft(call, id)
    if not view.mine:
        raise denied()
    return record_answer(call, view)


def replace(call: Call, id: str) -> Answer:
    """Replace a draft as a whole; what is left out is lost."""
    backend = call.backend
    body = document(call)
    values, errors = accepted(body, open_schema=backend.site.open_schema(call.model))
    with backend.database.transaction():
        view = the_draft(call, id)
        if not view.mine:
            raise denied()
        guarded(call, view.half)
        view.half.values = values
        view.half.revision += 2
        view.half.updated = backend.stamp()
        items.save(backend.database, view.item)
    return record_answer(call, view, 200, errors)


def delete(call: Call, id: str) -> Answer:
    """Give a draft up; one that was never published is gone with its id."""
    backend = call.backend
    with backend.database.transaction():
        view = the_draft(call, id)
        if not view.mine:
            raise denied()
        guarded(call, view.half)
        discard(backend, view.item)
    return call.empty(204)


def discard(backend: Backend, item: Item) -> None:
    """Remove a draft and its files."""
    if item.draft is None:
        return
    files.drop(backend, item.draft.bucket)
    requests.cancel(backend.database, item.id, backend.stamp())
    item.revision = item.draft.revision + 2
    item.draft = None
    parent = items.parent_of(backend.database, item.parent)
    if parent is not None and parent.review:
        parent.review = ""
        items.save_parent(backend.database, parent)
    if item.record is None:
        items.remove(backend.database, item)
    else:
        items.save(backend.database, item)
