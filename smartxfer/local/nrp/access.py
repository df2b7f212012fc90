"""Secret links, grants, access requests, and the reservation of a DOI.

Source: NRP protocol, section 9 (share links).
"""

from typing import List

from smartxfer.local.nrp import secret_links
from smartxfer.local.nrp.call import Call, Response, framework_error, framework_json, permission_denied
from smartxfer.local.nrp.negotiation import acceptable, json_only
from smartxfer.local.nrp.record_lookup import require_editable_draft, require_record, view_of
from smartxfer.local.nrp.record_serializers import RecordView


def _viewed(call: Call, id: str) -> RecordView:
    """Return the view of the record or draft of an id.

    :raises ApiError: 404, no such id; 410, it was deleted.
    """
    record = require_record(call, id)
    return view_of(call, record, record.draft is not None)


def links(call: Call, id: str, segments: List[str]) -> Response:
    """Handle a call at or below the secret links of a record; only for its owner."""
    acceptable(call)
    if call.method in ("POST", "PATCH"):
        json_only(call)
    view = _viewed(call, id)
    if not view.is_owner:
        raise permission_denied()
    return secret_links.handle(call, view.parent, segments)


def grants(call: Call, id: str) -> Response:
    """Return the users with a grant for a record: always an empty list."""
    if not _viewed(call, id).is_owner:
        raise permission_denied()
    return call.json({"hits": {"hits": [], "total": 0}})


def request(call: Call, id: str) -> Response:
    """Accept a request for access; a real server mails a link for confirmation.

    :raises ApiError: 500, an address or a name is missing.
    """
    call.require_method("POST")
    body = call.json_body()
    _viewed(call, id)
    if not isinstance(body, dict) or not body.get("email") or not body.get("full_name"):
        raise framework_error(500)
    return framework_json({"message": "Verification link sent out, please check your e-mail inbox"})


def reserve(call: Call, id: str) -> Response:
    """Reserve a DOI for a draft.

    :raises ApiError: 404, the id has no draft; 500, because no provider of DOIs is configured.
    """
    require_editable_draft(call, id)
    raise framework_error(500)
