"""Secret links, which permit to read, preview or edit a record without an account.

Source: NRP protocol, section 9 (share links).
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
import uuid
from typing import Any, Dict, List, Optional

from smartxfer.local.nrp import record_store
from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, framework_error
from smartxfer.local.nrp.record_store import ParentRecord
from smartxfer.local.nrp.validators import Errors, add_unknown, check_text

#: Permissions of links; each includes those before it.
PERMISSIONS = ("view", "preview", "edit")
_MEMBERS = ("permission", "description", "expires_at")
#: Key of the signatures of tokens; they are not verified, because the links are stored.
_KEY = secrets.token_bytes(32)


def permission(backend: Backend, parent: ParentRecord, token: str) -> str:
    """Return the permission of a token for the records of a parent; empty if unknown or expired."""
    for link in parent.links if token else []:
        if hmac.compare_digest(link["token"].encode(), token.encode()):
            return "" if _is_past(backend, link.get("expires_at")) else str(link["permission"])
    return ""


def _is_past(backend: Backend, day: Optional[str]) -> bool:
    """Return True if a link's last day is over."""
    if not day:
        return False
    today = dt.datetime.fromtimestamp(backend.now(), dt.timezone.utc).date()
    return dt.date.fromisoformat(day) < today


def _encode(value: Dict[str, Any]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def create_link(backend: Backend, parent: ParentRecord, values: Dict[str, Any]) -> Dict[str, Any]:
    """Add a link to a parent, which the caller saves.

    :param values: its permission, and optionally description and last day.
    """
    id = str(uuid.uuid4())
    payload = {"id": id, "data": {}, "random": secrets.token_hex(16)}
    signed = _encode({"alg": "HS512"}) + "." + _encode(payload)
    signature = base64.urlsafe_b64encode(hmac.new(_KEY, signed.encode(), hashlib.sha512).digest())
    link: Dict[str, Any] = {"id": id, "created_at": backend.stamp()}
    if values.get("expires_at"):
        link["expires_at"] = values["expires_at"]
    link["permission"] = values["permission"]
    link["description"] = values.get("description", "")
    link["token"] = signed + "." + signature.rstrip(b"=").decode()
    parent.links.append(link)
    return link


def handle(call: Call, parent: ParentRecord, segments: List[str]) -> Response:
    """Handle a call of the owner at or below ``access/links``.

    :param segments: segments after ``links``.
    :raises ApiError: 404, the link does not exist; 400, invalid values.
    """
    if len(segments) > 1:
        raise framework_error(404)
    call.require_method(*(("GET", "PATCH", "DELETE") if segments else ("GET", "POST")))
    with call.backend.database.transaction():
        if not segments:
            if call.method == "POST":
                return _create(call, parent)
            return call.json({"hits": {"hits": parent.links, "total": len(parent.links)}})
        change = {"PATCH": _change, "DELETE": _delete}.get(call.method)
        return change(call, parent, segments[0]) if change else call.json(_link(parent, segments[0]))


def _link(parent: ParentRecord, id: str) -> Dict[str, Any]:
    for link in parent.links:
        if link["id"] == id:
            return link
    raise ApiError(404, "No secret link found with the given ID.")


def _create(call: Call, parent: ParentRecord) -> Response:
    link = create_link(call.backend, parent, _values(call, whole=True))
    record_store.save_parent(call.backend.database, parent)
    return call.json(link, 201)


def _change(call: Call, parent: ParentRecord, id: str) -> Response:
    link = _link(parent, id)
    link.update(_values(call, whole=False))
    record_store.save_parent(call.backend.database, parent)
    return call.json(link)


def _delete(call: Call, parent: ParentRecord, id: str) -> Response:
    parent.links.remove(_link(parent, id))
    record_store.save_parent(call.backend.database, parent)
    return call.empty(204)


def _values(call: Call, *, whole: bool) -> Dict[str, Any]:
    """Return the validated values of a link.

    :param whole: a permission is mandatory.
    """
    body = call.json_body()
    values = body if isinstance(body, dict) else {}
    errors = Errors()
    if "permission" in values:
        if values["permission"] not in PERMISSIONS:
            errors.add("permission", "Must be one of: view, preview, edit.")
    elif whole:
        errors.add("permission", "An access permission level is required")
    if "description" in values:
        errors.add("description", check_text(values["description"]))
    day = values.get("expires_at")
    if day:
        errors.add("expires_at", _parse_day(call.backend, day))
    add_unknown(errors, "", values, _MEMBERS)
    errors.raise_if_any()
    return values


def _parse_day(backend: Backend, day: Any) -> Optional[str]:
    """Return the error message for a last day, or None."""
    try:
        past = _is_past(backend, day)
    except (ValueError, TypeError):
        return "Not a valid date."
    return "Expiration date must be set to the future" if past else None
