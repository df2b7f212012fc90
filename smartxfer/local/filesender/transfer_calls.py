"""Transfers, their files and their recipients: /transfer, /file and /recipient.

Source: FileSender protocol, sections 6.3 to 6.7, 7, 8.1, 9, 13 and 15.
"""

import json
from typing import Any, Callable, Dict, Optional, Tuple

from smartxfer.local.filesender.call import TOKEN, ApiError, Call, Response, Row, json_response
from smartxfer.local.filesender.chunk import check_roundtrip
from smartxfer.local.filesender.encryption import stored_size
from smartxfer.local.filesender.fields import expiry
from smartxfer.local.filesender.identify import key_call
from smartxfer.local.filesender.names import valid_address
from smartxfer.local.filesender.records import OPEN
from smartxfer.local.filesender.views import file_facts, file_view

_LISTED = """SELECT id FROM transfers WHERE status='available' AND (userid=? OR ?)
    ORDER BY created DESC, id DESC"""


def get(call: Call) -> Response:
    """List or show transfers."""
    word = call.word(0)
    if word in ("fileids", "fileidsextended"):
        return _file_ids(call, extended=word == "fileidsextended")
    if word in ("", "@me", "0"):
        # PHP takes `0` for nothing.
        return json_response(_listed(call, call.user()["id"]))
    if word == "@all":
        user = call.user()
        if not call.is_admin():
            raise ApiError("rest_admin_required")
        return json_response(_listed(call, user["id"], everybody=True))
    transfer = _readable(call)
    part = call.word(1)
    if part == "options":
        return json_response(json.loads(transfer["options"]))
    if part == "salt":
        return json_response(transfer["salt"])
    if part == "auditlog":
        return _audit(call, transfer)
    # `file` and `recipient` are not implemented and show the whole, as on real servers.
    return json_response(call.backend.records.show(transfer["id"], call.backend.views))


def _listed(call: Call, owner: int, *, everybody: bool = False) -> Any:
    """Available transfers, newest first; ``count`` and ``startIndex`` do nothing (section 2)."""
    records = call.backend.records
    rows = records.db.rows(_LISTED, owner, everybody)
    return [records.show(row["id"], call.backend.views) for row in rows]


def _readable(call: Call) -> Row:
    """A transfer for its owner, or for who knows a ``puid`` while it is open (section 6.6)."""
    number = call.number()
    if call.identity.user is None:
        puid = call.arguments.get("puid")
        file = call.backend.records.db.row(
            "SELECT status FROM transfers t JOIN files f ON f.transfer_id=t.id"
            " WHERE t.id=? AND f.puid=? AND f.folder=0",
            number if number < 1 << 62 else 0,
            puid,
        )
        if file is None or file["status"] not in OPEN:
            raise ApiError("rest_authentication_required")
        return call.backend.records.transfer(number)
    transfer = call.backend.records.transfer(number)
    call.may_change(transfer)
    return transfer


def _audit(call: Call, transfer: Row) -> Response:
    if call.word(2) == "mail":
        call.backend.mail(transfer["user_email"], "report", transfer)
        return json_response(True)
    views = call.backend.views
    return json_response([views.audit(row) for row in call.backend.records.audit(transfer["id"])])


def _file_ids(call: Call, *, extended: bool) -> Response:
    if extended or call.backend.site.is_2x:
        call.user()
    token = call.arguments.get("token")
    if not TOKEN.fullmatch(token):
        raise ApiError("rest_bad_parameter")
    transfer = call.backend.open_transfer(token)
    if transfer is None:
        raise ApiError("recipient_not_found")
    files = call.backend.records.files(transfer["id"])
    if not extended:
        return json_response([file["id"] for file in files])
    return json_response([file_facts(transfer, file) for file in files])


def put(call: Call) -> Response:
    """Complete, close, remind or extend a transfer."""
    transfer = call.backend.records.transfer(call.number())
    if call.identity.user is not None:
        call.may_change(transfer)
    else:
        _check_key(call, transfer)
    given, records = call.fields(), call.backend.records
    if given.get("decryptfailed"):
        # Noted, and nothing else.
        author = call.identity.author
        records.log(transfer["id"], "transfer_decrypt_failed", call.backend.now(), author)
        return json_response([])
    if given.get("closed") and transfer["status"] in OPEN:
        # Closing removes it; it is shown as it was.
        shown = records.show(transfer["id"], call.backend.views)
        close_transfer(call, transfer)
        return json_response(shown)
    text = False
    for name, act in _CHANGES.items():
        if given.get(name):
            text = act(call, transfer, given[name]) is True
            break
    return json_response(records.show(transfer["id"], call.backend.views, text=text))


