"""Vouchers: /guest.

Source: FileSender protocol, section 10.
"""

import json
import uuid
from typing import Any, Dict

from smartxfer.local.filesender.call import ApiError, Call, Response, Row, json_response
from smartxfer.local.filesender.name_rules import valid_address
from smartxfer.local.filesender.php_values import guest_transfer_options, parse_expiry, to_text

#: Options that an inviter may set.
_SETTABLE = (
    "valid_only_one_time", "can_only_send_to_me", "does_not_expire", "email_upload_started",
    "email_upload_page_access",
)
#: Options that are always on.
_FIXED = ("email_guest_created", "email_guest_created_receipt", "email_guest_expired")


def _inviter(call: Call) -> Row:
    user = call.user()
    if call.identity.guest is not None:
        raise ApiError("rest_authentication_required")
    return user


def post(call: Call) -> Response:
    """Create a voucher and mail it."""
    user, value, backend = _inviter(call), call.fields(), call.backend
    sender, address = value.get("from") or user["username"], value.get("recipient")
    if not valid_address(sender) or not valid_address(address):
        raise ApiError("bad_email")
    given_options = _require_object(value.get("options"))
    options = _guest_options(_require_object(given_options.get("guest")))
    only_to_inviter = bool(options.get("can_only_send_to_me"))
    transfer_options = guest_transfer_options(_require_object(given_options.get("transfer")), only_to_inviter)
    days = backend.site.max_guest_days_valid
    # Clamped, while a transfer with this value would be rejected.
    expires = parse_expiry(value.get("expires"), backend.now(), days, most_days=365000)
    expires = min(expires, int(backend.now()) + days * 86400)
    number = backend.database.insert(
        "guests", userid=user["id"], user_email=sender, email=address, token=str(uuid.uuid4()),
        transfer_count=0, subject=to_text(value.get("subject")), message=to_text(value.get("message")),
        options=json.dumps(options), transfer_options=json.dumps(transfer_options),
        created=int(backend.now()), expires=expires, status="available",
    )
    row = backend.repository.guest(number)
    backend.mail_guest(row, "guest_created")
    location = f"{backend.url}/rest.php/guest/{number}"
    return json_response(_serialize(call, row, text=True), 201, location)


def _require_object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _guest_options(value: Dict[str, Any]) -> Dict[str, bool]:
    options = {name: bool(value[name]) for name in _SETTABLE if name in value}
    options.update(dict.fromkeys(_FIXED, True))
    return options


def _serialize(call: Call, row: Row, *, text: bool = False) -> Dict[str, Any]:
    return call.backend.serializer.guest(row, _extensions(call, row), text=text)


def _extensions(call: Call, guest: Row) -> int:
    """Return the number of extensions that a voucher still allows."""
    allowed = call.backend.site.guest_extension_days and not call.backend.repository.is_extended(guest["id"])
    return 1 if allowed else 0


def _own_guest(call: Call) -> Row:
    user = _inviter(call)
    guest = call.backend.repository.guest(call.number())
    if guest["userid"] != user["id"] and not call.is_admin():
        raise ApiError("rest_ownership_required")
    return guest


def get(call: Call) -> Response:
    """List vouchers, show one, or list the transfers of one."""
    backend, all_users = call.backend, call.segment(0) == "@all"
    if call.segment(0) in ("", "@me", "@all"):
        user = _inviter(call)
        if all_users and not call.is_admin():
            raise ApiError("rest_admin_required")
        sql = "SELECT * FROM guests WHERE (userid=? OR ?) AND status='available' ORDER BY id DESC"
        rows = backend.database.fetchall(sql, user["id"], all_users)
        return json_response([_serialize(call, row) for row in rows])
    guest = _own_guest(call)
    if not call.segment(1):
        return json_response(_serialize(call, guest))
    if call.segment(1) != "transfers":
        raise ApiError("rest_bad_parameter")
    rows = backend.database.select("transfers", "id", guest_id=guest["id"], status="available")
    response = {
        str(row["id"]): backend.repository.serialize_transfer(row["id"], backend.serializer) for row in rows
    }
    # PHP shows an empty map as a list.
    return json_response(response or [])


def put(call: Call) -> Response:
    """Remind a guest, or extend a voucher; by default only administrators can extend."""
    guest, value = _own_guest(call), call.fields()
    if value.get("remind"):
        call.backend.mail_guest(guest, "guest_reminder")
    if value.get("extend_expiry_date"):
        return _extend(call, guest)
    return json_response(True)


def _extend(call: Call, guest: Row) -> Response:
    backend, days = call.backend, call.backend.site.guest_extension_days
    if not days and not call.is_admin():
        raise ApiError("rest_admin_required")
    if not _extensions(call, guest):
        raise ApiError("guest_expiry_extension_not_allowed")
    with backend.database.transaction():
        backend.database.insert("guest_extensions", guest_id=guest["id"], date=int(backend.now()))
        backend.database.update("guests", guest["id"], expires=guest["expires"] + days * 86400)
    return json_response(_serialize(call, backend.repository.guest(guest["id"]), text=True))


def delete(call: Call) -> Response:
    """Withdraw a voucher."""
    guest = _own_guest(call)
    call.backend.database.update("guests", guest["id"], status="closed")
    return json_response(None)
