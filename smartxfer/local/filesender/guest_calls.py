"""Vouchers: /guest.

Source: FileSender protocol, section 10.
"""

import json
import uuid
from typing import Any, Dict

from smartxfer.local.database import Row
from smartxfer.local.exchange import Answer
from smartxfer.local.filesender.call import Call
from smartxfer.local.filesender.fields import expiry, text
from smartxfer.local.filesender.names import valid_address
from smartxfer.local.filesender.options import guest_transfer_options
from smartxfer.local.filesender.refusals import Refusal
from smartxfer.local.filesender.views import guest_view
from smartxfer.local.php import json_answer

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
        raise Refusal("rest_authentication_required")
    return user


def post(call: Call) -> Answer:
    """Create a voucher; the mail goes out at once."""
    user, given, backend = _inviter(call), call.fields(), call.backend
    sender, address = given.get("from") or user["username"], given.get("recipient")
    if not valid_address(sender) or not valid_address(address):
        raise Refusal("bad_email")
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
    return json_answer(guest_view(row, backend.url, text=True), 201, location)


def _guest_options(given: Any) -> Dict[str, bool]:
    given = given if isinstance(given, dict) else {}
    options = {name: bool(given[name]) for name in _SETTABLE if name in given}
    options.update(dict.fromkeys(_FIXED, True))
    return options


def _own(call: Call) -> Row:
    user = _inviter(call)
    guest = call.backend.records.guest(call.number())
    if guest["userid"] != user["id"] and not call.is_admin():
        raise Refusal("rest_ownership_required")
    return guest


def get(call: Call) -> Answer:
    """List vouchers, show one, or list the transfers of one."""
    backend = call.backend
    if call.word(0) in ("", "@me"):
        rows = backend.records.db.rows(
            "SELECT * FROM guests WHERE userid=? AND status='available' ORDER BY id DESC",
            _inviter(call)["id"],
        )
        return json_answer([guest_view(row, backend.url) for row in rows])
    guest = _own(call)
    if call.word(1) != "transfers":
        return json_answer(guest_view(guest, backend.url))
    rows = backend.records.db.rows(
        "SELECT id FROM transfers WHERE guest_id=? AND status='available' ORDER BY id", guest["id"]
    )
    found = {str(row["id"]): backend.records.show(row["id"], backend.url) for row in rows}
    # PHP shows an empty map as a list.
    return json_answer(found or [])


def put(call: Call) -> Answer:
    """Remind a guest; an extension is refused, as on a stock site."""
    guest, given = _own(call), call.fields()
    if given.get("extend_expiry_date"):
        raise Refusal("guest_expiry_extension_not_allowed")
    if given.get("remind"):
        call.backend.mail_guest(guest, "guest_reminder")
    return json_answer(True)


def delete(call: Call) -> Answer:
    """Withdraw a voucher."""
    guest = _own(call)
    call.backend.records.db.run("UPDATE guests SET status='closed' WHERE id=?", guest["id"])
    return json_answer(None)