def _check_key(call: Call, transfer: Row) -> None:
    """Completing needs no signature where ``key`` and ``puid`` are both a file's (section 6.2)."""
    key, puid = call.arguments.get("key"), call.arguments.get("puid")
    known = [file["puid"] for file in call.backend.records.files(transfer["id"])]
    completes = call.fields().get("complete") is True
    if not (key_call(call) and completes and key in known and puid in known):
        raise ApiError("rest_authentication_required")


def _complete(call: Call, transfer: Row, value: Any) -> None:
    backend, records = call.backend, call.backend.records
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    if transfer["status"] == "available":
        return
    author, now = call.identity.author, backend.now()
    taken = int(now - transfer["created"])
    # Also where the completion then fails.
    records.log(transfer["id"], "upload_ended", now, author, None, taken)
    if not all(file["complete"] for file in records.files(transfer["id"])):
        raise ApiError("transfer_files_incomplete")
    recipients = records.recipients(transfer["id"])
    if not recipients:
        raise ApiError("transfer_no_recipients")
    mailed = [row for row in recipients if row["email"]]
    with records.db.transaction():
        moved = records.db.change(
            "UPDATE transfers SET status='available' WHERE id=? AND status!='available'",
            transfer["id"],
        )
        if not moved:
            return
        records.log(transfer["id"], "transfer_available", now, author, None, taken)
        if transfer["guest_id"] is not None:
            records.guest_used(transfer["guest_id"])
        if mailed and not backend.site.mail_fails:
            records.log(transfer["id"], "transfer_sent", now, author)
    if mailed and backend.site.mail_fails:
        # The message is a guess. The transfer is available all the same.
        raise ApiError("mail_sending_failed")
    for row in mailed:
        backend.mail(row["email"], "transfer_available", transfer, row["token"])
    options = json.loads(transfer["options"])
    if options.get("email_upload_complete"):
        backend.mail(transfer["user_email"], "upload_complete", transfer)


def _close(call: Call, transfer: Row, value: Any) -> None:
    # Closing a closed one changes nothing and sends no mail.
    if transfer["status"] != "closed":
        close_transfer(call, transfer)


def close_transfer(call: Call, transfer: Row) -> None:
    """Close a transfer and mail its recipients; before it was available it is removed instead.

    Its data is deleted, and it expires now.
    """
    records = call.backend.records
    if transfer["status"] in OPEN:
        records.delete_transfer(transfer["id"])
        return
    now = int(call.backend.now())
    records.db.update("transfers", transfer["id"], status="closed", expires=now)
    for file in records.files(transfer["id"]):
        records.objects.delete(file["id"])
    records.log(transfer["id"], "transfer_closed", call.backend.now(), call.identity.author)
    for row in records.recipients(transfer["id"]):
        if row["email"]:
            call.backend.mail(row["email"], "transfer_closed", transfer, row["token"])


def _remind(call: Call, transfer: Row, value: Any) -> None:
    if transfer["status"] != "closed":
        call.backend.remind(call.backend.records.recipients(transfer["id"]), transfer)


def _extend(call: Call, transfer: Row, value: Any) -> bool:
    site, records = call.backend.site, call.backend.records
    if transfer["status"] == "closed":
        raise ApiError("transfer_expiry_extension_not_allowed")
    if value is not True and not site.is_2x:
        # An absolute time works even where extensions are off. A 2.x only looks whether there is one.
        moment = expiry(value, call.backend.now(), 0, site.max_transfer_days_valid)
    elif not transfer["extensions"]:
        raise ApiError("transfer_expiry_extension_not_allowed")
    else:
        moment = transfer["expires"] + site.expiry_extension_days * 86400
        records.db.update("transfers", transfer["id"], extensions=transfer["extensions"] - 1)
    records.db.update("transfers", transfer["id"], expires=moment)
    return True


