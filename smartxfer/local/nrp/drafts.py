"""Drafts: made, read, replaced, given up.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict, List, Optional

from smartxfer.local.nrp import exports, files, items, requests
from smartxfer.local.nrp.call import Backend, Call, Response, denied, framework
from smartxfer.local.nrp.items import Half, Item, Parent
from smartxfer.local.nrp.looking import NOT_KNOWN, editable_draft, guarded, the_draft, viewed
from smartxfer.local.nrp.people import User
from smartxfer.local.nrp.showing import linked as link_files
from smartxfer.local.nrp.validation import accepted
from smartxfer.local.nrp.views import Shown, access_status, owner_of, shown

#: Revision of a draft that was just made, with metadata that names entries of vocabularies.
FIRST = 5
#: Seconds until a draft is given up.
_LIFE = 30 * 24 * 3600


def record_answer(
    call: Call,
    view: Shown,
    status: int = 200,
    errors: Optional[List[Dict[str, Any]]] = None,
    *,
    linked: bool = False,
) -> Response:
    """An answer that shows a record or draft, with its revision as ETag.

    :param errors: fields that were dropped, field by field.
    :param linked: whether its files have links.
    """
    found = shown(view, errors)
    if linked:
        link_files(call.backend, owner_of(view), found["files"])
    export = exports.made(call.kind, found, call.backend.url) if 200 <= status < 300 else None
    if export is not None:
        if call.kind not in exports.WITHOUT_TAG:
            export.headers.append(("ETag", f'"{found["revision_id"]}"'))
        return export
    if call.query.get("expand", "0") not in ("", "0", "false"):
        found["expanded"] = {"parent": {"access": {"owned_by": {"id": view.parent.owner}}}}
    answer = call.json(found, status)
    answer.headers.append(("ETag", f'"{found["revision_id"]}"'))
    return answer


def document(call: Call) -> Dict[str, Any]:
    """The body of a call that sends a draft.

    :raises ApiError: 500, it is not an object.
    """
    body = call.json_body()
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise framework(500)
    return body


def new_draft(backend: Backend, values: Dict[str, Any], revision: int) -> Half:
    """A draft with a new bucket."""
    stamp = backend.stamp()
    expires = backend.stamp(backend.now() + _LIFE).replace("T", " ")
    return Half(files.new_bucket(backend), stamp, stamp, revision, values, expires)


def _related(values: Dict[str, Any]) -> bool:
    """Tell whether metadata names entries of vocabularies: looking them up is a change of its own."""
    return "resource_type" in values["metadata"] or "languages" in values["metadata"]


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
        # What is shown lags behind: it is computed before the files are looked at.
        values["access"]["status"] = access_status(values["access"], enabled=False)
        revision = FIRST if _related(values) else FIRST - 1
        item = Item(items.make_id(), parent.id, model, 1, draft=new_draft(backend, values, revision))
        items.add(database, item)
    return item


def create(call: Call) -> Response:
    """Make a draft; fields that are wrong are dropped and told."""
    if not call.user:
        raise denied()
    body = document(call)
    values, errors = accepted(body, open_schema=call.backend.site.open_schema(call.model))
    item = made(call.backend, call.who, call.model, body, values)
    return record_answer(call, viewed(call, item, True), 201, errors)


def read(call: Call, id: str) -> Response:
    """Show a draft."""
    view = the_draft(call, id, NOT_KNOWN)
    if not view.readable:
        raise denied()
    return record_answer(call, view)


def replace(call: Call, id: str) -> Response:
    """Replace a draft as a whole; what is left out is lost."""
    backend = call.backend
    body = document(call)
    values, errors = accepted(body, open_schema=backend.site.open_schema(call.model))
    with backend.database.transaction():
        view = editable_draft(call, id)
        guarded(call, view.half)
        enabled = view.half.values["files"]["enabled"]
        values["access"]["status"] = access_status(values["access"], enabled=enabled)
        errors += _files(view, values, body)
        view.half.values = values
        view.half.revision += 2 if _related(values) else 1
        view.half.updated = backend.stamp()
        items.save(backend.database, view.item)
    return record_answer(call, view, 200, errors)


def _files(view: Shown, values: Dict[str, Any], body: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Fit what a document says of its files to the files that are there.

    :param values: what is kept of the document; corrected here.
    :param body: the document.
    :return: complaints, field by field.
    """
    found = values["files"]
    there = files.keys(view.backend, view.half.bucket)
    errors: List[Dict[str, Any]] = []
    if not found["enabled"]:
        if there:
            text = "You must first delete all files to set the record to be metadata-only."
            errors.append({"field": "files.enabled", "messages": [text]})
            values["files"] = view.half.values["files"]
        return errors
    if not there:
        errors.append({"field": "files.enabled", "messages": [files.MISSING]})
    given = body.get("files")
    preview = given.get("default_preview") if isinstance(given, dict) else None
    if preview in there:
        found["default_preview"] = preview
    elif preview:
        errors.append({"field": "files.default_preview", "messages": [f'No file with key "{preview}"']})
    return errors


def delete(call: Call, id: str) -> Response:
    """Give a draft up; one that was never published is gone with its id."""
    backend = call.backend
    with backend.database.transaction():
        view = editable_draft(call, id)
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
