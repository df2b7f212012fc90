"""Vouchers: /guest.

Source: FileSender protocol, section 10.
"""

import json
import uuid
from typing import Any, Dict

from smartxfer.local.database import Row
from smartxfer.local.filesender.call import Call
from smartxfer.local.filesender.fields import expiry, text
from smartxfer.local.filesender.names import valid_address
from smartxfer.local.filesender.options import guest_transfer_options
from smartxfer.local.filesender.refusals import ApiError
from smartxfer.local.http_messages import Response
from smartxfer.local.php import json_response

__all__ = ["delete", "get", "post", "put"]

#: Options that an inviter may set.
_SETTABLE = (
    "valid_only_one_time",
    "can_only_send_to_me",
    "does_not_expire",
    "email_upload_started",
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
    """Create a voucher; the mail goes out at once."""
    user, given, backend = _inviter(call), call.fields(), call.backend
    sender, address = given.get("from") or user["username"], given.get("recipient")
    if not valid_address(sender) or not valid_address(address):
        raise ApiError("bad_email")
    asked = given.get("options")
    asked = asked if isinstance(asked, dict) else {}
    options = _guest_options(asked.get("guest"))
    wanted = asked.get("transfer")
    transfer_options = guest_transfer_options(
        wanted if isinstance(wanted, dict) else {}, bool(options.get("can_only_send_to_me"))
    )
    days = backend.site.max_guest_days_valid
    # Clamped where a transfer's would be refused.
    expires = expiry(given.get("expires"), backend.now(), days, most_days=365000)
    expires = min(expires, int(backend.now()) + days * 86400)
    number = backend.records.db.run(
        "INSERT INTO guests (userid, user_email, email, token, transfer_count, subject, message,"
        " options, transfer_options, created, expires, status)"
        " VALUES (?,?,?,?,0,?,?,?,?,?,?,'available')",
        user["id"],
        sender,
        address,
        str(uuid.uuid4()),
        text(given.get("subject")),
        text(given.get("message")),
        json.dumps(options),
        json.dumps(transfer_options),
        int(backend.now()),
        expires,
    )
    row = backend.records.guest(number)
    backend.mail_guest(row, "guest_created")
    location = f"{backend.url}/rest.php/guest/{number}"
    return json_response(_show(call, row, text=True), 201, location)


def _guest_options(given: Any) -> Dict[str, bool]:
    given = given if isinstance(given, dict) else {}
    options = {name: bool(given[name]) for name in _SETTABLE if name in given}
    options.update(dict.fromkeys(_FIXED, True))
    return options


def _show(call: Call, row: Row, *, text: bool = False) -> Dict[str, Any]:
    return call.backend.views.guest(row, _extensions(call, row), text=text)


def _extensions(call: Call, guest: Row) -> int:
    """How often a voucher may still be extended."""
    allowed = call.backend.site.guest_extension_days and not call.backend.records.extended(guest["id"])
    return 1 if allowed else 0


def _own(call: Call) -> Row:
    user = _inviter(call)
    guest = call.backend.records.guest(call.number())
    if guest["userid"] != user["id"] and not call.is_admin():
        raise ApiError("rest_ownership_required")
    return guest


def get(call: Call) -> Response:
    """List vouchers, show one, or list the transfers of one."""
    backend, everybody = call.backend, call.word(0) == "@all"
    if call.word(0) in ("", "@me", "@all"):
        user = _inviter(call)
        if everybody and not call.is_admin():
            raise ApiError("rest_admin_required")
        rows = backend.records.db.rows(
            "SELECT * FROM guests WHERE (userid=? OR ?) AND status='available' ORDER BY id DESC",
            user["id"],
            everybody,
        )
        return json_response([_show(call, row) for row in rows])
    guest = _own(call)
    if not call.word(1):
        return json_response(_show(call, guest))
    if call.word(1) != "transfers":
        raise ApiError("rest_bad_parameter")
    rows = backend.records.db.rows(
        "SELECT id FROM transfers WHERE guest_id=? AND status='available' ORDER BY id", guest["id"]
    )
    found = {str(row["id"]): backend.records.show(row["id"], backend.views) for row in rows}
    # PHP shows an empty map as a list.
    return json_response(found or [])


def put(call: Call) -> Response:
    """Remind a guest, or extend a voucher; a stock site leaves extensions to administrators."""
    guest, given = _own(call), call.fields()
    if given.get("remind"):
        call.backend.mail_guest(guest, "guest_reminder")
    if given.get("extend_expiry_date"):
        return _extend(call, guest)
    return json_response(True)


def _extend(call: Call, guest: Row) -> Response:
    backend, days = call.backend, call.backend.site.guest_extension_days
    if not days and not call.is_admin():
        raise ApiError("rest_admin_required")
    if not _extensions(call, guest):
        raise ApiError("guest_expiry_extension_not_allowed")
    with backend.records.db.transaction():
        backend.records.db.run(
            "INSERT INTO guest_extensions (guest_id, date) VALUES (?,?)", guest["id"], int(backend.now())
        )
        backend.records.db.run("UPDATE guests SET expires=expires+? WHERE id=?", days * 86400, guest["id"])
    return json_response(_show(call, backend.records.guest(guest["id"]), text=True))


def delete(call: Call) -> Response:
    """Withdraw a voucher."""
    guest = _own(call)
    call.backend.records.db.run("UPDATE guests SET status='closed' WHERE id=?", guest["id"])
    return json_response(None)