_CHANGES: Dict[str, Callable[[Call, Row, Any], Optional[bool]]] = {
    "complete": _complete,
    "closed": _close,
    "remind": _remind,
    "extend_expiry_date": _extend,
}


def delete(call: Call) -> Response:
    """Remove a transfer with its data."""
    transfer = call.backend.records.transfer(call.number())
    call.may_change(transfer)
    call.backend.records.delete_transfer(transfer["id"])
    return json_response(None)


# Files.


def _own_file(call: Call) -> Row:
    file = call.backend.records.file(call.number())
    call.may_change(call.backend.records.transfer(file["transfer_id"]))
    return file


def get_file(call: Call) -> Response:
    """Show a file."""
    return json_response(file_view(_own_file(call)))


def put_file(call: Call) -> Response:
    """Complete a file: its size on disk must be the declared one. Done twice, it changes nothing.

    A hole in its middle is not seen, as on real servers.
    """
    records = call.backend.records
    file = records.file(call.number())
    transfer = records.transfer(file["transfer_id"])
    if call.identity.user is not None:
        call.may_change(transfer)
    elif not key_call(call) or call.arguments.get("key") != file["puid"]:
        raise ApiError("rest_authentication_required")
    check_roundtrip(call, transfer["roundtriptoken"])
    if call.fields().get("complete") is not True:
        raise ApiError("rest_bad_parameter")
    if file["complete"]:
        return json_response(True)
    if transfer["status"] not in OPEN:
        raise ApiError("cannot_add_data_to_complete_transfer")
    if records.objects.size(file["id"]) != stored_size(transfer, file):
        raise ApiError("file_integrity_check_failed")
    now = call.backend.now()
    begun = call.backend.begun.pop(file["id"], now)
    taken = int(now - begun) if file["size"] else None
    with records.db.transaction():
        records.db.update("files", file["id"], complete=1)
        records.log(transfer["id"], "file_uploaded", now, call.identity.author, file, taken)
    return json_response(True)


def delete_file(call: Call) -> Response:
    """Remove a file; the last one takes its transfer along."""
    file = _own_file(call)
    records = call.backend.records
    transfer = records.transfer(file["transfer_id"])
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    records.db.delete("files", id=file["id"])
    records.objects.delete(file["id"])
    if not records.files(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)


# Recipients.


def add_recipient(call: Call) -> Response:
    """Add a recipient, who gets a mail if the transfer is available. Duplicates are not merged."""
    backend, records = call.backend, call.backend.records
    transfer = records.transfer(call.number())
    call.may_change(transfer)
    if call.word(1) != "recipient":
        raise ApiError("rest_method_not_implemented")
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    address: Any = call.fields().get("recipient")
    if not valid_address(address):
        raise ApiError("bad_email")
    number = records.add_recipient(transfer["id"], address, int(backend.now()))
    row = records.recipient(number)
    if transfer["status"] == "available":
        backend.mail(row["email"], "transfer_available", transfer, row["token"])
    location = f"{backend.url}/rest.php/recipient/{number}"
    return json_response(backend.views.recipient(row), 201, location)


def _own_recipient(call: Call) -> Tuple[Row, Row]:
    row = call.backend.records.recipient(call.number())
    transfer = call.backend.records.transfer(row["transfer_id"])
    call.may_change(transfer)
    return row, transfer


def get_recipient(call: Call) -> Response:
    """Show a recipient."""
    return json_response(call.backend.views.recipient(_own_recipient(call)[0]))


def put_recipient(call: Call) -> Response:
    """Remind a recipient; once the transfer is closed, nothing is mailed."""
    row, transfer = _own_recipient(call)
    closed = transfer["status"] == "closed"
    if call.fields().get("remind") and row["email"] and not closed:
        call.backend.remind([row], transfer)
    return json_response(call.backend.views.recipient(row))


def delete_recipient(call: Call) -> Response:
    """Remove a recipient; the last one closes the transfer."""
    row, transfer = _own_recipient(call)
    if transfer["status"] == "closed":
        raise ApiError("cannot_alter_closed_transfer")
    call.backend.database.delete("recipients", id=row["id"])
    if not call.backend.records.recipients(transfer["id"]):
        close_transfer(call, transfer)
    return json_response(None)
