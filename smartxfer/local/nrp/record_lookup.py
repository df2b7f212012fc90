"""Lookup of the record of a call, and checks of permissions.

Source: NRP protocol, sections 2, 3 (errors) and 4.
"""

from smartxfer.local.nrp import record_store
from smartxfer.local.nrp.call import ApiError, Call, invalid_field, permission_denied
from smartxfer.local.nrp.record_serializers import RecordView
from smartxfer.local.nrp.record_store import RecordState, StoredRecord
from smartxfer.local.nrp.secret_links import permission

#: Messages for an unknown id, an unpublished one, and one without a draft.
NOT_KNOWN = "The persistent identifier does not exist."
NOT_REGISTERED = "The persistent identifier is not registered."
_NOT_FOUND = "Not found."


def require_record(call: Call, id: str, missing: str = _NOT_FOUND) -> StoredRecord:
    """Return the record of an id.

    :param missing: message for the parent id of versions.
    :raises ApiError: 404, unknown id; 410, it was deleted.
    """
    record = record_store.find(call.backend.database, id)
    if record is None or record.model != call.model:
        shared = record_store.parent_of(call.backend.database, id) is not None
        raise ApiError(404, missing if shared else NOT_KNOWN)
    if record.deleted is not None:
        raise ApiError(410, "The record has been deleted.")
    return record


def view_of(call: Call, record: StoredRecord, draft: bool) -> RecordView:
    """Return a record as the caller sees it."""
    parent = record_store.parent_of(call.backend.database, record.parent)
    if parent is None:
        raise LookupError(record.parent)
    token = call.query.get("token", "")
    return RecordView(
        call.backend, record, draft, parent, call.caller, permission(call.backend, parent, token)
    )


def require_draft(call: Call, id: str, missing: str = _NOT_FOUND) -> RecordView:
    """Return the draft of an id, for any caller.

    :param missing: message if it does not exist.
    :raises ApiError: 404, the draft does not exist.
    """
    record = require_record(call, id, missing)
    if record.draft is None:
        raise ApiError(404, missing)
    return view_of(call, record, True)


def require_editable_draft(call: Call, id: str) -> RecordView:
    """Return the draft of an id, for a change.

    :raises ApiError: 404, the draft does not exist; 403, the caller cannot change it.
    """
    view = require_draft(call, id)
    if not view.is_editable:
        raise permission_denied()
    return view


def require_published(call: Call, id: str, missing: str = _NOT_FOUND) -> RecordView:
    """Return the published record of an id, for any caller.

    :param missing: message for an unpublished id.
    :raises ApiError: 404, it was never published.
    """
    record = require_record(call, id, missing)
    if record.record is None:
        raise ApiError(404, missing)
    return view_of(call, record, False)


def check_revision(call: Call, state: RecordState) -> None:
    """Check ``If-Match`` against the current revision.

    :raises ApiError: 412, another revision; 400, not a bare number.
    """
    text = call.header("if-match").strip()
    if not text:
        return
    if not call.backend.site.quoted_if_match_refused:
        text = text.strip('"')
    try:
        revision = int(text)
    except ValueError:
        raise invalid_field("if_match", "Not a valid integer.") from None
    if revision != state.revision:
        message = f"Revision id provided({revision}) doesn't match record's one({state.revision})"
        raise ApiError(412, message)
