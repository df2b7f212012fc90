"""Publication, edits, new versions, and import of files.

Source: NRP protocol, section 4.
"""

import copy

from smartxfer.local.nrp import files, record_store, requests
from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, invalid_field, permission_denied
from smartxfer.local.nrp.drafts import FIRST, new_draft, record_response
from smartxfer.local.nrp.file_serializers import serialize_list
from smartxfer.local.nrp.record_lookup import (
    NOT_KNOWN,
    NOT_REGISTERED,
    require_draft,
    require_editable_draft,
    require_published,
    view_of,
)
from smartxfer.local.nrp.record_serializers import RecordView, access_status, file_owner
from smartxfer.local.nrp.record_store import RecordState, StoredRecord
from smartxfer.local.nrp.validation import missing_fields

#: Revision of a newly published record: the first version, and later ones.
_FIRST, _LATER = 5, 4
#: Number of revisions that a publication adds for later edits.
_COUNTED_ON = 5


def publish(call: Call, id: str) -> Response:
    """Publish a draft; the body is ignored."""
    backend = call.backend
    with backend.database.transaction():
        view = require_draft(call, id)
        if not view.is_editable or backend.site.review == "workflow":
            raise permission_denied()
        _check_publishable(view)
        publishable(view)
        publish_draft(backend, view.item)
    return record_response(call, view_of(call, view.item, False), 202)


def _check_publishable(view: RecordView) -> None:
    """Check that the caller can publish without an approval.

    :raises ApiError: 400, a community must approve.
    """
    if view.parent.review:
        request = requests.find(view.backend.database, view.parent.review)
        if request is not None and request.is_open:
            text = "You cannot publish a draft with an open review request. "
            raise ApiError(400, text + "Please cancel the review request first.")
    if view.backend.site.review == "community" and not view.parent.communities:
        # Assumption: this message; the protocol contains only that of an open review.
        raise ApiError(400, "Cannot publish without selecting a community.")


def publishable(view: RecordView) -> None:
    """Check that a draft is complete.

    :raises ApiError: 400, with an error for each field.
    """
    errors = missing_fields(view.state.values, open_schema=view.backend.site.open_schema(view.item.model))
    errors += files.problems(view.backend, file_owner(view))
    if errors:
        raise ApiError(400, "A validation error occurred.", errors)


def publish_draft(backend: Backend, record: StoredRecord) -> None:
    """Publish the draft of a record; published files stay unchanged."""
    draft = record.draft
    if draft is None:
        raise LookupError(record.id)
    with backend.database.transaction():
        stamp = backend.stamp()
        access, enabled = draft.values["access"], draft.values["files"]["enabled"]
        access["status"] = access_status(access, enabled=enabled)
        if record.record is None:
            files.lock(backend, draft.bucket)
            parent = record_store.parent_of(backend.database, record.parent)
            plain = parent is not None and parent.owner != backend.users.superuser.id
            revision = _FIRST if plain and record.position == 1 else _LATER
            record.record = RecordState(draft.bucket, stamp, stamp, revision, draft.values)
            _mark_superseded(backend, record, stamp)
        else:
            files.drop(backend, draft.bucket)
            record.record.values = draft.values
            record.record.updated = stamp
            record.record.revision += 3
        # The draft is deleted, but the revision of a later one continues from here.
        record.revision = draft.revision + _COUNTED_ON
        record.draft = None
        record_store.save(backend.database, record)


def _mark_superseded(backend: Backend, record: StoredRecord, stamp: str) -> None:
    """Mark the previous version as superseded.

    :param record: the version that is published.
    """
    before = record_store.latest(
        [
            version
            for version in record_store.versions(backend.database, record.parent)
            if version.id != record.id
        ]
    )
    if before is not None and before.record is not None:
        before.record.revision += 2
        before.record.updated = stamp
        record_store.save(backend.database, before)


def edit(call: Call, id: str) -> Response:
    """Begin to edit a published record, or return the draft of an open edit."""
    backend = call.backend
    with backend.database.transaction():
        record = require_record_or_draft(call, id)
        view = view_of(call, record, record.draft is not None)
        asked_for = record.draft is None and backend.site.review == "workflow" and not call.superuser
        if not view.is_editable or asked_for:
            raise permission_denied()
        edit_record(backend, record)
    return record_response(call, view_of(call, record, True), 201)


def require_record_or_draft(call: Call, id: str) -> StoredRecord:
    """Return the record of an id, published or not.

    :raises ApiError: 404, unknown id; 410, it was deleted.
    """
    try:
        return require_published(call, id).item
    except ApiError as refusal:
        if refusal.status != 404:
            raise
        return require_draft(call, id).item


def edit_record(backend: Backend, record: StoredRecord) -> None:
    """Create the draft of a published record, if missing; its files are locked."""
    if record.draft is not None or record.record is None:
        return
    with backend.database.transaction():
        record.draft = new_draft(backend, copy.deepcopy(record.record.values), record.revision + 2)
        files.copy(backend, record.record.bucket, record.draft.bucket)
        files.lock(backend, record.draft.bucket)
        record_store.save(backend.database, record)


def new_version(call: Call, id: str) -> Response:
    """Begin a new version, or return the unpublished one."""
    backend = call.backend
    with backend.database.transaction():
        record = require_published_record(call, id)
        view = view_of(call, record, False)
        if not view.is_editable or (backend.site.review == "workflow" and not call.superuser):
            raise permission_denied()
        following = next_version(backend, record)
    return record_response(call, view_of(call, following, True), 201)


def require_published_record(call: Call, id: str) -> StoredRecord:
    """Return the published record of an id.

    :raises ApiError: 404, it is not published or not known.
    """
    if record_store.find(call.backend.database, id) is None:
        raise ApiError(404, "Not found." if record_store.parent_of(call.backend.database, id) else NOT_KNOWN)
    return require_published(call, id, NOT_REGISTERED).item


def next_version(backend: Backend, record: StoredRecord) -> StoredRecord:
    """Return the draft of the next version, created if missing."""
    with backend.database.transaction():
        there = record_store.versions(backend.database, record.parent)
        latest = record_store.latest(there) or record
        last = there[-1]
        if last.record is None and last.draft is not None and last.position > latest.position:
            return last
        if latest.record is None:
            raise LookupError(record.id)
        values = copy.deepcopy(latest.record.values)
        if not backend.site.open_schema(record.model):
            values["metadata"].pop("version", None)
            values["metadata"]["publication_date"] = backend.stamp(backend.now())[:10]
        version = StoredRecord(record_store.make_id(), record.parent, record.model, last.position + 1)
        version.draft = new_draft(backend, values, FIRST)
        record_store.add(backend.database, version)
        return version


def import_files(call: Call, id: str) -> Response:
    """Import the files of the previous version into the draft of a new version.

    :raises ApiError: 400, it has files already.
    """
    backend = call.backend
    with backend.database.transaction():
        view = require_editable_draft(call, id)
        owner = file_owner(view)
        if not owner.enabled:
            raise ApiError(403, "Files are not enabled.")
        latest = record_store.latest(record_store.versions(backend.database, view.item.parent))
        if latest is None or latest.record is None:
            raise ApiError(404, "Not found.")
        if files.count(backend, owner.bucket):
            raise invalid_field("files.enabled", "Please remove all files first.")
        files.copy(backend, latest.record.bucket, owner.bucket)
        backend.next_revision_stamp(owner)
        return call.json(serialize_list(backend, owner), 201)
