"""Drafts: create, read, replace and delete.

Source: NRP protocol, section 4.
"""

from typing import Any, Dict, List, Optional

from smartxfer.local.nrp import exports, files, record_store, requests
from smartxfer.local.nrp.call import Backend, Call, Response, framework_error, permission_denied
from smartxfer.local.nrp.file_serializers import with_links as link_files
from smartxfer.local.nrp.record_lookup import (
    NOT_KNOWN,
    check_revision,
    require_draft,
    require_editable_draft,
    view_of,
)
from smartxfer.local.nrp.record_serializers import RecordView, access_status, file_owner, serialize
from smartxfer.local.nrp.record_store import ParentRecord, RecordState, StoredRecord
from smartxfer.local.nrp.users import User
from smartxfer.local.nrp.validation import clean_document

#: Revision of a new draft, and of one whose metadata names entries of vocabularies.
FIRST = 5
#: Lifetime of a draft in seconds.
_LIFE = 30 * 24 * 3600


def record_response(
    call: Call,
    view: RecordView,
    status: int = 200,
    errors: Optional[List[Dict[str, Any]]] = None,
    *,
    linked: bool = False,
) -> Response:
    """Return a response with a record or draft, and its revision as ETag.

    :param errors: errors of dropped fields.
    :param linked: whether its files have links.
    """
    body = serialize(view, errors)
    if linked:
        link_files(call.backend, file_owner(view), body["files"])
    export = exports.export(call.kind, body, call.backend.url) if 200 <= status < 300 else None
    if export is not None:
        if call.kind not in exports.WITHOUT_TAG:
            export.headers.append(("ETag", f'"{body["revision_id"]}"'))
        return export
    if call.query.get("expand", "0") not in ("", "0", "false"):
        body["expanded"] = {"parent": {"access": {"owned_by": {"id": view.parent.owner}}}}
    response = call.json(body, status)
    response.headers.append(("ETag", f'"{body["revision_id"]}"'))
    return response


def parse_document(call: Call) -> Dict[str, Any]:
    """Return the document in the body of a call.

    :raises ApiError: 500, the body is not an object.
    """
    body = call.json_body()
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise framework_error(500)
    return body


def new_draft(backend: Backend, values: Dict[str, Any], revision: int) -> RecordState:
    """Return a draft with a new bucket."""
    stamp = backend.stamp()
    expires = backend.stamp(backend.now() + _LIFE).replace("T", " ")
    return RecordState(files.new_bucket(backend), stamp, stamp, revision, values, expires)


def _related(values: Dict[str, Any]) -> bool:
    """Return True if metadata names entries of vocabularies: resolving them is another revision."""
    return "resource_type" in values["metadata"] or "languages" in values["metadata"]


def create_draft(
    backend: Backend, user: User, model: str, body: Dict[str, Any], values: Dict[str, Any]
) -> StoredRecord:
    """Create a record as a draft.

    :param body: the received document; its parent is used.
    :param values: the validated document.
    """
    database = backend.database
    value = body.get("parent")
    value = value if isinstance(value, dict) else {}
    workflow = value.get("workflow") or ("default" if backend.site.review == "workflow" else "")
    with database.transaction():
        parent = ParentRecord(record_store.make_id(), user.id, workflow=str(workflow))
        record_store.save_parent(database, parent)
        # The response shows the state before the files are processed, as on the real server.
        values["access"]["status"] = access_status(values["access"], enabled=False)
        revision = FIRST if _related(values) else FIRST - 1
        record = StoredRecord(
            record_store.make_id(), parent.id, model, 1, draft=new_draft(backend, values, revision)
        )
        record_store.add(database, record)
    return record


def create(call: Call) -> Response:
    """Create a draft; invalid fields are dropped and reported."""
    if not call.user:
        raise permission_denied()
    body = parse_document(call)
    values, errors = clean_document(body, open_schema=call.backend.site.open_schema(call.model))
    record = create_draft(call.backend, call.caller, call.model, body, values)
    return record_response(call, view_of(call, record, True), 201, errors)


def read(call: Call, id: str) -> Response:
    """Show a draft."""
    view = require_draft(call, id, NOT_KNOWN)
    if not view.is_readable:
        raise permission_denied()
    return record_response(call, view)


def replace(call: Call, id: str) -> Response:
    """Replace a draft as a whole; missing fields are removed."""
    backend = call.backend
    body = parse_document(call)
    values, errors = clean_document(body, open_schema=backend.site.open_schema(call.model))
    with backend.database.transaction():
        view = require_editable_draft(call, id)
        check_revision(call, view.state)
        enabled = view.state.values["files"]["enabled"]
        values["access"]["status"] = access_status(values["access"], enabled=enabled)
        errors += _files(view, values, body)
        view.state.values = values
        view.state.revision += 2 if _related(values) else 1
        view.state.updated = backend.stamp()
        record_store.save(backend.database, view.item)
    return record_response(call, view, 200, errors)


def _files(view: RecordView, values: Dict[str, Any], body: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Adjust the ``files`` of a document to the existing files.

    :param values: the validated document; changed in place.
    :param body: the received document.
    :return: errors by field.
    """
    listing = values["files"]
    keys = files.keys(view.backend, view.state.bucket)
    errors: List[Dict[str, Any]] = []
    if not listing["enabled"]:
        if keys:
            text = "You must first delete all files to set the record to be metadata-only."
            errors.append({"field": "files.enabled", "messages": [text]})
            values["files"] = view.state.values["files"]
        return errors
    if not keys:
        errors.append({"field": "files.enabled", "messages": [files.MISSING]})
    value = body.get("files")
    preview = value.get("default_preview") if isinstance(value, dict) else None
    if preview in keys:
        listing["default_preview"] = preview
    elif preview:
        errors.append({"field": "files.default_preview", "messages": [f'No file with key "{preview}"']})
    return errors


def delete(call: Call, id: str) -> Response:
    """Delete a draft, and its id if it was never published."""
    backend = call.backend
    with backend.database.transaction():
        view = require_editable_draft(call, id)
        check_revision(call, view.state)
        discard(backend, view.item)
    return call.empty(204)


def discard(backend: Backend, record: StoredRecord) -> None:
    """Remove a draft and its files."""
    if record.draft is None:
        return
    files.drop(backend, record.draft.bucket)
    requests.cancel(backend.database, record.id, backend.stamp())
    record.revision = record.draft.revision + 2
    record.draft = None
    parent = record_store.parent_of(backend.database, record.parent)
    if parent is not None and parent.review:
        parent.review = ""
        record_store.save_parent(backend.database, parent)
    if record.record is None:
        record_store.remove(backend.database, record)
    else:
        record_store.save(backend.database, record)
