"""Secret links: who has one may read, preview or edit a record without an account.

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

from smartxfer.local.nrp import items
from smartxfer.local.nrp.call import ApiError, Backend, Call, Response, framework
from smartxfer.local.nrp.checks import Errors, text, unknown
from smartxfer.local.nrp.items import Parent

#: What a link may permit; each includes those before it.
PERMISSIONS = ("view", "preview", "edit")
_MEMBERS = ("permission", "description", "expires_at")
#: What tokens are signed with; nothing reads the signature, for the links themselves are kept.
_KEY = secrets.token_bytes(32)


def permission(backend: Backend, parent: Parent, token: str) -> str:
    """Return what a token permits for the records of a parent; empty for one that is unknown or expired."""
    for link in parent.links if token else []:
        if hmac.compare_digest(link["token"].encode(), token.encode()):
            return "" if _past(backend, link.get("expires_at")) else str(link["permission"])
    return ""


def _past(backend: Backend, day: Optional[str]) -> bool:
    """Tell whether a link's last day is over."""
    if not day:
        return False
    today = dt.datetime.fromtimestamp(backend.now(), dt.timezone.utc).date()
    return dt.date.fromisoformat(day) < today


def _encoded(value: Dict[str, Any]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def make(backend: Backend, parent: Parent, values: Dict[str, Any]) -> Dict[str, Any]:
    """Add a link to a parent, which the caller saves.

    :param values: its permission, and maybe its description and last day.
    """
    id = str(uuid.uuid4())
    payload = {"id": id, "data": {}, "random": secrets.token_hex(16)}
    signed = _encoded({"alg": "HS512"}) + "." + _encoded(payload)
    signature = base64.urlsafe_b64encode(hmac.new(_KEY, signed.encode(), hashlib.sha512).digest())
    link: Dict[str, Any] = {"id": id, "created_at": backend.stamp()}
    if values.get("expires_at"):
        link["expires_at"] = values["expires_at"]
    link["permission"] = values["permission"]
    link["description"] = values.get("description", "")
    link["token"] = signed + "." + signature.rstrip(b"=").decode()
    parent.links.append(link)
    return link


def answer(call: Call, parent: Parent, words: List[str]) -> Response:
    """Answer a call of the owner's at or below ``access/links``.

    :param words: segments behind ``links``.
    :raises ApiError: 404, no such link; 400, values that are not possible.
    """
    if len(words) > 1:
        raise framework(404)
    call.only(*(("GET", "PATCH", "DELETE") if words else ("GET", "POST")))
    with call.backend.database.transaction():
        if not words:
            if call.method == "POST":
                return _create(call, parent)
            return call.json({"hits": {"hits": parent.links, "total": len(parent.links)}})
        change = {"PATCH": _change, "DELETE": _delete}.get(call.method)
        return change(call, parent, words[0]) if change else call.json(_link(parent, words[0]))


def _link(parent: Parent, id: str) -> Dict[str, Any]:
    for link in parent.links:
        if link["id"] == id:
            return link
    raise ApiError(404, "No secret link found with the given ID.")


def _create(call: Call, parent: Parent) -> Response:
    link = make(call.backend, parent, _values(call, whole=True))
    items.save_parent(call.backend.database, parent)
    return call.json(link, 201)


def _change(call: Call, parent: Parent, id: str) -> Response:
    link = _link(parent, id)
    link.update(_values(call, whole=False))
    items.save_parent(call.backend.database, parent)
    return call.json(link)


def _delete(call: Call, parent: Parent, id: str) -> Response:
    parent.links.remove(_link(parent, id))
    items.save_parent(call.backend.database, parent)
    return call.empty(204)


def _values(call: Call, *, whole: bool) -> Dict[str, Any]:
    """The values of a link, checked.

    :param whole: whether a permission is mandatory.
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
        errors.add("description", text(values["description"]))
    day = values.get("expires_at")
    if day:
        errors.add("expires_at", _day(call.backend, day))
    unknown(errors, "", values, _MEMBERS)
    errors.check()
    return values


def _day(backend: Backend, day: Any) -> Optional[str]:
    """Complaint about a last day."""
    try:
        past = _past(backend, day)
    except (ValueError, TypeError):
        return "Not a valid date."
    return "Expiration date must be set to the future" if past else None
